"""Commands in the process of the tests, with one worker for all of them: loading torch takes longer than a model."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

import pytest

from convlint import api, cli
from convlint.api import arguments as api_arguments
from convlint.runtime.worker.client import AnyJob, JobResult, Worker
from convlint.settings.jobs import VersionsJob


@dataclass(frozen=True)
class Done:
    """What a command gave, by the names of ``subprocess.CompletedProcess``."""

    returncode: int
    stdout: str
    stderr: str


class SharedWorker:
    """A worker that outlives a command and runs its models in the working directory of the command."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, asked: AnyJob) -> JobResult:
        here = os.getcwd()
        if isinstance(asked, VersionsJob):
            return _worker().run(replace(asked, job=replace(asked.job, folder=here)))
        return _worker().run(replace(asked, folder=here))

    prove = Worker.prove


@functools.cache
def _worker() -> Worker:
    """The worker of this process; it ends when its stdin is closed, with the process."""
    return Worker()


@contextlib.contextmanager
def one_worker() -> Iterator[None]:
    """Let the Python API run models with the worker of the commands."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (api, api_arguments):
            patch.setattr(module, "Worker", SharedWorker)
        yield


@contextlib.contextmanager
def _called(folder: Path, arguments: tuple[str, ...]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setattr(sys, "argv", ["convlint", *arguments])
        yield


def command(folder: Path, *arguments: str) -> Done:
    """``convlint ARGUMENTS`` in a folder."""
    out, err = io.StringIO(), io.StringIO()
    with (
        _called(folder, arguments),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main(cast("Worker", SharedWorker()))
    code: Any = ended.value.code
    return Done(code, out.getvalue(), err.getvalue())
