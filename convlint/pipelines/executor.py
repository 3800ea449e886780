"""Run several jobs at once with an executor as in ``concurrent.futures``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures import as_completed as completed

from convlint.ir import Problem
from convlint.runtime.worker.client import JobResult
from convlint.settings.jobs import Job

RunJob = Callable[[Job], JobResult]


def in_order(executor: Executor, run: RunJob, jobs: Iterable[Job]) -> Iterator[JobResult]:
    """Yield the results of jobs in the order of the jobs, each as soon as it and those before it are available."""
    submitted = [(executor.submit(run, job), job) for job in jobs]
    try:
        for future, job in submitted:
            yield _result(future, job)
    finally:
        _cancel(future for future, _ in submitted)


def as_completed(executor: Executor, run: RunJob, jobs: Iterable[Job]) -> Iterator[tuple[Job, JobResult]]:
    submitted = {executor.submit(run, job): job for job in jobs}
    waiting = dict(submitted)
    try:
        for future in completed(submitted):
            job = waiting.pop(future)
            yield job, _result(future, job)
            submitted.pop(future)  # frees the graph in the result
    finally:
        _cancel(submitted)


def _result(future: Future[JobResult], job: Job) -> JobResult:
    """The result of a job; a problem if the executor lost the job, as a cluster can."""
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other jobs continue
        text = f"the executor lost the job: {type(error).__name__}: {error}"
        return JobResult(None, (Problem("executor", text, target=job.text),))


def _cancel(futures: Iterable[Future[JobResult]]) -> None:
    for future in futures:
        future.cancel()
