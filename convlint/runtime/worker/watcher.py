"""The watcher process of a job: it forks the child that runs user code, enforces its limits, and kills what it leaves.

The output of the child goes to stderr.
"""

from __future__ import annotations

import faulthandler
import os
import re
import resource
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress

# Imported by name, because a model may replace the module's attributes.
from json import dumps, loads
from os import write
from pathlib import Path
from typing import Any, NoReturn

import convlint
from convlint.ir import Problem, serialize
from convlint.runtime.worker import processes
from convlint.runtime.worker.client import AnyJob, JobResult
from convlint.support.dataclass import replace

_TICK = 0.05  # seconds between two measurements of the child's memory
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in the unit of ru_maxrss
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_NOT_USER_CODE = ("<", sys.base_prefix, sys.prefix, str(Path(convlint.__file__).parent))
_DUMP_SECONDS = 0.3  # seconds for a child at its time limit to dump its stack


def watch(job: AnyJob, run_job: Callable[..., JobResult], output: int) -> NoReturn:
    """Run a job in a child, write its process id and result to a pipe, kill what it leaves, and exit."""
    processes.end_with_parent()
    processes.adopt_orphans()
    os.setsid()  # a model that kills its parent's process group does not affect others
    if job.folder is not None:
        os.chdir(job.folder)
    _Child(job, run_job, output).run()
    os._exit(0)


def write_line(pipe: int, line: bytes) -> None:
    """Write a whole line to a pipe."""
    data = memoryview(line + b"\n")
    while data:
        data = data[write(pipe, data) :]


class _Child:
    """One job in a process of its own."""

    def __init__(self, job: AnyJob, run_job: Callable[..., JobResult], output: int) -> None:
        self._job = job
        self._run_job = run_job
        self._output = output
        self._limit = job.max_memory or int(0.8 * processes.available_memory() / job.at_once)
        self._phase = "import"
        self._began = time.monotonic()
        self._peak = 0  # peak bytes measured
        self._read, self._written = os.pipe()
        self._dump = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process ends

    def run(self) -> None:
        """Fork, forward the result, and kill what the child leaves."""
        above = os.getppid()
        pid = os.fork()
        if pid == 0:
            self._be_the_child()
        os.close(self._written)
        write_line(self._output, dumps({"child": pid}).encode())
        try:
            answer = self._watch(pid, above)
        finally:
            processes.end_children(pid)
        if isinstance(answer, Problem):
            seconds = time.monotonic() - self._began
            result = JobResult(None, (self._placed(answer),), seconds=seconds, memory=self._peak)
            answer = dumps({"answer": serialize.encode(result)}).encode()
        write_line(self._output, answer)

    def _watch(self, pid: int, above: int) -> bytes | Problem:
        """The result line of the child, or the problem that ended it before."""
        until = self._began + self._job.timeout
        most = self._limit + processes.resident_memory(pid)  # without torch itself
        buffer = b""
        while True:
            ready, _, _ = select.select([self._read], [], [], _TICK)
            if os.getppid() != above:  # the worker has exited
                processes.end_children(pid)
                os._exit(0)
            if ready:
                read = os.read(self._read, 1 << 20)
                if not read:
                    return processes.exit_problem(os.waitpid(pid, 0)[1], self._during())
                buffer += read
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    if line.startswith(b'{"answer"'):
                        return line
                    try:
                        self._phase = loads(line)["phase"]
                    except (ValueError, TypeError, KeyError):
                        return Problem("worker", f"{self._during()} wrote to convlint's internal pipe")
            elif (status := processes.exit_status(pid)) is not None:
                # A process that it has left may keep the pipe open.
                return processes.exit_problem(status, self._during())
            else:
                self._peak = max(self._peak, processes.memory_below(pid, most))
                if self._peak > most:
                    return self._over_memory()
            if time.monotonic() > until:
                with suppress(OSError):
                    os.kill(pid, signal.SIGUSR1)  # makes faulthandler dump the stack
                time.sleep(_DUMP_SECONDS)
                limit = f"{self._job.timeout:g} s; --timeout sets the limit"
                return Problem("timeout", f"{self._during()} took more than {limit}")

    def _over_memory(self) -> Problem:
        limit = f"{self._limit / 2**20:,.0f} MiB"
        advice = "--max-memory sets the limit, --device meta runs without values"
        return Problem("out-of-memory", f"{self._during()} used more than {limit} of memory; {advice}")

    def _during(self) -> str:
        return f"the {self._phase} of {self._job.text}"

    def _placed(self, problem: Problem) -> Problem:
        """Add the user's line in the stack that the child has dumped, if any."""
        self._dump.seek(0)
        for path, line in _FRAME.findall(self._dump.read().decode(errors="replace")):
            if not path.startswith(_NOT_USER_CODE) and os.path.exists(path):
                below = os.path.join(os.getcwd(), "")
                return replace(problem, path=path.removeprefix(below), line=int(line))
        return problem

    def _be_the_child(self) -> NoReturn:
        """In the child: run the job, send its result, and exit."""
        os.setsid()
        processes.end_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for pipe in (self._output, self._read):
            os.close(pipe)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.enable(self._dump)
        faulthandler.register(signal.SIGUSR1, self._dump)
        # Now, because a model may make these imports fail.
        from convlint.runtime.code_sites import sites_of_run
        from convlint.runtime.worker import failure_origin

        with sites_of_run(os.getcwd()):
            try:
                answer = self._run_job(self._job, self._enter)
            except MemoryError:
                answer = JobResult(None, (self._over_memory(),))
            except BaseException as error:
                answer = JobResult(None, (failure_origin.problem(error, self._during()),))
        processes.flush()
        seconds = time.monotonic() - self._began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
        self._send({"answer": serialize.encode(replace(answer, seconds=seconds, memory=memory))})
        os._exit(0)

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._send({"phase": phase})

    def _send(self, message: Any) -> None:
        write_line(self._written, dumps(message).encode())
