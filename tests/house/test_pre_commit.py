"""The hooks, by the real pre-commit in a real repository: what is refused, and what passes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GDCONV = (ROOT / "fixtures" / "gdconv.py").read_text()
BUG = "self.bn = nn.BatchNorm2d(in_planes)"
LINE = next(i for i, line in enumerate(GDCONV.splitlines(), 1) if BUG in line)
MENDED = GDCONV.replace(BUG, "self.bn = nn.BatchNorm2d(out_planes)")

GIT = shutil.which("git") or ""
pytestmark = pytest.mark.skipif(not GIT, reason="git is not installed")

NET = """
from gdconv import GDConv


def Net():
    return GDConv(4, 4, 7, 0)
"""

Commit = Callable[[Mapping[str, str]], subprocess.CompletedProcess[str]]
Repository = Callable[[str], Commit]


def git(*arguments: str, cwd: Path | None = None) -> str:
    done = subprocess.run([GIT, *arguments], cwd=cwd, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of whoever runs the tests, neither git's nor pre-commit's."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)  # set where a hook of git runs these tests
    for name, value in {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "ada@example.org" for who in ("AUTHOR", "COMMITTER")},
        "PRE_COMMIT_HOME": str(tmp_path / "environments"),
        "PRE_COMMIT_COLOR": "never",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def hooks(tmp_path: Path) -> tuple[Path, str]:
    """A repository that holds this project as it lies here, and its revision."""
    there = tmp_path / "hooks"
    for name in git("ls-files", "-z", "-co", "--exclude-standard", cwd=ROOT).split("\0"):
        if name and (ROOT / name).is_file():
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, there / name)
    git("init", "-q", cwd=there)
    git("add", "-A", cwd=there)
    git("commit", "-q", "-m", "All", cwd=there)
    return there, git("rev-parse", "HEAD", cwd=there).strip()


@pytest.fixture
def repository(hooks: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Makes the working directory a repository whose commits a hook looks at."""

    def make(hook: str) -> Commit:
        folder, (there, revision) = tmp_path / "project", hooks
        folder.mkdir()
        monkeypatch.chdir(folder)
        Path(".pre-commit-config.yaml").write_text(
            f"repos:\n- repo: {there}\n  rev: {revision}\n  hooks:\n  - id: {hook}\n"
        )
        git("init", "-q")
        pre_commit = [sys.executable, "-m", "pre_commit", "install"]
        subprocess.run(pre_commit, check=True, stdout=subprocess.DEVNULL)
        return commit

    return make


def commit(files: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Write files and commit all."""
    for name, text in files.items():
        Path(name).write_text(text)
    git("add", "-A")
    command = [GIT, "commit", "-m", "Work"]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.slow
def test_a_commit_with_a_bug_is_refused_with_its_line(repository: Repository) -> None:
    """The only test that lets pre-commit build an environment."""
    commit = repository("convlint")
    done = commit({"net.py": GDCONV, "other.py": "x = 1\n"})
    assert done.returncode == 1, done.stderr
    assert f"net.py:{LINE}:19: CVL201" in done.stderr
    assert "other.py" not in done.stderr
    done = commit({"net.py": MENDED})
    assert done.returncode == 0, done.stderr
    environments = Path(os.environ["PRE_COMMIT_HOME"])
    installed = {path.parent.name for path in environments.rglob("site-packages/*/__init__.py")}
    assert "convlint" in installed
    assert "torch" not in installed


@pytest.mark.slow
def test_configured_models_run_if_a_commit_changes_what_they_are_made_of(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Path(sys.executable).parent  # the environment of the project
    monkeypatch.setenv("PATH", f"{here}{os.pathsep}{os.environ['PATH']}")
    commit = repository("convlint-models")
    model = "[[models]]\ntarget = 'net.py:Net'\ninput = '4,8,8'\n"
    done = commit({"convlint.toml": model, "net.py": NET, "gdconv.py": GDCONV})
    assert done.returncode == 1, done.stderr
    assert f"gdconv.py:{LINE}:19: CVL201" in done.stderr
    assert commit({"gdconv.py": MENDED}).returncode == 0
    done = commit({"gdconv.py": GDCONV})
    assert done.returncode == 1  # the model's own file has not changed, but one that it imports
    git("restore", "--staged", "--worktree", "gdconv.py")
    assert commit({"other.py": GDCONV}).returncode == 0  # no model is made of it
