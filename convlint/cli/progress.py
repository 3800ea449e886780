"""Show the progress of a command in the last line of a terminal once it takes longer than a second."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from convlint.outputs.parts.terminal import cut, one_line

AFTER = 1.0  # seconds without a line
_INTERVAL = 0.1  # seconds between two updates of the number of files


class Progress:
    """A line on standard error that shows running tasks and disappears when they end.

    Nothing is written unless standard error is a terminal. The first second counts from the creation of this object,
    so that later tasks of a long command are shown at once. A dumb terminal, which cannot erase a line, gets lines
    that stay.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._on = self._stream.isatty()
        self._due = time.monotonic() + AFTER
        self._is_dumb = os.environ.get("TERM", "") in ("", "dumb")
        self._is_visible = False
        self._lock = threading.Lock()
        self._tasks: list[str] = []
        self._timer: threading.Timer | None = None

    @contextmanager
    def during(self, task: str) -> Iterator[None]:
        """Show a task as long as the context lasts, together with the tasks of other threads."""
        if not self._on:
            yield
            return
        self._change(self._tasks.append, task)
        try:
            yield
        finally:
            self._change(self._tasks.remove, task)

    def _change(self, change: Callable[[str], None], task: str) -> None:
        with self._lock:
            change(task)
            if self._timer is not None:
                self._timer.cancel()
            self.clear()
            if self._tasks:
                self._timer = threading.Timer(max(0.0, self._due - time.monotonic()), self._show_tasks)
                self._timer.daemon = True
                self._timer.start()

    def _show_tasks(self) -> None:
        with self._lock:
            if self._tasks:
                self._show("; ".join(self._tasks))

    def step(self, done: int, total: int) -> None:
        """Show the number of files that are done; called before each file."""
        if self._on and not self._is_dumb and time.monotonic() >= self._due:
            self._due = time.monotonic() + _INTERVAL
            self._show(f"checking file {done + 1:,} of {total:,}")

    def clear(self) -> None:
        if self._is_visible:
            self._write("\r\x1b[K")
            self._is_visible = False

    def _show(self, message: str) -> None:
        text = f"convlint: {one_line(message)} ..."
        if self._is_dumb:
            self._write(f"{text}\n")
            return
        self._write(f"\r\x1b[K{cut(text, self._width() - 1)}")
        self._is_visible = True

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except OSError:
            return 80

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
