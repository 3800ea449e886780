"""Commands of the tests, and what of their processes is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO


def convlint(
    folder: Path,
    *arguments: str,
    stdout: int | TextIO = subprocess.PIPE,
    stderr: int | TextIO = subprocess.PIPE,
    mark: str = "",
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, as a user starts it. ``mark`` is put into its environment."""
    return subprocess.run(
        [sys.executable, "-m", "convlint", *arguments],
        cwd=folder,
        env={**os.environ, "CONVLINT_TEST": mark},
        stdout=stdout,
        stderr=stderr,
        encoding="utf-8",
        check=False,
    )


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone(pid: int) -> bool:
    """Whether a process ends within two seconds: a killed one takes a moment."""
    until = time.monotonic() + 2.0
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not alive(pid)


def left(mark: str) -> list[int]:
    """The processes that have ``mark`` in their environment, after two seconds to end."""
    return [pid for pid in marked(mark) if not gone(pid)]


def marked(mark: str) -> list[int]:
    """The processes that have ``mark`` in their environment."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdecimal() and mark.encode() in Path(f"/proc/{name}/environ").read_bytes():
                found.append(int(name))
        except OSError:
            pass  # it has ended, or is another user's
    return found
