"""The worker of a command, and what is told while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from convlint.cli.progress import Progress
from convlint.model import Claim, Proof
from convlint.targets import Job, Try
from convlint.trace.client import Answer, Worker

started: list[Worker] = []
"""The worker that was started before the command line was read, if one was."""


class Telling:
    """Runs jobs, versions of them, and claims in a worker; says on a terminal which, of how many models, where a
    command takes more than a second.
    """

    def __init__(self, worker: Worker, root: str, max_memory: int | None, models: int) -> None:
        self._worker = worker
        self._root = root
        self._max_memory = max_memory
        self._models = models
        self._run = 0
        self._progress = Progress()

    def run(self, job: Job) -> Answer:
        self._run += 1
        with self._told(f"running {job.target.text}"):
            return self._worker.run(job)

    def attempt(self, versions: Try) -> Answer:
        count = len(versions.versions)
        what = (
            f"running {versions.text} in {count} versions"
            if count > 1
            else f"running {versions.text}"
        )
        with self._told(what):
            return self._worker.run(versions)

    def prove(self, claim: Claim) -> Proof:
        with self._told(f"building {claim.cls} with other numbers"):
            return self._worker.prove(claim, max_memory=self._max_memory, root=self._root)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        which = (
            f"model {self._run} of {self._models}: " if 0 < self._run <= self._models > 1 else ""
        )
        with self._progress.during(which + what):
            yield


@contextmanager
def running(root: str, max_memory: int | None = None, models: int = 1) -> Iterator[Telling]:
    """A worker for as long as the context lasts. Dotted modules are looked up in ``root`` first; ``models`` is the
    number of jobs that it will get.
    """
    with started.pop() if started else Worker() as worker:
        yield Telling(worker, root, max_memory, models)
