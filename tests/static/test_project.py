"""Static analysis of several files of a project: how the findings of one depend on others."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest

from convlint import static
from convlint.pipelines import file_linter
from convlint.pipelines.lint_files import Linter, read_files
from convlint.settings.config import Config
from convlint.static import CheckedFile, Project, check_file
from convlint.static.exploration import explore
from convlint.static.program import project
from convlint.static.program.import_scan import scanned_imports
from convlint.static.program.source_module import SourceModule

BLOCK = """\
from torch import nn


class Residual(nn.Module):
    def __init__(self, inp, oup):
        super().__init__()
        self.conv = nn.Conv2d(inp, oup, 3, padding=1)

    def forward(self, x):
        return x + self.conv(x).relu()
"""
WRONG = "from blocks import Residual\n\nblock = Residual(32, 64)\n"
RIGHT = "from blocks import Residual\n\nblock = Residual(32, 32)\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(name: str, text: str, project: Project | None = None) -> CheckedFile:
    Path(name).write_text(text)
    return check_file(name, text.encode(), project or Project("."))


def places(found: CheckedFile) -> list[tuple[str, int]]:
    assert not found.problems
    return [
        (finding.code, finding.site.line)
        for finding in found.findings
        if finding.site is not None and finding.code < "CVL3"
    ]


def test_a_file_without_torch_may_build_models() -> None:
    Path("blocks.py").write_text(BLOCK)
    assert places(check("net.py", RIGHT)) == []
    assert places(check("net.py", WRONG)) == [("CVL110", 3)]


def test_torch_may_be_imported_indirectly() -> None:
    Path("blocks.py").write_text(BLOCK)
    Path("middle.py").write_text("from blocks import *\nimport net\n")
    assert places(check("net.py", WRONG.replace("blocks", "middle"))) == [("CVL110", 3)]


def test_the_line_that_needs_equal_numbers_is_related() -> None:
    Path("blocks.py").write_text(BLOCK)
    (finding,) = check("net.py", WRONG).findings
    asks = finding.related[0]
    assert (asks.site.path, asks.site.line) == ("blocks.py", 10)
    assert "`Residual` requires it here" in asks.message


def test_a_new_module_invalidates_cached_findings(folder: Path) -> None:
    Path("net.py").write_text(WRONG)

    def found() -> list[str]:
        linter = Linter(Config(), cache_folder=str(folder / "cache"))
        text = {str(folder / "net.py"): (folder / "net.py").read_bytes()}
        return [finding.code for finding in linter.find(text)]

    assert found() == []
    Path("blocks.py").write_text(BLOCK)
    assert found() == ["CVL110"]


def test_a_given_text_replaces_an_imported_file() -> None:
    Path("blocks.py").write_text(BLOCK)
    project = Project(".")
    assert places(check("net.py", WRONG, project)) == [("CVL110", 3)]
    newer = BLOCK.replace("inp, oup, 3", "inp, oup, 3, groups=0").encode()
    assert ("CVL101", 7) in places(check_file("blocks.py", newer, project))


def test_an_error_in_convlint_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def explored(*_: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(explore, "explored", explored)
    found = static.check_file("net.py", BLOCK.encode(), Project("."))
    (problem,) = found.problems
    assert problem.kind == "internal"
    assert "KeyError" in problem.message
    assert problem.traceback is not None


def test_a_layer_alone_has_a_name() -> None:
    (finding,) = check("net.py", "from torch import nn\nconv = nn.Conv2d(3, 8, 1, groups=2)\n").findings
    assert "`conv`" in finding.message


def test_a_flag_and_a_number_are_different_arguments() -> None:
    text = """\
import torch
from torch import nn


class Head(nn.Module):
    def __init__(self, width):
        super().__init__()
        wide = 3 if width is True else 8
        self.conv = nn.Conv2d(wide, 4, 1)

    def forward(self, x):
        return self.conv(x)


heads = [Head(width) for width in (True, 1)]
heads[0](torch.zeros(1, 3, 8, 8))
heads[1](torch.zeros(1, 8, 8, 8))
"""
    assert places(check("net.py", text)) == []


@pytest.mark.slow
def test_memory_for_a_large_project_is_limited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: WeakSet[SourceModule] = WeakSet()

    class Counted(SourceModule):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            kept.add(self)

    monkeypatch.setattr(project, "SourceModule", Counted)
    monkeypatch.setattr(file_linter, "MOST_LINES", 60)
    folder.joinpath("blocks.py").write_text(BLOCK)
    for number in range(30):
        folder.joinpath(f"net{number:02}.py").write_text(WRONG if number % 2 else RIGHT)
    counts: list[int] = []
    texts, _ = read_files(sorted(map(str, folder.glob("*.py"))))
    linter = Linter(Config(), progress=lambda done, of: counts.append(len(kept)))
    assert [Path(f.site.path).name for f in linter.find(texts) if f.site and f.code == "CVL110"] == [
        f"net{number:02}.py" for number in range(1, 30, 2)
    ]
    assert 10 < max(counts) < 20


def test_a_file_is_followed_only_if_its_imports_lead_to_torch(folder: Path) -> None:
    folder.joinpath("words.py").write_text('"""Converts to torch tensors."""\nfrom . import cycle\n')
    folder.joinpath("cycle.py").write_text("import words\n")
    folder.joinpath("nets.py").write_text("def build():\n    from torch import nn\n    return nn.Conv2d(3, 4, 1)\n")
    folder.joinpath("main.py").write_text("import cycle\nfrom nets import build\n")
    texts, _ = read_files(sorted(map(str, folder.glob("*.py"))))
    project = Project(str(folder))
    followed = [Path(path).name for path, data in texts.items() if project.is_followed(path, data)]
    assert followed == ["main.py", "nets.py"]


def test_a_file_that_gets_only_tensors_from_torch_is_not_followed(folder: Path) -> None:
    folder.joinpath("arrays.py").write_text("import torch\n\ndef ones(n):\n    return torch.ones(n)\n")
    folder.joinpath("solver.py").write_text("from arrays import ones\n\ndef solve(n):\n    return ones(n)\n")
    folder.joinpath("layers.py").write_text("import torch\nConv = torch.nn.Conv2d\n")
    folder.joinpath("net.py").write_text("from layers import Conv\nstem = Conv(3, 64, 1, groups=2)\n")
    project = Project(str(folder))
    followed = {file.stem: project.is_followed(str(file), file.read_bytes()) for file in folder.glob("*.py")}
    assert followed == {"arrays": True, "solver": False, "layers": True, "net": True}


@pytest.mark.parametrize(
    "statements",
    [
        "import a, b.c as d; import e\nfrom . import f\nfrom ..g.h import (i, # a ) comment\n    j as k,\n)",
        "if a: import b\nelse: from c import d\ntry: import e\nexcept ImportError: import f",
        "def a():\n\tfrom b \\\n  import c, \\\n  d\n\timport e.f as g # import h",
        "from\t.\timport a\nfrom .b import*\nfrom ...c import(d)\nimportant = 1\nx = 'a'; from e import f",
        "class A:\n    from . b import c\n    import d.e\nmatch 1:\n    case 1: import f",
    ],
)
def test_imports_are_found_without_parsing(statements: str) -> None:
    """Each that Python's parser finds is found."""
    parsed = {
        name
        for node in ast.walk(ast.parse(statements))
        for name in (
            [(alias.name, (), 0) for alias in node.names]
            if isinstance(node, ast.Import)
            else [(node.module or "", tuple(a.name for a in node.names if a.name != "*"), node.level)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert parsed <= set(scanned_imports(statements))
