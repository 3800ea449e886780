"""One cause is one finding, across instances, models and files; the repairs that ``--fix --unsafe-fixes`` applies."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from convlint import cli
from convlint.runtime.worker.client import Worker
from tests.support.commands import SharedWorker

BLOCK = """\
from torch import nn


class Unit(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(2, width + 2)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()
"""
MODEL = """\
from torch import nn

from block import Unit


class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, {width}, 3)
        self.first = Unit({width})
        self.second = Unit({width})

    def forward(self, x):
        return self.second(self.first(self.stem(x)))
"""
BACKWARDS = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(31, 4)
        self.down = nn.Conv2d(18, 32, 3, bias=False)
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(12))

    def forward(self, x):
        x = self.down(self.stem(x))
        return self.head(x.mean((2, 3)))
"""

Check = Callable[..., Any]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs ``convlint check`` in an empty folder and returns what it prints: JSON as data, other formats as text."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, format: str = "json") -> Any:
        options = ["--isolated", "--no-cache", "--output-format", format]
        monkeypatch.setattr(sys, "argv", ["convlint", "check", *arguments, *options])
        with pytest.raises(SystemExit):
            cli.main(cast("Worker", SharedWorker()))
        out = capsys.readouterr().out
        return json.loads(out) if format == "json" else out

    return run


