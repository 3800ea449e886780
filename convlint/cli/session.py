"""The worker of a command, what runs its models, and what is told while they run."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from convlint.cli.progress import Progress
from convlint.ir import Claim, Proof
from convlint.pipelines import executor as executing
from convlint.runtime.worker.client import Answer, Worker
from convlint.settings.jobs import Job, VersionsJob
from convlint.settings.targets import TargetPattern

started: list[Worker] = []
"""The worker that was started before the command line was read, if one was."""


class Telling:
    """Runs jobs, versions of them, and claims in a worker; says on a terminal which, of how many models, where a
    command takes more than a second.
    """

    def __init__(
        self,
        worker: Worker,
        root: str,
        max_memory: int | None = None,
        models: int = 1,
        executor: Executor | None = None,
        cluster: str | None = None,
    ) -> None:
        self._worker = worker
        self._root = root
        self._max_memory = max_memory
        self._models = models
        self._executor = executor
        self._cluster = cluster
        self._run = 0
        self._counting = threading.Lock()
        self._progress = Progress()

    def expect(self, models: int) -> None:
        """So many jobs will come."""
        self._models = models

    def run(self, job: Job) -> Answer:
        with self._counting:
            self._run += 1
            number = self._run
        with self._told(f"running {job.target.text}", number):
            return self._worker.run(job)

    def each(self, run: executing.Run, jobs: Iterable[Job]) -> Iterator[Answer]:
        """The answers to all jobs, in their order; as many run at once as the executor lets."""
        if self._executor is None:
            yield from map(run, jobs)
            return
        run, jobs = self._for_executor(run, jobs)
        with self._waiting():
            yield from executing.in_order(self._executor, run, jobs)

    def as_they_come(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Answer]]:
        """Jobs with their answers, the first to be there first."""
        if self._executor is None:
            yield from ((job, self.run(job)) for job in jobs)
            return
        run, jobs = self._for_executor(self.run, jobs)
        with self._waiting():
            yield from executing.as_they_come(self._executor, run, jobs)

    def _for_executor(
        self, run: executing.Run, jobs: Iterable[Job]
    ) -> tuple[executing.Run, Iterable[Job]]:
        if self._cluster is None:
            return run, jobs
        from convlint.pipelines import dask_cluster as cluster

        return cluster.run_there, map(cluster.absolute, jobs)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """What runs on a cluster is not told one by one."""
        if self._cluster is None:
            yield
            return
        with self._progress.during(f"running {self._models} models on {self._cluster}"):
            yield

    def list(self, glob: TargetPattern) -> Answer:
        with self._told(f"listing {glob.text}"):
            return self._worker.run(glob)

    def attempt(self, versions: VersionsJob) -> Answer:
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
    def _told(self, what: str, number: int = 0) -> Iterator[None]:
        which = f"model {number} of {self._models}: " if 0 < number <= self._models > 1 else ""
        with self._progress.during(which + what):
            yield


@contextmanager
def running(
    root: str,
    max_memory: int | None = None,
    models: int = 1,
    at_once: int = 1,
    cluster: str | None = None,
) -> Iterator[Telling]:
    """A worker for as long as the context lasts. Dotted modules are looked up in ``root`` first; ``models`` is the
    number of jobs that it will get, ``at_once`` how many of them run at the same time, and ``cluster`` where they do,
    if not here. Raises UsageError.
    """
    with ExitStack() as stack:
        executor: Executor | None = None
        if cluster is not None:
            from convlint.pipelines.dask_cluster import connected

            executor = stack.enter_context(connected(cluster))
        elif at_once > 1:
            executor = stack.enter_context(ThreadPoolExecutor(at_once))
        # The worker ends first: the threads that wait for it do so no longer.
        worker = stack.enter_context(started.pop() if started else Worker())
        yield Telling(worker, root, max_memory, models, executor, cluster)
