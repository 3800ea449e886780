"""Sweeps: many models, the result of each in a line of a file as soon as it is there. A sweep that was ended goes on.

A line is the JSON report of one model without its layers, with ``target``, the ``device`` that it ran on, the
``seconds`` and bytes of ``memory`` that its process took, and ``asked``, which stands for what was asked of it. A model
that has a line for the same is not run again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, BinaryIO, get_args

from convlint.findings.confirm import Runs
from convlint.ir import SEVERITIES, Report, Severity, any_at_least, serialize
from convlint.ir.graph import Status
from convlint.outputs import json_
from convlint.pipelines import run_models as run
from convlint.runtime.worker.client import JobResult
from convlint.settings.config import Config
from convlint.settings.jobs import Job
from convlint.support.errors import UsageError

Row = dict[str, Any]
STATUSES = get_args(Status)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a model: its line. ``known``: it was in the file already."""

    row: Row
    known: bool = False

    @property
    def target(self) -> str:
        return str(self.row["target"])

    @property
    def status(self) -> str:
        """``complete``, ``partial`` or ``failed`` as of a model, ``unchecked`` where there is none for a problem."""
        models = self.row["models"]
        return str(models[0]["status"]) if models else "unchecked"


@dataclass(frozen=True, slots=True)
class Sweep:
    """How the models of a sweep are judged. ``proves`` builds the classes of suspicions."""

    config: Config
    proves: Runs | None = None
    retry: bool = False  # run again what could not be checked

    def run(
        self,
        path: str,
        jobs: Sequence[Job],
        answers: Callable[[Sequence[Job]], Iterator[tuple[Job, JobResult]]],
    ) -> Iterator[Result]:
        """The results of all jobs, those that the file at ``path`` has already first; the others are added to it.

        ``answers`` gives jobs with their answers, in any order. A model that takes too much memory is run
        again on the meta device. Raises UsageError where the file is no file of a sweep, or another sweep's.
        """
        asked = {job.text: self._digest(job) for job in jobs}
        with _opened(path) as file:
            known = {
                row["target"]: row
                for row in _rows(file, path)
                if row["asked"] == asked.get(row["target"]) and not (self.retry and row["problems"])
            }
            yield from (Result(known[job.text], known=True) for job in jobs if job.text in known)
            too_large: list[Job] = []
            rest = [job for job in jobs if job.text not in known]
            for job, answer in answers(rest):
                if job.device != "meta" and any(p.kind == "out-of-memory" for p in answer.problems):
                    too_large.append(replace(job, device="meta"))
                    continue
                yield self._written(file, job, answer, asked)
            for job, answer in answers(too_large) if too_large else ():
                yield self._written(file, job, answer, asked)

    def _written(
        self, file: BinaryIO, job: Job, answer: JobResult, asked: dict[str, str]
    ) -> Result:
        row = {
            "target": job.text,
            "asked": asked[job.text],
            "seconds": round(answer.seconds, 3),
            "memory": answer.memory,
            "device": job.device,
            **_report(run.check_models([job], lambda _: answer, self.config, self.proves)),
        }
        line = memoryview(json.dumps(row).encode() + b"\n")
        try:
            while line:  # no buffer of Python's, which would try once more when the file is closed
                line = line[os.write(file.fileno(), line) :]
        except OSError as error:
            raise UsageError(f"{file.name} cannot be written: {error.strerror or error}") from None
        return Result(row)

    def _digest(self, job: Job) -> str:
        """What a line is known by: the version, and all that decides what is in it."""
        how = serialize.encode(replace(job, timeout=0.0, max_memory=None, at_once=1, folder=None))
        rules = (self.config.select, self.config.ignore, self.config.extend_select)
        text = json.dumps(
            [version("convlint"), how, serialize.encode(rules), self.proves is not None]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _report(report: Report) -> Row:
    row = json_.document(report)
    for model in row["models"]:
        del model["layers"]
    return {name: row[name] for name in ("convlint", "findings", "models", "problems")}


# --- the file


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """The file, to be added to by this sweep alone. Raises UsageError."""
    try:
        file = open(path, "a+b")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another sweep writes to {path}") from None
        except OSError as error:
            raise UsageError(f"{path} cannot be locked: {error.strerror or error}") from None
        yield file


def _rows(file: BinaryIO, path: str) -> Iterator[Row]:
    """The lines of a file. The last may be half a line, of a sweep that was killed: it is cut off."""
    file.seek(0)
    end = 0
    for number, line in enumerate(file, start=1):
        if not line.endswith(b"\n"):
            file.truncate(end)
            break
        end += len(line)
        try:
            row = json.loads(line)
            whole = _fits(row, _ROW)
        except (ValueError, RecursionError):
            whole = False
        if not whole:
            raise UsageError(f"{path}, line {number}: not the result of a model; name another file")
        yield row
    file.seek(0, os.SEEK_END)


_ROW = {
    **dict.fromkeys(("target", "asked", "device"), str),
    "seconds": float | int,
    "findings": [{"code": str, "severity": SEVERITIES}],
    "models": [{"status": STATUSES, "totals": {"params": int, "macs": int}}],
    "problems": [{"kind": str, "message": str}],
}
"""What is read of a line: the types of its parts, or the texts that they may be."""


def _fits(value: Any, form: Any) -> bool:
    if isinstance(form, dict):
        return isinstance(value, dict) and all(
            name in value and _fits(value[name], part) for name, part in form.items()
        )
    if isinstance(form, list):
        return isinstance(value, list) and all(_fits(one, form[0]) for one in value)
    if isinstance(form, tuple):
        return value in form
    return isinstance(value, form)


# --- what came of all


@dataclass
class Tally:
    """What is told of a whole sweep."""

    statuses: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    """How many models have findings of a rule."""
    severities: set[Severity] = field(default_factory=set)

    def add(self, result: Result) -> None:
        self.statuses[result.status] += 1
        self.problems.update(problem["kind"] for problem in result.row["problems"])
        codes = Counter(finding["code"] for finding in result.row["findings"])
        self.findings += codes
        self.models.update(codes.keys())
        self.severities |= {finding["severity"] for finding in result.row["findings"]}

    def exit_code(self, fail_on: Severity) -> int:
        """As that of a report."""
        return 2 if self.problems else int(any_at_least(self.severities, fail_on))
