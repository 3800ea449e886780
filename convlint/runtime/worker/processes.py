"""What the system tells of processes, and how to leave none behind. Where a system does not tell, nothing is there."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SUBREAPER, _PARENT_DEATH = 36, 1  # of prctl(2)


def adopt_orphans() -> None:
    """Become the parent of every process below this one that loses its own; Linux only."""
    _prctl(_SUBREAPER, 1)


def end_with_parent() -> None:
    """Be killed when the parent ends; Linux only."""
    _prctl(_PARENT_DEATH, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def end_children(group: int | None = None, spared: Collection[int] = ()) -> None:
    """Kill the children of this process and what they leave behind, and reap them; first the processes of ``group``.
    ``spared`` are children that go on.
    """
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
    """Let what was printed out of the buffers, which ``os._exit`` would lose."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a model may have closed it, or put anything in its place
            stream.flush()


def exit_status(pid: int) -> int | None:
    """How a child ended, None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return status if done else None


def _children() -> list[int]:
    here = os.getpid()
    if os.path.exists(f"/proc/{here}"):
        return _children_of(here)
    with suppress(ChildProcessError):  # this system does not tell: reap what can be had
        pid, _ = os.waitpid(-1, os.WNOHANG)
        return [pid] if pid else []
    return []


def _children_of(pid: int) -> list[int]:
    """Those of all threads of a process."""
    found: list[int] = []
    with suppress(OSError):  # it has ended
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found


def memory_below(pid: int) -> int:
    """Bytes of memory that a child of this process, and all that it started, hold; what they share counts once. What
    lost its parent is this process's own, see ``adopt_orphans``.
    """
    held, pending = resident_memory(pid), [os.getpid()]
    while pending:
        children = _children_of(pending.pop())
        pending += children
        held += sum(_own_memory(child) for child in children if child != pid)
    return held


def resident_memory(pid: int) -> int:
    """Bytes of memory that a process holds."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _own_memory(pid: int) -> int:
    """Bytes that a process does not share with the one that it was forked from."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # it has ended, or this is not Linux
    return 0


def available_memory() -> int:
    """Bytes of memory that are free for use; where the system does not tell, all that it has."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    return os.sysconf("SC_PHYS_PAGES") * _PAGE


def ending(code: int) -> str:
    """How a process ended, in words, from its exit code, which is negative for a signal."""
    return f"killed by {signal_name(-code)}" if code < 0 else f"exit code {code}"


def signal_name(number: int) -> str:
    """What a signal is called; those for real-time use have numbers only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
