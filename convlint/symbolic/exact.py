"""Equalities that hold wherever divisions leave no remainder: ``(c // heads) * heads == c``."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import prod

from convlint.symbolic.expr import Apply, Atom, Dim, Symbol, as_dim

_PRIMES = (10007, 10009, 10037, 10039, 10061, 10067, 10069, 10079, 10091, 10093, 10099, 10103)


def equal_without_remainders(left: Dim | int, right: Dim | int) -> bool:
    """Return whether two numbers are equal for all values of their symbols for which their divisions are exact."""
    one, other = as_dim(left), as_dim(right)
    symbols = sorted({*one.symbols(), *other.symbols()}, key=lambda each: (each.scope, each.name))
    if one.is_unknown or other.is_unknown or len(symbols) > len(_PRIMES):
        return False
    values = dict(zip(symbols, _PRIMES, strict=False))
    try:
        return _value(one, values) == _value(other, values)
    except (ValueError, ZeroDivisionError):
        return False


def _value(number: Dim, values: Mapping[Symbol, int]) -> Fraction:
    parts = [
        prod([_atom(atom, values) ** power for atom, power in monomial], start=Fraction(factor))
        for monomial, factor in number.terms or ()
    ]
    return sum(parts, start=Fraction(0))


def _atom(atom: Atom, values: Mapping[Symbol, int]) -> Fraction:
    if isinstance(atom, Symbol):
        return Fraction(values[atom])
    if isinstance(atom, Apply) and atom.op == "//":
        return _value(atom.args[0], values) / _value(atom.args[1], values)
    raise ValueError(f"{atom.op} has no exact value")