def write(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.py").write_text(text)


def errors(report: Any) -> list[dict[str, Any]]:
    return [finding for finding in report["findings"] if finding["severity"] == "error"]


def shown(finding: dict[str, Any]) -> set[tuple[str, int, str]]:
    return {(each["path"], each["line"], each["module"]) for each in finding["occurrences"]}


# --- one finding for a cause


def test_a_block_that_two_files_import_is_wrong_once(check: Check) -> None:
    write(block=BLOCK, a=MODEL.format(name="A", width=16), b=MODEL.format(name="B", width=24))
    (finding,) = errors(check("."))
    assert (finding["path"], finding["line"]) == ("block.py", 8)
    assert shown(finding) >= {
        ("a.py", 10, "first.norm"),
        ("a.py", 11, "second.norm"),
        ("b.py", 10, "first.norm"),
        ("b.py", 11, "second.norm"),
    }
    assert len(shown(finding)) == len(finding["occurrences"])
    text = check(".", format="text")
    assert "GroupNorm `first.norm` (and 1 more built here) expects 18 channels but receives 16" in text
    assert "= modules: first.norm (a.py:10), second.norm (a.py:11), first.norm (b.py:10)" in text


def test_the_files_may_be_checked_in_any_order_and_in_several_processes(check: Check) -> None:
    write(block=BLOCK, **{f"m{n}": MODEL.format(name=f"M{n}", width=8 * (n + 1)) for n in range(20)})
    paths = [str(path) for path in sorted(Path().glob("*.py"))]
    report = check(*paths)
    assert [(f["path"], f["line"]) for f in errors(report)] == [("block.py", 8)]
    assert check(*paths, "-j", "2")["findings"] == report["findings"]


@pytest.mark.slow
def test_a_block_of_two_models_that_are_run_is_wrong_once(check: Check) -> None:
    two = MODEL.format(name="A", width=16) + MODEL.format(name="B", width=24).partition("import Unit\n")[2]
    write(block=BLOCK, nets=two)
    report = check("nets.py:A", "nets.py:B", "--input", "3,32,32")
    (finding,) = errors(report)
    assert (finding["path"], finding["line"]) == ("block.py", 8)
    assert {each["target"] for each in finding["occurrences"]} == {"nets.py:A", "nets.py:B"}
    assert "= models: nets.py:A, nets.py:B" in check("nets.py:A", "nets.py:B", "--input", "3,32,32", format="text")


# --- the order


def test_errors_of_a_file_come_as_they_are_executed(check: Check) -> None:
    write(net=BACKWARDS)
    assert [finding["line"] for finding in check("net.py")["findings"]] == [9, 8, 7]


@pytest.mark.slow
def test_errors_of_a_run_come_as_they_are_executed(check: Check) -> None:
    write(net=BACKWARDS)
    assert [finding["line"] for finding in errors(check("net.py:Net", "--input", "3,32,32"))] == [9, 8, 7]


def test_grouped_by_file_they_come_by_line(check: Check) -> None:
    write(net=BACKWARDS)
    rows = check("net.py", format="grouped").splitlines()[1:4]
    assert [row.split(":")[0].strip() for row in rows] == ["7", "8", "9"]


# --- repairs are applied


def runs(path: str, name: str = "Net") -> bool:
    """Let PyTorch build and run a model."""
    program = f"import torch, {path}; {path}.{name}()(torch.zeros(2, 3, 32, 32))"
    return subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


@pytest.mark.slow
def test_repairs_are_applied_together_and_the_model_runs(check: Check) -> None:
    write(net=BACKWARDS)
    assert not runs("net")
    check("net.py", "--fix", "--unsafe-fixes", format="text")
    assert runs("net")
    assert check("net.py")["findings"] == []


def test_without_unsafe_fixes_nothing_is_repaired(check: Check) -> None:
    write(net=BACKWARDS)
    out = check("net.py", "--fix", format="text")
    assert Path("net.py").read_text() == BACKWARDS
    assert "3 can be fixed with --fix --unsafe-fixes." in out


def test_a_repair_in_a_file_that_was_not_given_is_applied(check: Check) -> None:
    """The file belongs to the program that was checked, and the finding is reported there."""
    write(block=BLOCK, net=MODEL.format(name="Net", width=16))
    (finding,) = errors(check("net.py"))
    assert finding["path"] == "block.py"
    check("net.py", "--fix", "--unsafe-fixes", format="text")
    assert Path("block.py").read_text() == BLOCK.replace("width + 2", "width")
    assert errors(check(".")) == []


def test_git_applies_the_diff_of_two_files(check: Check) -> None:
    write(block=BLOCK, net=MODEL.format(name="Net", width=16).replace("Unit(16)\n\n", "Unit(20)\n\n"))
    before = {path: path.read_text() for path in Path().glob("*.py")}
    out = check("net.py", "--diff", "--unsafe-fixes", format="text")
    assert {path: path.read_text() for path in before} == before
    Path("repairs.diff").write_text(out)
    git = shutil.which("git") or "git"
    subprocess.run([git, "init", "-q"], check=True)
    subprocess.run([git, "apply", "repairs.diff"], check=True)
    assert [path.name for path, text in sorted(before.items()) if path.read_text() != text] == ["block.py", "net.py"]
    assert errors(check(".")) == []


def test_of_equal_repairs_the_first_is_applied(check: Check) -> None:
    text = MODEL.format(name="Net", width=16).replace("self.first(self.stem(x))", "self.stem(x)")
    write(block=BLOCK.replace("width + 2", "width"), net=text.replace("Unit(16)", "Unit(20)"))
    (finding,) = errors(check("net.py"))
    first, other = finding["repairs"]
    assert finding["fix"]["edits"] == first["edits"] != other["edits"]
    check("net.py", "--fix", "--unsafe-fixes", format="text")
    assert first["edits"][0]["text"] in Path("net.py").read_text().splitlines()[first["edits"][0]["line"] - 1]
    assert errors(check(".")) == []


@pytest.mark.slow
def test_the_repair_of_a_run_is_applied_in_the_file_of_the_block(check: Check) -> None:
    write(block=BLOCK, net=MODEL.format(name="Net", width=16))
    check("net.py:Net", "--input", "3,32,32", "--fix", "--unsafe-fixes", format="text")
    assert Path("block.py").read_text() == BLOCK.replace("width + 2", "width")
    assert errors(check("net.py:Net", "--input", "3,32,32")) == []
