"""What polynomials over integers are made of: atoms, and their products.

An atom is a ``Symbol``, or an ``Apply`` of a function that polynomials cannot express: a floor
division, a minimum, a maximum, or a function known by name only.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convlint.symbolic.expr import Dim


@dataclass(frozen=True, slots=True)
class Symbol:
    """A named integer of one scope. ``opaque``: its value is fixed, but what it depends on was
    lost.
    """

    name: str
    scope: int = 0
    opaque: bool = False
    key: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        key = f"{self.name} {self.scope}{'!' if self.opaque else ''}"
        object.__setattr__(self, "key", key)

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def size(self) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class Apply:
    """``op`` is ``//``, ``min``, ``max`` or a name: equal arguments give equal values."""

    op: str
    args: tuple[Dim, ...]
    key: str = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.op}({','.join([arg.key for arg in self.args])})")
        object.__setattr__(self, "size", 1 + sum([arg.size for arg in self.args]))

    def __hash__(self) -> int:
        return hash(self.key)


Atom = Symbol | Apply
# Atoms with their powers, sorted by key; () is the constant's.
Monomial = tuple[tuple[Atom, int], ...]


def key_of(monomial: Monomial) -> str:
    """The text by which products are sorted and known."""
    return "*".join(f"{atom.key}^{power}" for atom, power in monomial)


def times(left: Monomial, right: Monomial) -> Monomial:
    """The product of two products."""
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: item[0].key))


def without(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    """The quotient of two products of atoms, None if the divisor does not go in."""
    powers = dict(monomial)
    for atom, power in divisor:
        powers[atom] = powers.get(atom, 0) - power
    if any(power < 0 for power in powers.values()):
        return None
    return tuple((atom, power) for atom, power in powers.items() if power)


def atom_value(atom: Atom, values: Mapping[Symbol, int]) -> Any:
    """The value of an atom under a binding, as ``Dim.evaluate`` has it."""
    if isinstance(atom, Symbol):
        return values[atom]
    if not atom.args:
        return float(atom.op)
    args = [arg.evaluate(values) for arg in atom.args]
    if atom.op == "//":
        return args[0] // args[1]
    if atom.op not in _FUNCTIONS:
        raise ValueError(f"{atom.op} is known by name only")
    return _FUNCTIONS[atom.op](*args)


# What functions that are known by name give; those of floats stand within a rounding one.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
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
