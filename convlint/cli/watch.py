"""Check again whenever a file changes.

The times of all files are looked at again and again. Over the files of a project this takes milliseconds, works on
every disk, also on those that tell nobody of changes, and needs no package.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence

from convlint.settings import discovery
from convlint.settings.config import Config

INTERVAL = 0.3
Seen = dict[str, tuple[int, int]]


def watch(once: Callable[[], int], paths: Sequence[str], config: Config) -> int:
    """Call ``once`` now, and each time after a file below ``paths`` or the settings changed. Ctrl-C ends it, with 0."""
    try:
        while True:
            seen = snapshot(paths, config)
            _clear()
            once()
            sys.stdout.flush()
            count = "1 file" if len(seen) == 1 else f"{len(seen):,} files"
            _tell(f"convlint: watching {count}; Ctrl-C ends")
            wait(seen, paths, config)
    except KeyboardInterrupt:
        _tell("")
        return 0


def wait(seen: Seen, paths: Sequence[str], config: Config) -> None:
    """Come back when something is not as it was ``seen``. A look takes at most a tenth of the time."""
    while True:
        started = time.monotonic()
        if snapshot(paths, config) != seen:
            return
        time.sleep(max(INTERVAL, 9 * (time.monotonic() - started)))


def snapshot(paths: Sequence[str], config: Config) -> Seen:
    """The files to watch, with their sizes and times."""
    found = discovery.find(paths, exclude=config.exclude, root=config.root).files
    seen = {}
    for path in (*found, *([config.path] if config.path else [])):
        try:
            status = os.stat(path)
        except OSError:
            continue  # gone since it was found: a change, when it is looked for next
        seen[path] = (status.st_size, status.st_mtime_ns)
    return seen


def _clear() -> None:
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[2J\x1b[H")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
