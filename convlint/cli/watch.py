"""Check again whenever a file changes.

The sizes and times of all files are polled. For a project this takes milliseconds, works on every file system, also
without change notifications, and needs no package.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence

from convlint.outputs.parts.terminal import number_of
from convlint.settings import discovery
from convlint.settings.config import Config

INTERVAL = 0.3
Snapshot = dict[str, tuple[int, int]]


def watch(check: Callable[[], int], paths: Sequence[str], config: Config) -> int:
    """Call ``check`` now and whenever a file in ``paths`` or the configuration changes; return 0 after Ctrl-C."""
    try:
        while True:
            before = snapshot(paths, config)
            if sys.stdout.isatty():
                sys.stdout.write("\x1b[2J\x1b[H")  # clear the screen
            check()
            sys.stdout.flush()
            _print_error(f"convlint: watching {number_of(len(before), 'file')}; Ctrl-C ends")
            wait(before, paths, config)
    except KeyboardInterrupt:
        _print_error("")
        return 0


def wait(before: Snapshot, paths: Sequence[str], config: Config) -> None:
    """Return when a file differs from ``before``. Polling takes at most a tenth of the time."""
    while True:
        started = time.monotonic()
        if snapshot(paths, config) != before:
            return
        time.sleep(max(INTERVAL, 9 * (time.monotonic() - started)))


def snapshot(paths: Sequence[str], config: Config) -> Snapshot:
    """The files to watch, with their sizes and times."""
    found = discovery.find(paths, exclude=config.exclude, root=config.root).files
    files = {}
    for path in (*found, *([config.path] if config.path else [])):
        try:
            status = os.stat(path)
        except OSError:
            continue  # deleted since it was found: the next snapshot differs
        files[path] = (status.st_size, status.st_mtime_ns)
    return files


def _print_error(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
