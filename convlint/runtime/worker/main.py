"""The process in which torch is loaded once, and of which every job gets a fork.

Jobs come as lines on stdin, each with its number, its kind ("run", "prove", "try" or "list") and what is asked as
JSON. Lines with the same number go back on what was stdout: the process of the job, and its answer; never pickle, for
user code ran there. The worker itself runs no user code and no operation of torch, so that a fork of it is whole. Each
job has a process that watches over it and one that runs it, see ``watcher.py``; any number of them run at the same
time. A watcher that is late itself, as a model may stop it, is killed with all that is below it.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from convlint.ir import Problem, serialize
from convlint.runtime.worker import processes
from convlint.runtime.worker.client import KINDS, JobResult
from convlint.runtime.worker.watcher import watch, write_line

RunJob = Callable[..., JobResult]

_LATE = 5.0  # seconds behind a job's limit after which its watcher is not waited for


def main() -> NoReturn:
    """Run jobs until stdin ends."""
    jobs, answers = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    processes.adopt_orphans()
    os.environ["TORCHDYNAMO_DISABLE"] = "1"  # compiled parts run as the Python they were made from
    gc.disable()  # nothing that an import makes is garbage
    missing: Problem | None = None
    runs: dict[str, RunJob] = {}
    try:
        with warnings.catch_warnings():  # torch works without NumPy, and says so at every start
            warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
            from convlint.runtime import model_run, versions
            from convlint.runtime.build import model_patterns
            from convlint.runtime.counterexample import prove

            runs = {
                "run": model_run.run_job,
                "prove": prove.prove_job,
                "try": versions.run_versions,
                "list": model_patterns.list_job,
            }
    except ImportError as error:
        missing = Problem("no-torch", _no_torch(error))
    gc.freeze()
    gc.enable()
    _Worker(jobs, answers, runs, missing).serve()


def _no_torch(error: ImportError) -> str:
    if error.name == "torch":
        return "PyTorch is not installed for this Python: pip install 'convlint[torch]'"
    return f"PyTorch cannot be imported: {error}"


@dataclass(slots=True)
class _Running:
    """A job that runs: its number, its watcher, and what that has said of a line that is not yet whole."""

    number: int
    watcher: int
    until: float
    late: bool = False
    said: bytes = b""
    answered: bool = False


def _unanswered(running: _Running, code: int) -> Problem:
    if running.late:
        text = "it stopped the process that watches over it, and was ended at its time limit"
        return Problem("timeout", text)
    text = f"the worker died before it answered ({processes.ending(code)})"
    return Problem("worker", text)


class _Worker:
    def __init__(
        self, jobs: int, answers: int, runs: dict[str, RunJob], missing: Problem | None
    ) -> None:
        self._jobs = jobs
        self._answers = answers
        self._runs = runs
        self._missing = missing
        self._asked = b""
        self._running: dict[int, _Running] = {}  # by the pipe on which its watcher speaks

    def serve(self) -> NoReturn:
        """Start jobs as they come, and pass on what their watchers say."""
        while True:
            ready, _, _ = select.select([self._jobs, *self._running], [], [], self._patience())
            if not ready:
                self._end_late()
            for pipe in ready:
                if pipe != self._jobs:
                    self._hear(pipe)
                    continue
                read = os.read(self._jobs, 1 << 16)
                if not read:  # nobody waits for an answer any more
                    processes.end_children()
                    os._exit(0)
                *lines, self._asked = (self._asked + read).split(b"\n")
                for line in lines:
                    self._start(line)

    def _patience(self) -> float | None:
        """Seconds until a watcher is late; None where there is none."""
        until = [running.until for running in self._running.values() if not running.late]
        return max(0.0, min(until) - time.monotonic()) if until else None

    def _end_late(self) -> None:
        """Kill the watchers that are late; their pipes end then."""
        now = time.monotonic()
        for running in self._running.values():
            if running.until <= now and not running.late:
                running.late = True
                os.kill(running.watcher, signal.SIGKILL)

    def _start(self, line: bytes) -> None:
        number, kind, asked = json.loads(line)
        if self._missing is not None:
            self._answer(number, self._missing)
            return
        job = serialize.decode(KINDS[kind], asked)
        read, written = os.pipe()
        pid = os.fork()
        if pid == 0:
            for pipe in (self._jobs, self._answers, read, *self._running):
                os.close(pipe)
            watch(job, self._runs[kind], written)
        os.close(written)
        self._running[read] = _Running(number, pid, time.monotonic() + job.timeout + _LATE)

    def _hear(self, pipe: int) -> None:
        running = self._running[pipe]
        read = os.read(pipe, 1 << 20)
        if not read:
            del self._running[pipe]
            os.close(pipe)
            _, status = os.waitpid(running.watcher, 0)
            if not running.answered:
                spared = [other.watcher for other in self._running.values()]
                processes.end_children(spared=spared)  # what was below it is left to this process
                self._answer(
                    running.number, _unanswered(running, os.waitstatus_to_exitcode(status))
                )
            return
        *lines, running.said = (running.said + read).split(b"\n")
        for line in lines:
            running.answered |= line.startswith(b'{"answer"')
            write_line(self._answers, b"%d %b" % (running.number, line))

    def _answer(self, number: int, problem: Problem) -> None:
        answer = json.dumps({"answer": serialize.encode(JobResult(None, (problem,)))})
        write_line(self._answers, f"{number} {answer}".encode())
