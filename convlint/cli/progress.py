"""What a command is doing, in the last line of a terminal, once it takes longer than a second."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from convlint.outputs.parts.terminal import cut, one_line

AFTER = 1.0
"""Seconds in which nothing is said."""
_OFTEN = 0.1  # seconds between two changes of what is said of files


class Progress:
    """A line on standard error that says what is going on, and is gone when that has ended.

    Nothing is ever written where that is no terminal. The time counts from when this was made: what comes later in a
    command that takes long is told at once. A terminal that cannot take a line back gets lines that stay.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._on = self._stream.isatty()
        self._due = time.monotonic() + AFTER
        self._lasting = os.environ.get("TERM", "") in ("", "dumb")
        self._shown = False
        self._lock = threading.Lock()
        self._doing: list[str] = []
        self._timer: threading.Timer | None = None

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        """Say ``what`` as long as the context lasts, beside what other threads do."""
        if not self._on:
            yield
            return
        self._change(self._doing.append, what)
        try:
            yield
        finally:
            self._change(self._doing.remove, what)

    def _change(self, change: Callable[[str], None], what: str) -> None:
        with self._lock:
            change(what)
            if self._timer is not None:
                self._timer.cancel()
            self.clear()
            if self._doing:
                self._timer = threading.Timer(max(0.0, self._due - time.monotonic()), self._tell)
                self._timer.daemon = True
                self._timer.start()

    def _tell(self) -> None:
        with self._lock:
            if self._doing:
                self._show("; ".join(self._doing))

    def step(self, done: int, total: int) -> None:
        """Say how many of all files were read; called for each of them."""
        if self._on and not self._lasting and time.monotonic() >= self._due:
            self._due = time.monotonic() + _OFTEN
            self._show(f"reading file {done + 1:,} of {total:,}")

    def clear(self) -> None:
        """Take the line back."""
        if self._shown:
            self._write("\r\x1b[K")
            self._shown = False

    def _show(self, what: str) -> None:
        text = f"convlint: {one_line(what)} ..."
        if self._lasting:
            self._write(f"{text}\n")
            return
        self._write(f"\r\x1b[K{cut(text, self._width() - 1)}")
        self._shown = True

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except OSError:
            return 80

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
