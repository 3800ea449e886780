"""The worker process: it loads torch once and forks for every job.

Protocol: stdin carries one job a line, ``[number, kind, job]`` as JSON, where ``kind`` is a key of ``client.KINDS``.
The original stdout carries lines that begin with the number of the job: first the id of its process, then its result.
The format is JSON and not pickle, because user code produces it. The worker itself runs no user code and no torch
operators, so that forks of it are intact.

Each job has a process that runs it and a watcher process (see ``watcher.py``). Any number of jobs run at the same time.
A watcher that misses its own deadline, because a model has stopped it, is killed with all its children.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from convlint.ir import Problem, serialize
from convlint.runtime.worker import processes
from convlint.runtime.worker.client import KINDS, JobResult
from convlint.runtime.worker.watcher import watch, write_line
from convlint.settings.jobs import VersionsJob
from convlint.support.dataclass import dataclass

RunJob = Callable[..., JobResult]

_LATE = 5.0  # seconds after a job's time limit until its watcher is killed


def main() -> NoReturn:
    """Run jobs until stdin ends."""
    jobs, results = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    processes.adopt_orphans()
    os.environ["TORCHDYNAMO_DISABLE"] = "1"  # run compiled submodules eagerly
    gc.disable()  # imports create no garbage
    missing: Problem | None = None
    runs: dict[str, RunJob] = {}
    try:
        with warnings.catch_warnings():  # torch warns at every start if there is no NumPy
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
        text = f"PyTorch cannot be imported: {error}"
        if error.name == "torch":
            text = "PyTorch is not installed for this Python: pip install torch"
        missing = Problem("no-torch", text)
    gc.freeze()
    gc.enable()
    _Worker(jobs, results, runs, missing).serve()


@dataclass(slots=True)
class _Running:
    """A job in progress: its number, its watcher, and the incomplete last line of the watcher's output."""

    number: int
    watcher: int
    until: float
    late: bool = False
    partial_line: bytes = b""
    answered: bool = False


def _import(name: str) -> None:
    """Import a module of torch for later jobs, which fork from this process."""
    gc.disable()  # imports create no garbage, and looking for it takes a quarter of their time
    with suppress(Exception), warnings.catch_warnings():  # the job that needs it reports the error
        warnings.simplefilter("ignore")
        importlib.import_module(name)
    gc.freeze()
    gc.enable()


def _unanswered(running: _Running, code: int) -> Problem:
    if running.late:
        return Problem("timeout", "it stopped its watcher process and was killed at its time limit")
    return Problem("worker", f"the worker process died before it answered ({processes.ending(code)})")


class _Worker:
    def __init__(self, jobs: int, results: int, runs: dict[str, RunJob], missing: Problem | None) -> None:
        self._jobs = jobs
        self._results = results
        self._runs = runs
        self._missing = missing
        self._partial_job = b""
        self._running: dict[int, _Running] = {}  # by the output pipe of the watcher
        self._soon: list[str] = []  # modules to import while there is nothing to forward

    def serve(self) -> NoReturn:
        """Start jobs from stdin and forward the output of their watchers."""
        while True:
            wait = 0.0 if self._soon else self._seconds_to_deadline()
            ready, _, _ = select.select([self._jobs, *self._running], [], [], wait)
            if not ready:
                self._kill_late()
                if self._soon:
                    _import(self._soon.pop(0))
            for pipe in ready:
                if pipe != self._jobs:
                    self._forward(pipe)
                    continue
                read = os.read(self._jobs, 1 << 16)
                if not read:  # the client has exited
                    processes.end_children()
                    os._exit(0)
                *lines, self._partial_job = (self._partial_job + read).split(b"\n")
                for line in lines:
                    self._start(line)

    def _seconds_to_deadline(self) -> float | None:
        """Seconds until the first watcher is late; None if none is running."""
        until = [running.until for running in self._running.values() if not running.late]
        return max(0.0, min(until) - time.monotonic()) if until else None

    def _kill_late(self) -> None:
        """Kill late watchers, which closes their pipes."""
        now = time.monotonic()
        for running in self._running.values():
            if running.until <= now and not running.late:
                running.late = True
                os.kill(running.watcher, signal.SIGKILL)

    def _start(self, line: bytes) -> None:
        number, kind, data = json.loads(line)
        if self._missing is not None:
            self._send_problem(number, self._missing)
            return
        job = serialize.decode(KINDS[kind], data)
        if isinstance(job, VersionsJob) and any(version.probes for version in job.versions):
            from convlint.runtime import consequences  # it needs torch

            consequences.load_libraries()
        read, written = os.pipe()
        pid = os.fork()
        if pid == 0:
            for pipe in (self._jobs, self._results, read, *self._running):
                os.close(pipe)
            watch(job, self._runs[kind], written)
        os.close(written)
        self._running[read] = _Running(number, pid, time.monotonic() + job.timeout + _LATE)
        self._soon += getattr(job, "soon", ())

    def _forward(self, pipe: int) -> None:
        running = self._running[pipe]
        read = os.read(pipe, 1 << 20)
        if not read:
            del self._running[pipe]
            os.close(pipe)
            _, status = os.waitpid(running.watcher, 0)
            if not running.answered:
                # This process has adopted the children of the watcher.
                processes.end_children(spared=[other.watcher for other in self._running.values()])
                self._send_problem(running.number, _unanswered(running, os.waitstatus_to_exitcode(status)))
            return
        *lines, running.partial_line = (running.partial_line + read).split(b"\n")
        for line in lines:
            running.answered |= line.startswith(b'{"answer"')
            write_line(self._results, b"%d %b" % (running.number, line))

    def _send_problem(self, number: int, problem: Problem) -> None:
        answer = json.dumps({"answer": serialize.encode(JobResult(None, (problem,)))})
        write_line(self._results, f"{number} {answer}".encode())
