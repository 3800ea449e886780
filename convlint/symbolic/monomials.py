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
    return "*".join(f"{atom.key}^{power}" for atom, power in monomial)


def times(left: Powers[A], right: Powers[A]) -> Powers[A]:
    """The product of two monomials."""
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


# Functions that are known by name. Those of floats are evaluated inside one that rounds.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "int": int,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
    "gcd": math.gcd,
    "sqrt": math.sqrt,
    "log": math.log,
    "log2": math.log2,
}
