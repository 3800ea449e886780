"""A project of the tests: files in a git repository, ``convlint suggest`` run there, and its diffs applied by git."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

import pytest

from convlint import cli
from convlint.ir import serialize
from convlint.runtime.worker.client import JobResult, Worker
from convlint.settings.jobs import VersionsJob

GIT = shutil.which("git") or "git"


@dataclass(frozen=True)
class Result:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Remembering:
    """A worker that outlives the commands of many tests, and runs the same version of the same files only once."""

    def __init__(self, worker: Worker, folder: Path) -> None:
        self._worker = worker
        self._folder = folder
        self._known: dict[tuple[object, ...], JobResult] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, asked: VersionsJob) -> JobResult:
        answers = [self._one(replace(asked, versions=(version,))) for version in asked.versions]
        problems = [problem for answer in answers for problem in answer.problems]
        return JobResult(
            problems=tuple(dict.fromkeys(problems)), tried=tuple(tried for answer in answers for tried in answer.tried)
        )

    def _one(self, asked: VersionsJob) -> JobResult:
        (version,) = asked.versions
        if version.runs or version.weights:
            return self._worker.run(asked)
        files = sorted(path for path in self._folder.rglob("*.py") if path.is_file())
        key = (json.dumps(serialize.encode(asked)), *((path, path.read_bytes()) for path in files))
        if key not in self._known:
            self._known[key] = self._worker.run(asked)
        return self._known[key]


class Project:
    """The working directory, which is that of the worker too."""

    def __init__(self, folder: Path, worker: Worker) -> None:
        self.folder = folder
        self.worker = Remembering(worker, folder)

    def emptied(self) -> Project:
        for path in self.folder.iterdir():
            if path.is_dir() and path.name != ".git":
                shutil.rmtree(path)
            elif not path.is_dir():
                path.unlink()
        return self

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    def suggest(self, *arguments: str) -> Result:
        """``convlint suggest ...`` in this process, the models in the worker's."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["convlint", "suggest", *arguments])
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                cli.main(cast("Worker", self.worker))
        assert isinstance(ended.value.code, int)
        return Result(ended.value.code, out.getvalue(), err.getvalue())

    def shell(self, *arguments: str) -> Result:
        """The same as a user would, in a process of its own."""
        command = [sys.executable, "-m", "convlint", "suggest", *arguments]
        # What is printed waits in a buffer, as it does for most users.
        buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
        done = subprocess.run(command, cwd=self.folder, env=buffered, capture_output=True, timeout=90, check=False)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def apply(self, diff: str) -> None:
        """Apply a diff, or a text with one at its end, as git does."""
        command = [GIT, "apply", "-"]
        subprocess.run(command, cwd=self.folder, input=diff.encode(), check=True)

    def load(self, name: str) -> dict[str, Any]:
        """The names of a file that Python itself runs."""
        text = (self.folder / name).read_text(encoding="utf-8")
        names: dict[str, Any] = {"__name__": "net"}
        exec(compile(text, name, "exec"), names)  # noqa: S102 - a file of the tests
        return names


@contextmanager
def project(folder: Path) -> Iterator[Project]:
    """A repository in an empty folder, for as long as the context lasts."""
    subprocess.run([GIT, "init", "-q"], cwd=folder, check=True)
    with contextlib.chdir(folder), Worker() as worker:
        yield Project(folder, worker)


def refused(result: Result) -> str:
    """The one line of a command that could not do what it was asked; there is no diff and no traceback."""
    assert result.code == 2, result
    assert "Traceback" not in result.out + result.err
    assert "diff --git" not in result.out
    lines = [line for line in (result.out + result.err).splitlines() if line]
    assert len(lines) == 1, lines
    assert len(lines[0]) < 300
    return lines[0]
