"""Run jobs on a Dask cluster: ``--executor dask://host:port``.

The machines of the cluster need convlint, torch, and the project under the same path. Each process of the cluster
starts one worker process for its first job, which ends with it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from convlint.runtime.worker.client import JobResult, Worker
from convlint.settings.jobs import Job
from convlint.support.dataclass import replace
from convlint.support.errors import UsageError

SCHEME = "dask://"
_CONNECTING = 5.0  # seconds to reach the scheduler


@contextmanager
def connected(address: str) -> Iterator[Executor]:
    """The executor of the cluster at ``dask://host:port``. Raises UsageError if it cannot be reached."""
    if not address.startswith(SCHEME):
        raise UsageError(f"--executor {address}: write the scheduler as in {SCHEME}localhost:8786")
    try:
        from distributed import Client  # an extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("distributed", "dask"):
            raise
        raise UsageError("a cluster needs Dask: pip install distributed") from None
    where = f"tcp://{address.removeprefix(SCHEME)}"
    try:
        client = Client(where, timeout=_CONNECTING)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:  # TimeoutError is an OSError
        raise UsageError(f"--executor {address}: {str(error).rstrip('.')}") from None
    with client:
        # Not pure: the model of a target may change between calls.
        yield client.get_executor(pure=False)  # type: ignore[no-untyped-call]


def run_there(job: Job) -> JobResult:
    """Run a job in this process of the cluster."""
    from distributed import get_worker  # an extra

    return _worker().run(replace(job, at_once=max(job.at_once, get_worker().state.nthreads)))


@functools.cache
def _worker() -> Worker:
    """The worker of this process; it ends when its stdin is closed, with the process."""
    return Worker()


def absolute(job: Job) -> Job:
    """A copy of a job that does not depend on the working directory."""
    return replace(job, folder=os.getcwd())
