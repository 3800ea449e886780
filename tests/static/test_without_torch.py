"""Static analysis without torch installed, and without an attempt to import it where it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

OF_SOURCE = (
    "tests/rules/test_examples.py",
    "tests/rules/test_latent_cases.py",
    "tests/api/test_check_files.py",
    "tests/cli/test_check_files.py",
)
"""Test files, or tests in them, with `source` in their names."""


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of an environment with the wheel, its dependencies and pytest."""
    folder = tmp_path_factory.mktemp("without")
    build = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    assert build.returncode == 0, build.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    path = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    pinned = str(ROOT / "constraints.txt")
    pip = (str(path), "-m", "pip", "install", "-q", "-c", pinned)
    # The settings of pytest in pyproject.toml have some of pytest-asyncio, and pytest is strict about them.
    installed = run(*pip, str(wheel), "pytest", "pytest-asyncio", cwd=folder)
    assert installed.returncode == 0, installed.stderr
    return str(path)


@pytest.mark.slow
def test_installed_without_torch_it_checks_files(python: str, tmp_path: Path) -> None:
    assert "ModuleNotFoundError" in run(python, "-c", "import torch", cwd=tmp_path).stderr
    shutil.copy(ROOT / "fixtures" / "gdconv.py", tmp_path)
    done = run(python, "-m", "convlint", "check", "gdconv.py", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("gdconv.py:17:19: CVL201 warning ")
    assert not done.stderr


@pytest.mark.slow
def test_installed_without_torch_a_run_says_what_is_missing(python: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "fixtures" / "gdconv.py", tmp_path)
    done = run(python, "-m", "convlint", "check", "gdconv.py:GDConv(4, 4, 7, 0)", cwd=tmp_path)
    assert done.returncode == 2
    assert "torch" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_the_tests_of_source_mode_pass_without_torch(python: str) -> None:
    quiet = ("-q", "-p", "no:cacheprovider", "-k", "source")
    done = run(python, "-m", "pytest", *quiet, *OF_SOURCE, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


WATCHED = """
import sys

attempted = []


class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "timm", "rich", "libcst", "typer"}:
            attempted.append(name)


sys.meta_path.insert(0, Watch())

from pathlib import Path

from convlint.settings.config import Config
from convlint.pipelines.lint_files import Linter
from tests.rules.latent_cases import CASES

texts = {str(file): file.read_bytes() for file in Path("fixtures").rglob("*.py")}
texts |= {f"case{number}.py": case.source.encode() for number, case in enumerate(CASES)}
linter = Linter(Config(select=("CVL",)))
print(len(texts), len({finding.site.path for finding in linter.find(texts)}), len(linter.problems), *attempted)
"""
"""Checks many files and prints the number of files, of files with findings and of problems, and the
attempted imports.
"""


@pytest.mark.slow
def test_an_import_of_torch_is_not_even_tried() -> None:
    done = run(sys.executable, "-c", WATCHED, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    files, with_findings, problems, *attempted = done.stdout.split()
    assert attempted == []
    assert int(files) > 100
    assert int(with_findings) > 50
    assert int(problems) == 0
