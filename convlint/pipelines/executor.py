"""Several models at once: jobs for an executor of the standard library's kind, and their answers as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures import as_completed as completed

from convlint.ir import Problem
from convlint.runtime.worker.client import JobResult
from convlint.settings.jobs import Job

RunJob = Callable[[Job], JobResult]


def in_order(executor: Executor, run: RunJob, jobs: Iterable[Job]) -> Iterator[JobResult]:
    """The answers to jobs in the order of the jobs, each as soon as it and those before it are there."""
    asked = [(executor.submit(run, job), job) for job in jobs]
    try:
        for future, job in asked:
            yield _answer(future, job)
    finally:
        _cancel(future for future, _ in asked)


def as_completed(
    executor: Executor, run: RunJob, jobs: Iterable[Job]
) -> Iterator[tuple[Job, JobResult]]:
    """Jobs with their answers, the first to be there first."""
    asked = {executor.submit(run, job): job for job in jobs}
    waiting = dict(asked)
    try:
        for future in completed(asked):
            job = waiting.pop(future)
            yield job, _answer(future, job)
            asked.pop(future)  # an answer is a whole graph: it is not kept
    finally:
        _cancel(asked)


def _answer(future: Future[JobResult], job: Job) -> JobResult:
    """What came of a job. An executor that lost it, as a cluster can, is a problem of the answer."""
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other jobs go on
        text = f"the executor lost it: {type(error).__name__}: {error}"
        return JobResult(None, (Problem("executor", text, target=job.text),))


def _cancel(futures: Iterable[Future[JobResult]]) -> None:
    for future in futures:
        future.cancel()
