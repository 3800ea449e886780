"""Room for deep recursion.

Python keeps the frames of its calls in pieces of 16 KiB. A program that calls back and forth over
the edge of a piece has it mapped and unmapped each time: following syntax trees did that a hundred
thousand times in a few seconds, which took a seventh of them. A frame that does not fit gets a
larger piece, and what is called from it has the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def with_room(function: Callable[[], T]) -> T:
    """The result of ``function``, called where the frames of some thousand calls fit in one piece."""
    return function()


_SLOTS = 33_000  # of 8 bytes: 258 KiB, for which Python takes a piece of 512 KiB
with_room.__code__ = with_room.__code__.replace(co_stacksize=_SLOTS)
