"""Memory and children of processes. Without /proc, as on macOS, they are unknown and count as none."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from convlint.ir import Problem

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SUBREAPER, _PARENT_DEATH = 36, 1  # of prctl(2)


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants (``PR_SET_CHILD_SUBREAPER``); Linux only."""
    _prctl(_SUBREAPER, 1)


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent exits; Linux only."""
    _prctl(_PARENT_DEATH, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def end_children(group: int | None = None, spared: Collection[int] = ()) -> None:
    """Kill the process group ``group``, then kill and reap the children of this process except ``spared``."""
    if group is not None:
        with suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    while children := [child for child in _children() if child not in spared]:
        for child in children:
            with suppress(OSError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


def flush() -> None:
    """Flush stdout and stderr, because ``os._exit`` does not."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a model may have closed or replaced it
            stream.flush()


def exit_status(pid: int) -> int | None:
    """The exit status of a child, None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return status if done else None


def _children() -> list[int]:
    here = os.getpid()
    if os.path.exists(f"/proc/{here}"):
        return _children_of(here)
    with suppress(ChildProcessError):  # without /proc: reap what has exited
        pid, _ = os.waitpid(-1, os.WNOHANG)
        return [pid] if pid else []
    return []


def _children_of(pid: int) -> list[int]:
    """The children of all threads of a process."""
    found: list[int] = []
    with suppress(OSError):  # it has exited
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found


def memory_below(pid: int, limit: int) -> int:
    """Bytes of a child and its descendants, adopted orphans included; shared memory is counted once.

    At most ``limit``, shared memory may be counted for each process: what a process has for itself takes the kernel
    milliseconds to count, and this is called all the time.
    """
    held, pending, below = resident_memory(pid), [os.getpid()], []
    while pending:
        children = _children_of(pending.pop())
        pending += children
        below += [child for child in children if child != pid]
    at_most = held + sum(map(resident_memory, below))
    if at_most <= limit:
        return at_most
    return held + sum(_bytes_in(f"/proc/{child}/smaps_rollup", "Private_Dirty:") or 0 for child in below)


def resident_memory(pid: int) -> int:
    """Resident memory of a process in bytes."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def available_memory() -> int:
    """Bytes of available memory; without /proc the total memory."""
    available = _bytes_in("/proc/meminfo", "MemAvailable:")
    return os.sysconf("SC_PHYS_PAGES") * _PAGE if available is None else available


def _bytes_in(path: str, key: str) -> int | None:
    """The number of bytes in a line of a file of /proc; None without the file or the line."""
    with suppress(OSError):  # the process has exited, or this is not Linux
        for line in Path(path).read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    return None


def exit_problem(status: int, subject: str) -> Problem:
    """The problem of a process that exited before it answered; ``subject`` begins the message."""
    if os.WIFSIGNALED(status):
        return Problem("crash", f"{subject} crashed the process with {signal_name(os.WTERMSIG(status))}")
    return Problem("exit", f"{subject} ended the process with exit code {os.waitstatus_to_exitcode(status)}")


def ending(code: int) -> str:
    """Describe an exit code, which is negative for a signal."""
    return f"killed by {signal_name(-code)}" if code < 0 else f"exit code {code}"


def signal_name(number: int) -> str:
    """The name of a signal; real-time signals only have numbers."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
