"""The worker of a command, and what is told while it runs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from convlint.model import Claim, Proof
from convlint.targets import Job, Try
from convlint.trace.client import Answer, Worker

started: list[Worker] = []
"""The worker that was started before the command line was read, if one was."""


class Telling:
    """Runs jobs, versions of them, and claims in a worker; says which on a terminal if it takes more than a second."""

    def __init__(self, worker: Worker, root: str, max_memory: int | None) -> None:
        self._worker = worker
        self._root = root
        self._max_memory = max_memory

    def run(self, job: Job) -> Answer:
        with _told(f"running {job.target.text}"):
            return self._worker.run(job)

    def attempt(self, versions: Try) -> Answer:
        count = len(versions.versions)
        what = (
            f"running {versions.text} in {count} versions"
            if count > 1
            else f"running {versions.text}"
        )
        with _told(what):
            return self._worker.run(versions)

    def prove(self, claim: Claim) -> Proof:
        with _told(f"building {claim.cls} with other numbers"):
            return self._worker.prove(claim, max_memory=self._max_memory, root=self._root)


@contextmanager
def running(root: str, max_memory: int | None = None) -> Iterator[Telling]:
    """A worker for as long as the context lasts. Dotted modules are looked up in ``root`` first."""
    with started.pop() if started else Worker() as worker:
        yield Telling(worker, root, max_memory)


@contextmanager
def _told(what: str) -> Iterator[None]:
    told = threading.Timer(1.0, _tell, [f"convlint: {what} ..."])
    told.daemon = True
    if sys.stderr.isatty():
        told.start()
    try:
        yield
    finally:
        told.cancel()


def _tell(text: str) -> None:
    print(text, file=sys.stderr)
