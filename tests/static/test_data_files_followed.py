"""Configuration files of the project that a program reads by a literal path."""

from __future__ import annotations

from pathlib import Path

import pytest

from convlint.static import Project, check_file
from tests.static.test_python import HEAD

READERS = {
    "yaml": "import yaml\nwith open('cfg.yaml') as f: cfg = yaml.safe_load(f)",
    "json": "import json\ncfg = json.load(open('conf/cfg.json'))",
    "toml": "import tomllib\nwith open('cfg.toml', 'rb') as f: cfg = tomllib.load(f)",
    "next to the program": (
        "import os, yaml\npath = os.path.join(os.path.dirname(__file__), 'cfg.yaml')\ncfg = yaml.safe_load(open(path))"
    ),
    "a path next to the program": (
        "import yaml\nfrom pathlib import Path\nROOT = Path(__file__).resolve().parent\n"
        "with (ROOT / 'cfg.yaml').open() as f: cfg = yaml.safe_load(f) if (ROOT / 'cfg.yaml').exists() else {}"
    ),
    "the text of a path": (
        "import json\nfrom pathlib import Path\ncfg = json.loads(Path('conf').joinpath('cfg.json').read_text())"
    ),
    "the text of a file": "import json\nwith open('conf/cfg.json') as f: cfg = json.loads(f.read())",
    "objects for dicts": (
        "import json\nfrom types import SimpleNamespace\nwith open('conf/cfg.json') as f:\n"
        "    o = json.load(f, object_hook=lambda d: SimpleNamespace(**d))\ncfg = {'model': {'width': o.model.width}}"
    ),
    "hydra": (
        "import hydra\n@hydra.main(version_base=None, config_path='.', config_name='cfg')\n"
        "def read(cfg):\n    return cfg\ncfg = read()"
    ),
    "hydra's compose": (
        "from hydra import compose, initialize\nwith initialize(config_path='.'):\n"
        "    cfg = compose(config_name='cfg', overrides=['a.b=1'])"
    ),
    "omegaconf": "from omegaconf import OmegaConf\ncfg = OmegaConf.load('cfg.yaml')",
    "yacs": (
        "from yacs.config import CfgNode as CN\ncfg = CN(dict(model=CN(dict(width=9))))\n"
        "cfg.merge_from_file('cfg.yaml')"
    ),
    "a text": "import yaml\ncfg = yaml.safe_load('model: {width: WIDTH}')",
}
UNKNOWN = {
    "an unknown path": "import yaml\ncfg = yaml.safe_load(open(what))",
    "a file outside of the project": "import yaml\ncfg = yaml.safe_load(open('../cfg.yaml'))",
    "a file that is not there": "import yaml\ncfg = yaml.safe_load(open('other.yaml'))",
    "a tag": "import yaml\ncfg = yaml.load(open('tagged.yaml'))",
}
USE = "\nnn.Conv2d(cfg['model']['width'], 8, 1)(torch.zeros(1, 3, 8, 8))\n"


def codes(tmp_path: Path, width: int, text: str) -> list[str]:
    project = tmp_path / "project"
    (project / "conf").mkdir(parents=True)
    for folder in (tmp_path, project):
        (folder / "cfg.yaml").write_text(f"model:\n  width: {width}\n")
    (project / "conf" / "cfg.json").write_text(f'{{"model": {{"width": {width}}}}}')
    (project / "cfg.toml").write_text(f"[model]\nwidth = {width}\n")
    (project / "tagged.yaml").write_text(f"model: !!python/dict {{width: {width}}}\n")
    program = f"{HEAD}{text.replace('WIDTH', str(width))}{USE}".encode()
    found = check_file(str(project / "net.py"), program, Project(str(project)))
    assert found.problems == ()
    return [finding.code for finding in found.findings if finding.code != "CVL902"]


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(("width", "expected"), [(3, []), (4, ["CVL102"])])
def test_files_are_read(name: str, width: int, expected: list[str], tmp_path: Path) -> None:
    assert codes(tmp_path, width, READERS[name]) == expected


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_read_is_unknown(name: str, tmp_path: Path) -> None:
    assert codes(tmp_path, 4, UNKNOWN[name]) == []
