"""Monomials, which are products of powers of atoms, and the functions that an atom may apply."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Protocol, TypeVar


class Keyed(Protocol):
    """An atom: equal keys mean equal atoms."""

    @property
    def key(self) -> str: ...


A = TypeVar("A", bound=Keyed)
Powers = tuple[tuple[A, int], ...]  # atoms with their powers, sorted by key; () is the constant's


def key_of(monomial: Powers[Keyed]) -> str:
    """The text by which monomials are sorted and compared."""
    return "*".join([f"{atom.key}^{power}" for atom, power in monomial])


def times(left: Powers[A], right: Powers[A]) -> Powers[A]:
    """The product of two monomials."""
    if not left or not right:
        return left or right
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: item[0].key))


def without(monomial: Powers[A], divisor: Powers[A]) -> Powers[A] | None:
    """The quotient of two monomials, None if it is not a monomial."""
    powers = dict(monomial)
    for atom, power in divisor:
        powers[atom] = powers.get(atom, 0) - power
    if any(power < 0 for power in powers.values()):
        return None
    return tuple((atom, power) for atom, power in powers.items() if power)


_PLAIN: tuple[Callable[..., Any], ...] = (
    *(min, max, int, round, math.floor, math.ceil, math.gcd, math.sqrt, math.log, math.log2),
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow),
)
# Functions that are known by name. Those of floats are evaluated inside one that rounds.
FUNCTIONS = {function.__name__: function for function in _PLAIN}
