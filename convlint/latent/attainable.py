"""Arguments that settle a failing operation: a class that has such arguments may require them of its caller.

A class that failed for all arguments that were tried is broken only if none settle what failed first.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from convlint.latent.arguments import Arguments
from convlint.latent.following import Followed
from convlint.latent.numbers import mismatch
from convlint.latent.trials import ClassTrials
from convlint.static.domain.values import Value

_MOST_SLOTS = 16

Slot = tuple[str, int | None]
"""A parameter whose argument is a number, or an item of one that is a list."""


def settling(trials: ClassTrials, failed: Followed) -> Followed | None:
    """An execution in which the operation that failed works, or is not reached; None if no single number does that.

    Each number among the arguments is changed by itself. How far it must change follows from two executions, because
    widths are linear in the arguments.
    """
    for slot in list(_slots(failed.arguments))[:_MOST_SLOTS]:
        value = _number(failed.arguments, slot)
        other = trials.with_arguments(_with_number(failed.arguments, slot, 2 * value))
        if _settles(other, failed):
            return other
        for wanted in _solutions(failed, other, value):
            settled = trials.with_arguments(_with_number(failed.arguments, slot, wanted))
            if _settles(settled, failed):
                return settled
    return None


def _settles(other: Followed, failed: Followed) -> bool:
    """Return whether an operation that failed does not fail for other arguments, which the class does not refuse."""
    return other.outcome != "refused" and failed.operation not in other.failing


def _solutions(failed: Followed, other: Followed, value: int) -> Iterator[int]:
    """The values of an argument for which the two numbers that meet may be equal; for others they are known to differ.

    Where no numbers meet, in groups and reshapes, the other numbers of the call are tried.
    """
    before, after = mismatch(failed), mismatch(other)
    if before is None or after is None:
        yield from sorted({1} | {n for n in failed.arguments.values() if type(n) is int and n > 1} - {value})[:4]
    elif before != after:
        solved = value - Fraction(before * value, after - before)
        if solved.denominator == 1 and solved >= 1:
            yield int(solved)


def _slots(arguments: Arguments) -> Iterator[Slot]:
    for name, value in arguments.items():
        if type(value) is int and value > 0:
            yield name, None
        elif type(value) in (list, tuple):
            yield from ((name, index) for index, item in enumerate(value) if type(item) is int and item > 0)


def _number(arguments: Arguments, slot: Slot) -> int:
    name, index = slot
    number: int = arguments[name] if index is None else arguments[name][index]
    return number


def _with_number(arguments: Arguments, slot: Slot, number: int) -> Arguments:
    name, index = slot
    value: Value = number
    if index is not None:
        items = list(arguments[name])
        items[index] = number
        value = type(arguments[name])(items)
    return {**arguments, name: value}
