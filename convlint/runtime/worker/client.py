"""The command line's end of the worker: starts it, sends jobs, and waits for answers.

Nothing here imports torch. The worker is a process that has torch loaded and forks a child for each
job; see ``worker.py`` for what a child may and may not do.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import convlint
from convlint.ir import Claim, Graph, Problem, Proof, VersionRun, serialize
from convlint.settings.jobs import ClaimJob, Job, VersionsJob
from convlint.settings.targets import TargetPattern

_START = "import sys; sys.path.append(sys.argv[1]); from convlint.runtime.worker.main import main; main()"
_STARTING = 120.0  # seconds that loading torch may take, on top of a job's own time
_ENDING = 5.0


AnyJob = Job | ClaimJob | VersionsJob | TargetPattern
KINDS = {"run": Job, "prove": ClaimJob, "try": VersionsJob, "list": TargetPattern}
"""What a worker does, by the name that travels with it."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job gave: a graph, or the proof, the trials or the targets that were asked for, and what could not be
    checked. ``seconds`` and ``memory``, in bytes and with torch itself, are what its process took.
    """

    graph: Graph | None = None
    problems: tuple[Problem, ...] = ()
    proof: Proof | None = None
    tried: tuple[VersionRun, ...] = ()
    targets: tuple[str, ...] = ()
    seconds: float = 0.0
    memory: int = 0


class Worker:
    """A process that runs jobs, any number of them at the same time; safe to use from several threads.

    It starts at once, and loads torch while the caller goes on. ``-P`` keeps the working directory off its path until
    torch is loaded: a file of the user's that is called like a module of the standard library does no harm. It is a
    session of its own, so that Ctrl-C reaches the caller alone, and the caller ends it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._process = _Process()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prove(
        self,
        claim: Claim,
        *,
        timeout: float = 30.0,
        max_memory: int | None = None,
        root: str = ".",
    ) -> Proof:
        """What came of building and running the class of a claim. Never raises for what it does."""
        answer = self.run(ClaimJob(claim, timeout, max_memory, root))
        if answer.proof is not None:
            return answer.proof
        reasons = [problem.message for problem in answer.problems]
        return Proof("unknown", reason="; ".join(reasons))

    def run(self, job: AnyJob) -> JobResult:
        """The answer to one job. Never raises for what the job does; a worker that dies, or does
        not answer in time, is a problem of the answer, and the next job gets a new one.
        """
        with self._lock:
            if not self._closed and not self._process.running:
                self._process = _Process()
            process = self._process
        answer = process.ask(job)
        try:
            found = answer.result(job.timeout + _STARTING)
        except futures.TimeoutError:
            process.end()
            found = _lost("the worker does not answer")
        return _on_behalf(found, job)

    def close(self) -> None:
        """End the worker and whatever it runs. Nothing of it is left when this returns; jobs that wait get no
        other worker.
        """
        with self._lock:
            self._closed = True
        self._process.end()


class _Process:
    """The process of a worker, and the jobs that wait for its answers."""

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
        self._children: dict[int, int] = {}  # the process groups that jobs run in, by their numbers
        self._reader: threading.Thread | None = None
        self.running = True

    def ask(self, job: AnyJob) -> futures.Future[JobResult]:
        """What will be the answer to a job."""
        asked: futures.Future[JobResult] = futures.Future()
        kind = next(name for name, asked_for in KINDS.items() if type(job) is asked_for)
        with self._lock:
            if not self.running:
                asked.set_result(_lost("the worker was ended before it answered"))
                return asked
            if self._reader is None:  # a thread only where something runs
                self._reader = threading.Thread(target=self._read, daemon=True)
                self._reader.start()
            number = next(self._numbers)
            self._waiting[number] = asked
        line = json.dumps([number, kind, serialize.encode(job)]).encode() + b"\n"
        assert self._process.stdin is not None
        with self._writing, suppress(OSError, ValueError):  # it has ended: the reader finds out
            self._process.stdin.write(line)
        return asked

    def _read(self) -> None:
        """Take what the worker says until it ends."""
        assert self._process.stdout is not None
        why = ""
        try:
            with io.BufferedReader(self._process.stdout) as lines:  # type: ignore[type-var]
                for line in lines:
                    self._take(line)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            why = f"it said what is no answer: {error}"
        with self._lock:
            self.running = False
            waiting, self._waiting = self._waiting, {}
        self._kill()
        if not waiting:
            return
        from convlint.runtime.worker import processes  # only where something went wrong

        why = why or processes.ending(self._process.returncode)
        for asked in waiting.values():
            asked.set_result(_lost(f"the worker died before it answered ({why})"))

    def _take(self, line: bytes) -> None:
        number, _, said = line.partition(b" ")
        message = json.loads(said)
        if "child" in message:
            self._children[int(number)] = message["child"]
            return
        answer = serialize.decode(JobResult, message["answer"])
        with self._lock:
            self._children.pop(int(number), None)
            asked = self._waiting.pop(int(number))
        asked.set_result(answer)

    def end(self) -> None:
        """End the process and whatever it runs."""
        with self._lock:
            self.running = False
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()  # it kills its children and exits
        if self._children:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ENDING)
        self._kill()
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(_ENDING)
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


def _lost(message: str) -> JobResult:
    return JobResult(None, (Problem("worker", message),))


def _on_behalf(answer: JobResult, job: AnyJob) -> JobResult:
    """The answer with the job's target in its problems."""
    from dataclasses import replace

    problems = tuple(replace(problem, target=job.text) for problem in answer.problems)
    return replace(answer, problems=problems)
