"""Run the models of a command in a worker process or on a cluster, with progress on a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from convlint.cli.progress import Progress
from convlint.ir import Claim, Proof
from convlint.pipelines import executor as executors
from convlint.pipelines.executor import RunJob
from convlint.runtime.worker.client import JobResult, Worker
from convlint.settings.jobs import Job, VersionsJob
from convlint.settings.targets import TargetPattern


class ModelRunner:
    """Runs jobs, versions of models and claims in a worker.

    Shows on a terminal what is running once a command takes longer than a second. ``models`` is the number of jobs
    to come, ``max_memory`` the limit for claims in bytes, ``cluster`` the address of the cluster that ``executor``
    stands for, if it does.
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
        self.models = models
        self._worker = worker
        self._root = root
        self._max_memory = max_memory
        self._executor = executor
        self._cluster = cluster
        self._started = 0
        self._counting = threading.Lock()
        self._progress = Progress()

    def run(self, job: Job) -> JobResult:
        with self._counting:
            self._started += 1
            number = self._started
        which = f"model {number} of {self.models}: " if number <= self.models > 1 else ""
        with self._progress.during(f"{which}running {job.target.text}"):
            return self._worker.run(job)

    def run_in_order(self, run: RunJob, jobs: Iterable[Job]) -> Iterator[JobResult]:
        """The answers to all jobs, in their order; the executor decides how many run at the same time."""
        if self._executor is None:
            yield from map(run, jobs)
            return
        run, jobs = self._for_executor(run, jobs)
        with self._waiting():
            yield from executors.in_order(self._executor, run, jobs)

    def run_unordered(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, JobResult]]:
        """Jobs with their answers, in the order in which they end."""
        if self._executor is None:
            yield from ((job, self.run(job)) for job in jobs)
            return
        run, jobs = self._for_executor(self.run, jobs)
        with self._waiting():
            yield from executors.as_completed(self._executor, run, jobs)

    def _for_executor(self, run: RunJob, jobs: Iterable[Job]) -> tuple[RunJob, Iterable[Job]]:
        if self._cluster is None:
            return run, jobs
        from convlint.pipelines import dask_cluster

        return dask_cluster.run_there, map(dask_cluster.absolute, jobs)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Show that a cluster runs models; which of them is not known here."""
        if self._cluster is None:
            yield
            return
        with self._progress.during(f"running {self.models} models on {self._cluster}"):
            yield

    def list_models(self, pattern: TargetPattern) -> JobResult:
        with self._progress.during(f"listing {pattern.text}"):
            return self._worker.run(pattern)

    def run_versions(self, versions: VersionsJob) -> JobResult:
        count = len(versions.versions)
        of_versions = f" in {count} versions" if count > 1 else ""
        with self._progress.during(versions.purpose or f"running {versions.text}{of_versions}"):
            return self._worker.run(versions)

    @property
    def run_trials(self) -> Callable[[VersionsJob], JobResult] | None:
        """Runs edited versions of a model that fails; None where a cluster runs the models."""
        return self._run_trials if self._cluster is None else None

    def _run_trials(self, versions: VersionsJob) -> JobResult:
        with self._progress.during(f"trying repairs of {versions.text}"):
            return self._worker.run(versions)

    def prove(self, claim: Claim) -> Proof:
        with self._progress.during(f"building {claim.cls} with other arguments"):
            return self._worker.prove(claim, max_memory=self._max_memory, root=self._root)


@contextmanager
def start_runner(
    root: str,
    worker: Worker | None = None,
    max_memory: int | None = None,
    models: int = 1,
    at_once: int = 1,
    cluster: str | None = None,
) -> Iterator[ModelRunner]:
    """A runner whose worker ends with the context. Raises UsageError if the cluster cannot be reached.

    ``worker`` is one that has been started already. Dotted modules are looked up in ``root`` first. ``models`` is the
    number of jobs to come, ``at_once`` how many of them run at the same time.
    """
    with ExitStack() as stack:
        executor: Executor | None = None
        if cluster is not None:
            from convlint.pipelines.dask_cluster import connected

            executor = stack.enter_context(connected(cluster))
        elif at_once > 1:
            executor = stack.enter_context(ThreadPoolExecutor(at_once))
        # The worker ends before the executor, whose threads may be waiting for it.
        yield ModelRunner(stack.enter_context(worker or Worker()), root, max_memory, models, executor, cluster)
