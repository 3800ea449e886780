"""The configured models that depend on changed files."""

from __future__ import annotations

from pathlib import Path

import pytest

from convlint.settings.config import discover
from convlint.static.affected_models import models_of
from convlint.support.errors import UsageError

FILES = {
    "pyproject.toml": """
[tool.convlint]
models = [{ target = "net.py:Net" }, { target = "package.model:build" }, { target = "lone.py:Lone" }]
""",
    "net.py": "import blocks\n",
    "blocks.py": "def norm():\n    from package import norms\n",
    "package/__init__.py": "",
    "package/model.py": "from .parts import stem as first\nfrom . import norms\n",
    "package/parts/__init__.py": "from ..widths import *\n",
    "package/parts/stem.py": "import package.model\n",
    "package/norms.py": "",
    "package/widths.py": "import torch\n",
    "lone.py": "import torchvision.models\n",
    "tests.py": "import net, lone\n",
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)


def names(*files: str) -> list[str]:
    return [target.text.split(":")[1] for target in models_of(files, discover())]


@pytest.mark.parametrize(
    ("file", "models"),
    [
        ("lone.py", ["Lone"]),
        ("net.py", ["Net"]),
        ("blocks.py", ["Net"]),
        ("package/norms.py", ["Net", "build"]),  # also where a function imports it
        ("package/model.py", ["build"]),
        ("package/parts/stem.py", ["build"]),  # named like what is imported from its package
        ("package/parts/__init__.py", ["build"]),
        ("package/widths.py", ["build"]),  # through a star
        ("package/__init__.py", ["Net", "build"]),  # a package is loaded before its modules
        ("tests.py", []),  # it imports a model, which does not depend on it
        ("pyproject.toml", ["Net", "build", "Lone"]),
    ],
)
def test_models_that_depend_on_a_file(file: str, models: list[str]) -> None:
    assert names(file) == models


def test_each_model_is_named_once_in_the_order_of_the_settings() -> None:
    assert names("lone.py", "net.py", "blocks.py", "tests.py") == ["Net", "Lone"]
    assert names() == []


def test_paths_are_those_of_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("package")
    assert names("model.py") == ["build"]
    assert names("../net.py") == ["Net"]
    assert names(str(Path("../lone.py").resolve())) == ["Lone"]


def test_a_package_in_src_is_found(tmp_path: Path) -> None:
    Path("src").mkdir()
    Path("package").rename("src/package")
    assert names("src/package/widths.py") == ["build"]


@pytest.mark.parametrize("text", [None, "def"])
def test_a_model_whose_file_cannot_be_read_is_run_whatever_changed(text: str | None) -> None:
    Path("lone.py").unlink()
    if text is not None:
        Path("lone.py").write_text(text)
    assert names("tests.py") == ["Lone"]


def test_an_error_without_configured_models() -> None:
    Path("pyproject.toml").write_text("[tool.convlint]\n")
    with pytest.raises(UsageError, match=r"no model is configured"):
        names("net.py")
