"""Run many models, and append the result of each to a file as soon as it is available.

A line is the JSON report of one model without its layers, with its ``target`` and ``device``, the ``seconds`` and
bytes of ``memory`` of its process, and ``asked``, a digest of its job. An interrupted sweep resumes: a model that has
a line with the same digest is not run again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, BinaryIO, get_args

from convlint.findings.confirm import ProveClaim
from convlint.ir import SEVERITIES, Report, Severity, any_at_least, serialize
from convlint.ir.graph import Status
from convlint.outputs import json_
from convlint.pipelines import run_models
from convlint.pipelines.lint_files import Linter
from convlint.pipelines.model_repairs import RunVersions
from convlint.pipelines.requests import SWEEP_RESULTS
from convlint.runtime.worker.client import JobResult
from convlint.settings.config import Config
from convlint.settings.jobs import Job
from convlint.support import links
from convlint.support.dataclass import dataclass, field, replace
from convlint.support.errors import UsageError
from convlint.support.regular_file import MOST_BYTES

Row = dict[str, Any]
STATUSES = get_args(Status)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a model: its line in the file. ``known``: the line is from an earlier sweep."""

    row: Row
    known: bool = False

    @property
    def target(self) -> str:
        return str(self.row["target"])

    @property
    def status(self) -> str:
        """The status of the model, or ``unchecked`` if a problem prevented its run."""
        models = self.row["models"]
        return str(models[0]["status"]) if models else "unchecked"


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep with its configuration.

    ``prove_claim`` builds and runs the classes of latent findings, ``run_versions`` edited versions of a model that
    fails; ``linter`` checks the files of the models.
    """

    config: Config
    prove_claim: ProveClaim | None = None
    run_versions: RunVersions | None = None
    linter: Linter | None = None
    retry: bool = False  # run models again that could not be checked

    def run(
        self, path: str, jobs: Sequence[Job], answers: Callable[[Sequence[Job]], Iterator[tuple[Job, JobResult]]]
    ) -> Iterator[Result]:
        """Yield the results of all jobs: first those in the file at ``path``, then the others, which are appended.

        ``answers`` runs jobs and yields them with their results in any order. A model that exceeds the memory limit
        is run again on the meta device. Raises UsageError if the file is not that of a sweep, or another sweep is
        writing to it.
        """
        digests = {job.text: self._digest(job) for job in jobs}
        with _opened(path) as file:
            known = {
                row["target"]: row
                for row in _rows(file, path)
                if row["asked"] == digests.get(row["target"]) and not (self.retry and row["problems"])
            }
            yield from (Result(known[job.text], known=True) for job in jobs if job.text in known)
            too_large: list[Job] = []
            for job, answer in answers([job for job in jobs if job.text not in known]):
                if job.device != "meta" and any(p.kind == "out-of-memory" for p in answer.problems):
                    too_large.append(replace(job, device="meta"))
                    continue
                yield self._write(file, job, answer, digests[job.text])
            for job, answer in answers(too_large) if too_large else ():
                yield self._write(file, job, answer, digests[job.text])

    def _write(self, file: BinaryIO, job: Job, answer: JobResult, digest: str) -> Result:
        row = {
            "target": job.text,
            "asked": digest,
            "seconds": round(answer.seconds, 3),
            "memory": answer.memory,
            "device": job.device,
            **_report(self._checked(job, answer)),
        }
        line = memoryview(json.dumps(row).encode() + b"\n")
        try:
            while line:  # unbuffered: Python would write a buffer again when it closes the file
                line = line[os.write(file.fileno(), line) :]
        except OSError as error:
            raise UsageError(f"{file.name} cannot be written: {error.strerror or error}") from None
        return Result(row)

    def _checked(self, job: Job, answer: JobResult) -> Report:
        return run_models.check_models(
            [job], lambda _: answer, self.config, self.prove_claim, run_versions=self.run_versions, linter=self.linter
        )

    def _digest(self, job: Job) -> str:
        """The digest of everything that a line depends on: the version, the job and the selected rules."""
        how = serialize.encode(replace(job, timeout=0.0, max_memory=None, at_once=1, folder=None))
        rules = (self.config.select, self.config.ignore, self.config.extend_select)
        text = json.dumps([version("convlint"), how, serialize.encode(rules), self.prove_claim is not None])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _report(report: Report) -> Row:
    row = json_.document(report)
    for model in row["models"]:
        del model["layers"]
    return {name: row[name] for name in ("convlint", "findings", "models", "problems")}


# --- the file


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """Open and lock the file for appending. Raises UsageError."""
    if path == SWEEP_RESULTS and links.leads_out(path):
        raise UsageError(links.refusal(path))
    try:
        file = open(path, "a+b")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UsageError(f"{path} cannot be continued: it is a pipe or a device")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another sweep writes to {path}") from None
        except OSError as error:
            raise UsageError(f"{path} cannot be locked: {error.strerror or error}") from None
        yield file


def _rows(file: BinaryIO, path: str) -> Iterator[Row]:
    """The lines of a file. An incomplete last line, of a sweep that was killed, is removed."""
    file.seek(0)
    end = 0
    for number, line in enumerate(iter(lambda: file.readline(MOST_BYTES), b""), start=1):
        if not line.endswith(b"\n") and line[: len(_BEGINNING)] == _BEGINNING[: len(line)] and len(line) < MOST_BYTES:
            file.truncate(end)
            break
        end += len(line)
        try:
            row = json.loads(line)
            is_valid = line.endswith(b"\n") and _fits(row, _ROW)
        except (ValueError, RecursionError):
            is_valid = False
        if not is_valid:
            raise UsageError(f"{path}, line {number}: not the result of a model; pass another file")
        yield row
    file.seek(0, os.SEEK_END)


_BEGINNING = b'{"target": '
"""How a line begins, complete or not; no other file is cut."""
_ROW = {
    **dict.fromkeys(("target", "asked", "device"), str),
    "seconds": float | int,
    "findings": [{"code": str, "severity": SEVERITIES}],
    "models": [{"status": STATUSES, "totals": {"params": int, "macs": int}}],
    "problems": [{"kind": str, "message": str}],
}
"""The parts of a line that are read: their types, or the texts that they may have."""


def _fits(value: object, form: Any) -> bool:
    if isinstance(form, dict):
        return isinstance(value, dict) and all(
            name in value and _fits(value[name], part) for name, part in form.items()
        )
    if isinstance(form, list):
        return isinstance(value, list) and all(_fits(item, form[0]) for item in value)
    if isinstance(form, tuple):
        return value in form
    return isinstance(value, form)


# --- totals


@dataclass
class Tally:
    """The totals of a sweep; ``models`` counts the models with findings of a rule."""

    statuses: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    severities: set[Severity] = field(default_factory=set)

    def add(self, result: Result) -> None:
        self.statuses[result.status] += 1
        self.problems.update(problem["kind"] for problem in result.row["problems"])
        codes = Counter(finding["code"] for finding in result.row["findings"])
        self.findings += codes
        self.models.update(codes.keys())
        self.severities |= {finding["severity"] for finding in result.row["findings"]}

    def exit_code(self, fail_on: Severity) -> int:
        """The exit code, as of a report."""
        return 2 if self.problems else int(any_at_least(self.severities, fail_on))
