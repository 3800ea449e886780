"""Client of the worker process: starts it, sends jobs, and waits for their results. Does not import torch.

The worker has torch loaded and forks a child for each job; see ``main.py``.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent import futures
from contextlib import suppress
from pathlib import Path
from typing import Self

import convlint
from convlint.ir import Claim, Graph, Problem, Proof, VersionRun, serialize
from convlint.settings.jobs import ClaimJob, Job, VersionsJob
from convlint.settings.targets import TargetPattern
from convlint.support.dataclass import dataclass, replace

_START = "import sys; sys.path.append(sys.argv[1]); from convlint.runtime.worker.main import main; main()"
_START_SECONDS = 120.0  # seconds for loading torch, in addition to a job's time limit
_STOP_SECONDS = 5.0

AnyJob = Job | ClaimJob | VersionsJob | TargetPattern
KINDS = {"run": Job, "prove": ClaimJob, "try": VersionsJob, "list": TargetPattern}  # by the name in messages


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of a job: a graph, a proof, version runs or targets, depending on its kind, and problems.

    ``seconds`` and ``memory`` are the time and peak memory of its process; memory is in bytes and includes torch.
    """

    graph: Graph | None = None
    problems: tuple[Problem, ...] = ()
    proof: Proof | None = None
    tried: tuple[VersionRun, ...] = ()
    targets: tuple[str, ...] = ()
    seconds: float = 0.0
    memory: int = 0


class Worker:
    """A process that runs any number of jobs at the same time; thread-safe.

    It starts immediately and loads torch in the background. ``-P`` keeps the working directory off ``sys.path`` while
    torch loads, so that a user's file with the name of a standard module does no harm. It is a session of its own, so
    that Ctrl-C reaches only the caller, who stops it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._process = _Process()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prove(self, claim: Claim, *, timeout: float = 30.0, max_memory: int | None = None, root: str = ".") -> Proof:
        """Build and run the class of a claim; returns whether that proves it. Errors of the class do not raise."""
        answer = self.run(ClaimJob(claim, timeout, max_memory, root))
        return answer.proof or Proof("unknown", reason="; ".join(problem.message for problem in answer.problems))

    def run(self, job: AnyJob) -> JobResult:
        """Run a job. Its errors, and a worker process that dies or does not answer, become problems of the result."""
        with self._lock:
            if not self._closed and not self._process.running:
                self._process = _Process()
            process = self._process
        future = process.send(job)
        try:
            result = future.result(job.timeout + _START_SECONDS)
        except futures.TimeoutError:
            process.stop()
            result = _failed("the worker process does not answer")
        return replace(result, problems=tuple(replace(problem, target=job.text) for problem in result.problems))

    def close(self) -> None:
        """Stop the worker and all its processes. Waiting jobs get a problem as their result."""
        with self._lock:
            self._closed = True
        self._process.stop()


class _Process:
    """The process of a worker, and the jobs that wait for results."""

    def __init__(self) -> None:
        root = str(Path(convlint.__file__).parent.parent)
        self._process = subprocess.Popen(  # noqa: S603 - this Python and our own code
            [sys.executable, "-P", "-c", _START, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, futures.Future[JobResult]] = {}
        self._children: dict[int, int] = {}  # process groups of the jobs by job number
        self._reader: threading.Thread | None = None
        self.running = True

    def send(self, job: AnyJob) -> futures.Future[JobResult]:
        """Send a job; returns the future of its result."""
        future: futures.Future[JobResult] = futures.Future()
        kind = next(name for name, asked_for in KINDS.items() if type(job) is asked_for)
        with self._lock:
            if not self.running:
                future.set_result(_failed("the worker process was stopped before it answered"))
                return future
            if self._reader is None:  # start the thread with the first job
                self._reader = threading.Thread(target=self._read, daemon=True)
                self._reader.start()
            number = next(self._numbers)
            self._waiting[number] = future
        line = json.dumps([number, kind, serialize.encode(job)]).encode() + b"\n"
        assert self._process.stdin is not None
        with self._writing, suppress(OSError, ValueError):  # it has exited, which the reader notices
            self._process.stdin.write(line)
        return future

    def _read(self) -> None:
        """Read messages of the worker until it exits."""
        assert self._process.stdout is not None
        why = ""
        try:
            with io.BufferedReader(self._process.stdout) as lines:  # type: ignore[type-var]
                for line in lines:
                    self._take(line)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            why = f"invalid response: {error}"
        with self._lock:
            self.running = False
            waiting, self._waiting = self._waiting, {}
        self._kill()
        if not waiting:
            return
        from convlint.runtime.worker import processes  # only where something went wrong

        why = why or processes.ending(self._process.returncode)
        for future in waiting.values():
            future.set_result(_failed(f"the worker process died before it answered ({why})"))

    def _take(self, line: bytes) -> None:
        number, _, text = line.partition(b" ")
        message = json.loads(text)
        if "child" in message:
            self._children[int(number)] = message["child"]
            return
        answer = serialize.decode(JobResult, message["answer"])
        with self._lock:
            self._children.pop(int(number), None)
            future = self._waiting.pop(int(number))
        future.set_result(answer)

    def stop(self) -> None:
        """Stop the process and all its children."""
        with self._lock:
            self.running = False
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()  # makes it kill its children and exit
        if self._children:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        self._kill()
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(_STOP_SECONDS)
        elif self._reader is None and self._process.stdout is not None:
            self._process.stdout.close()

    def _kill(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        for child in list(self._children.values()):
            with suppress(OSError):
                os.killpg(child, signal.SIGKILL)
        self._children.clear()


def _failed(message: str) -> JobResult:
    return JobResult(None, (Problem("worker", message),))
