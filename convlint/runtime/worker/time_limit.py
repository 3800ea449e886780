"""A time limit for user code."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class TooLongError(BaseException):
    """The time limit has passed. A BaseException, so that ``except Exception`` in user code does not catch it."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Context that raises TooLongError after some seconds. Only for the main thread, because it uses SIGALRM."""

    def stop(*_: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
