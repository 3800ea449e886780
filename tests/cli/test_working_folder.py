"""Nothing in the working folder is imported: neither by commands that read it nor by the processes that they start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
MODEL = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(9)

    def forward(self, x):
        return self.norm(self.conv(x))
"""
TRAP = "open({log!r}, 'a').write(__name__ + '\\n')\n"


def trapped_names() -> set[str]:
    """The names of the standard library, of installed packages, and of convlint."""
    installed = {name for name in metadata.packages_distributions() if name.isidentifier()}
    return (set(sys.stdlib_module_names) | installed | {"convlint", "sitecustomize", "usercustomize"}) - {"__main__"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project in which every name that could be imported is a file, and half of them packages too."""
    project = tmp_path / "project"
    project.mkdir()
    trap = TRAP.format(log=str(tmp_path / "log"))
    for number, name in enumerate(sorted(trapped_names())):
        (project / f"{name}.py").write_text(trap)
        if number % 2:
            (project / name).mkdir()
            (project / name / "__init__.py").write_text(trap)
    for number in range(6):
        (project / f"net{number}.py").write_text(MODEL)
    return project


def imported(folder: Path, command: Sequence[str], stdin: str = "") -> tuple[int, str, list[str]]:
    """Run a command in the folder: its exit code, its output, and the files of the folder that it imported."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    env["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        command, cwd=folder, env=env, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )
    log = folder.parent / "log"
    return done.returncode, done.stdout + done.stderr, log.read_text().split() if log.exists() else []


COMMANDS = {
    "the console script": [str(BIN / "convlint"), "check", ".", "--no-cache"],
    "several processes": [str(BIN / "convlint"), "check", ".", "--no-cache", "-j", "4"],
    "with a cache": [str(BIN / "convlint"), "check", "."],
    "python -P -m": [sys.executable, "-P", "-m", "convlint", "check", ".", "-j", "2", "--no-cache"],
    "SARIF": [str(BIN / "convlint"), "check", ".", "--output-format", "sarif"],
    "HTML": [str(BIN / "convlint"), "check", ".", "--output-format", "html"],
    "fixes": [str(BIN / "convlint"), "check", ".", "--fix", "--unsafe-fixes", "--diff", "--no-cache"],
    "flake8": [str(BIN / "flake8"), "--isolated", "--select", "CVL", "net0.py", "net1.py"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_no_file_is_imported(folder: Path, name: str) -> None:
    code, output, traps = imported(folder, COMMANDS[name])
    assert traps == []
    assert code == 1
    assert "CVL103" in output or name == "fixes"


@pytest.mark.slow
@pytest.mark.parametrize("command", [("rule", "CVL103"), ("--version",), ("init", "--help"), ("config",)])
def test_no_file_is_imported_by_commands_that_read_no_file(folder: Path, command: Sequence[str]) -> None:
    assert imported(folder, [str(BIN / "convlint"), *command])[2] == []


@pytest.mark.slow
def test_the_language_server_imports_no_file(folder: Path) -> None:
    assert imported(folder, [str(BIN / "convlint"), "server"])[2] == []


@pytest.mark.slow
def test_no_file_is_imported_before_the_models_of_the_folder_are(folder: Path) -> None:
    """A model may import what lies beside it; the processes that load torch before do not."""
    (folder / "net0.py").write_text("raise SystemExit('the model itself')")
    code, output, traps = imported(folder, [str(BIN / "convlint"), "check", "net0.py:Net"])
    assert "the model itself" in output or code == 2
    assert traps == []
