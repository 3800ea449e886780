"""Stack space for deep recursion.

CPython keeps the frames of Python calls in chunks of 16 KiB. Recursion that crosses the edge of a
chunk back and forth maps and unmaps memory each time, which took a seventh of the time of an
analysis. A frame that does not fit gets a larger chunk, and the calls below it use the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def with_room(function: Callable[[], T]) -> T:
    """Call ``function`` where the frames of some thousand calls fit into one chunk."""
    return function()


_SLOTS = 33_000  # of 8 bytes: 258 KiB, for which Python allocates a chunk of 512 KiB
with_room.__code__ = with_room.__code__.replace(co_stacksize=_SLOTS)
