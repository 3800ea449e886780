"""The process that watches over one job: it forks the child in which user code runs, watches its time and memory,
and kills all that it leaves behind.

What a child prints goes to stderr.
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
from dataclasses import replace

# By themselves: a model may put anything in their place.
from json import dumps, loads
from os import write
from pathlib import Path
from typing import Any, NoReturn

import convlint
from convlint.ir import Problem, serialize
from convlint.runtime.worker import processes
from convlint.runtime.worker.client import AnyJob, JobResult
from convlint.settings.jobs import Job

_TICK = 0.05  # seconds between two looks at the child's memory
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in what getrusage(2) counts
_LAST_WORDS = 0.3  # seconds that a child which is out of time has to say which line it is in


def watch(job: AnyJob, run_job: Callable[..., JobResult], said: int) -> NoReturn:
    """Run a job in a child, write that and its answer to the pipe ``said``, leave nothing running, and end."""
    processes.end_with_parent()
    processes.adopt_orphans()
    os.setsid()  # a model that kills the group of its parent does no harm to others
    if isinstance(job, Job) and job.folder is not None:
        os.chdir(job.folder)
    _Child(job, run_job, said).run()
    os._exit(0)


def write_line(pipe: int, line: bytes) -> None:
    """Write a line, all of it."""
    data = memoryview(line + b"\n")
    while data:
        data = data[write(pipe, data) :]


class _Child:
    """One job in a process of its own."""

    def __init__(self, job: AnyJob, run_job: Callable[..., JobResult], said: int) -> None:
        self._job = job
        self._run_job = run_job
        self._said = said
        self._limit = job.max_memory or int(0.8 * processes.available_memory() / job.at_once)
        self._phase = "import"
        self._began = time.monotonic()
        self._most = 0  # bytes that the child was seen to hold
        self._read, self._written = os.pipe()
        self._dump = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process ends

    # --- in the watcher

    def run(self) -> None:
        """Fork, wait for the answer, pass it on, and leave nothing running."""
        above = os.getppid()
        pid = os.fork()
        if pid == 0:
            self._be_the_child()
        os.close(self._written)
        write_line(self._said, dumps({"child": pid}).encode())
        try:
            answer = self._watch(pid, above)
        finally:
            processes.end_children(pid)
        if isinstance(answer, Problem):
            seconds = time.monotonic() - self._began
            placed = JobResult(None, (self._placed(answer),), seconds=seconds, memory=self._most)
            answer = dumps({"answer": serialize.encode(placed)}).encode()
        write_line(self._said, answer)

    def _watch(self, pid: int, above: int) -> bytes | Problem:
        """The child's last line, or what ended it before it wrote one."""
        until = self._began + self._job.timeout
        most = self._limit + processes.resident_memory(pid)  # torch itself does not count
        buffer = b""
        while True:
            ready, _, _ = select.select([self._read], [], [], _TICK)
            if os.getppid() != above:  # the worker has ended: nobody waits for the answer
                processes.end_children(pid)
                os._exit(0)
            if ready:
                read = os.read(self._read, 1 << 20)
                if not read:
                    return self._ended(os.waitpid(pid, 0)[1])
                buffer += read
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    if line.startswith(b'{"answer"'):
                        return line
                    try:
                        self._phase = loads(line)["phase"]
                    except (ValueError, TypeError, KeyError):
                        return Problem("worker", f"{self._during()} wrote into convlint's own pipe")
            elif (status := processes.exit_status(pid)) is not None:
                return self._ended(status)  # a process that it left behind may hold the pipe open
            else:
                self._most = max(self._most, processes.memory_below(pid))
                if self._most > most:
                    return self._over_memory()
            if time.monotonic() > until:
                with suppress(OSError):
                    os.kill(pid, signal.SIGUSR1)  # makes faulthandler write the stack
                time.sleep(_LAST_WORDS)
                message = f"{self._during()} took more than {self._job.timeout:g} s; --timeout sets the limit"
                return Problem("timeout", message)

    def _ended(self, status: int) -> Problem:
        if os.WIFSIGNALED(status):
            name = processes.signal_name(os.WTERMSIG(status))
            return Problem("crash", f"{self._during()} crashed the process with {name}")
        code = os.waitstatus_to_exitcode(status)
        return Problem("exit", f"{self._during()} ended the process with exit code {code}")

    def _over_memory(self) -> Problem:
        limit = f"{self._limit / 2**20:,.0f} MiB"
        advice = "--max-memory sets the limit, --device meta runs without values"
        return Problem(
            "out-of-memory", f"{self._during()} took more than {limit} of memory; {advice}"
        )

    def _during(self) -> str:
        return f"the {self._phase} of {self._job.text}"

    def _placed(self, problem: Problem) -> Problem:
        """The problem with the user's line that the child was in, if it left word."""
        self._dump.seek(0)
        for path, line in _FRAME.findall(self._dump.read().decode(errors="replace")):
            if not path.startswith(_NOT_THE_USERS) and os.path.exists(path):
                below = os.path.join(os.getcwd(), "")
                return replace(problem, path=path.removeprefix(below), line=int(line))
        return problem

    # --- in the child

    def _be_the_child(self) -> NoReturn:
        os.setsid()
        processes.end_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for pipe in (self._said, self._read):
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
        self._say({"answer": serialize.encode(replace(answer, seconds=seconds, memory=memory))})
        os._exit(0)

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._say({"phase": phase})

    def _say(self, message: Any) -> None:
        write_line(self._written, dumps(message).encode())


_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_NOT_THE_USERS = ("<", sys.base_prefix, sys.prefix, str(Path(convlint.__file__).parent))
