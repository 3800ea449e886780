"""The process in which user code runs: torch loaded once, one forked child for each job.

Jobs come as lines of JSON on stdin, each with its kind ("run", "prove" or "try"); answers go back as lines
of JSON on what was stdout; never pickle, for user code ran here. What a child prints goes to stderr.
The worker itself runs no user code and no operation of torch, so that a fork of it is whole; it
watches the child's time and memory, and kills all that the child leaves behind.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import re
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from convlint import wire
from convlint.model import Problem
from convlint.trace.client import KINDS, Answer, Asked

_TICK = 0.05  # seconds between two looks at the child's memory
_LAST_WORDS = 0.3  # seconds that a child which is out of time has to say which line it is in
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SUBREAPER, _PARENT_DEATH = 36, 1  # of prctl(2)


def main() -> NoReturn:
    """Run jobs until stdin ends."""
    jobs, answers = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    _prctl(_SUBREAPER, 1)
    os.environ["TORCHDYNAMO_DISABLE"] = "1"  # compiled parts run as the Python they were made from
    gc.disable()  # nothing that an import makes is garbage
    missing: Problem | None = None
    try:
        with warnings.catch_warnings():  # torch works without NumPy, and says so at every start
            warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
            from convlint.trace import session, versions, witness

            runs = {"run": session.run_job, "prove": witness.prove_job, "try": versions.try_job}
    except ImportError as error:
        missing = Problem("no-torch", _no_torch(error))
    gc.freeze()
    gc.enable()
    for line in _lines(jobs):
        kind, asked = json.loads(line)
        job = wire.decode(KINDS[kind], asked)
        if missing is not None:
            _write(answers, {"answer": wire.encode(Answer(None, (missing,)))})
        else:
            _Child(job, runs[kind], jobs, answers).run()
    os._exit(0)


def _no_torch(error: ImportError) -> str:
    if error.name == "torch":
        return "PyTorch is not installed for this Python: pip install 'convlint[torch]'"
    return f"PyTorch cannot be imported: {error}"


def _lines(pipe: int) -> Any:
    """Complete lines from a pipe, read without a buffer that would hide what waits in it."""
    pending = b""
    while read := os.read(pipe, 1 << 16):
        *lines, pending = (pending + read).split(b"\n")
        yield from lines


def _write(pipe: int, message: Any) -> None:
    _write_line(pipe, json.dumps(message).encode())


def _write_line(pipe: int, line: bytes) -> None:
    data = memoryview(line + b"\n")
    while data:
        data = data[os.write(pipe, data) :]


def _prctl(option: int, value: int) -> None:
    """prctl(2), which only Linux has."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


class _Child:
    """One job in a process of its own."""

    def __init__(self, job: Asked, run_job: Any, jobs: int, answers: int) -> None:
        self._job = job
        self._run_job = run_job
        self._jobs = jobs
        self._answers = answers
        self._limit = job.max_memory or int(0.8 * _available_memory())
        self._phase = "import"
        self._read, self._written = os.pipe()
        self._dump = tempfile.TemporaryFile()  # noqa: SIM115 - closed by run()

    # --- in the worker

    def run(self) -> None:
        """Fork, wait for the answer, pass it on, and leave nothing running."""
        pid = os.fork()
        if pid == 0:
            self._be_the_child()
        os.close(self._written)
        _write(self._answers, {"child": pid})
        try:
            answer = self._watch(pid)
        finally:
            _end(pid)
            os.close(self._read)
        if isinstance(answer, Problem):
            answer = json.dumps(
                {"answer": wire.encode(Answer(None, (self._placed(answer),)))}
            ).encode()
        _write_line(self._answers, answer)
        self._dump.close()

    def _watch(self, pid: int) -> bytes | Problem:
        """The child's last line, or what ended it before it wrote one."""
        until = time.monotonic() + self._job.timeout
        most = self._limit + _resident_memory(pid)  # torch itself does not count
        buffer = b""
        while True:
            ready, _, _ = select.select([self._read, self._jobs], [], [], _TICK)
            if self._jobs in ready:  # nobody waits for the answer any more
                _end(pid)
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
                        self._phase = json.loads(line)["phase"]
                    except (ValueError, TypeError, KeyError):
                        return Problem("worker", f"{self._during()} wrote into convlint's own pipe")
            elif (status := _exit_status(pid)) is not None:
                return self._ended(status)
            elif _held(pid) > most:
                return self._over_memory()
            if time.monotonic() > until:
                with suppress(OSError):
                    os.kill(pid, signal.SIGUSR1)  # makes faulthandler write the stack
                time.sleep(_LAST_WORDS)
                message = f"{self._during()} took more than {self._job.timeout:g} s; --timeout sets the limit"
                return Problem("timeout", message)

    def _ended(self, status: int) -> Problem:
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
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
        _prctl(_PARENT_DEATH, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for pipe in (self._jobs, self._answers, self._read):
            os.close(pipe)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.enable(self._dump)
        faulthandler.register(signal.SIGUSR1, self._dump)
        try:
            answer = self._run_job(self._job, lambda phase: self._say({"phase": phase}))
        except SystemExit as error:
            answer = Answer(
                None, (Problem("exit", f"the code of the model called sys.exit({error.code!r})"),)
            )
        except MemoryError:
            answer = Answer(None, (self._over_memory(),))
        except BaseException as error:
            text = f"convlint itself failed: {type(error).__name__}: {error}; please report this"
            answer = Answer(None, (Problem("internal", text, traceback=traceback.format_exc()),))
        for stream in (sys.stdout, sys.stderr):
            with suppress(
                Exception
            ):  # the user's code may have closed it, or put anything in its place
                stream.flush()
        self._say({"answer": wire.encode(answer)})
        os._exit(0)

    def _say(self, message: Any) -> None:
        _write(self._written, message)


_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_NOT_THE_USERS = ("<", sys.base_prefix, sys.prefix, str(Path(__file__).parent.parent))


def _end(pid: int) -> None:
    """Kill a child, its group and all that it left behind, and reap them."""
    with suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    while children := _children():
        for child in children:
            with suppress(OSError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


def _exit_status(pid: int) -> int | None:
    """How a process ended, None while it runs. A process that it left behind may hold the pipe open."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return status if done else None


def _children() -> list[int]:
    """Processes whose parent is this one: as their reaper, it inherits those that lost theirs."""
    here = os.getpid()
    if os.path.exists(f"/proc/{here}"):
        return _children_of(here)
    with suppress(ChildProcessError):  # this system does not tell: reap what can be had
        pid, _ = os.waitpid(-1, os.WNOHANG)
        return [pid] if pid else []
    return []


def _held(pid: int) -> int:
    """Bytes of memory that a process and its children hold; what they share counts once."""
    return _resident_memory(pid) + sum(map(_own_memory, _children_of(pid)))


def _children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _own_memory(pid: int) -> int:
    """Bytes that a process does not share with the one that it was forked from; 0 where the system does not tell."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # it has ended, or this is not Linux
    return 0


def _resident_memory(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _available_memory() -> int:
    """Bytes of memory that are free for use."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    return os.sysconf("SC_PHYS_PAGES") * _PAGE
