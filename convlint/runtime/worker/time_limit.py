"""A limit on the time that a piece of the user's code may take."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class TooLongError(BaseException):
    """Ends what takes too long; no ``except Exception`` of the user's holds it up."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Context that raises TooLongError where it lasts longer. For the main thread of a process."""

    def stop(*_: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
