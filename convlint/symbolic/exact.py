"""Equalities that hold wherever divisions leave no remainder: ``(c // heads) * heads == c``."""

from __future__ import annotations

from collections.abc import Mapping

from convlint.symbolic.expr import Apply, Atom, Dim, Symbol, as_dim

_PRIME = 2**61 - 1  # numbers are computed modulo this one, where each has an inverse
_VALUES = (10007, 10009, 10037, 10039, 10061, 10067, 10069, 10079, 10091, 10093, 10099, 10103)


def equal_without_remainders(left: Dim | int, right: Dim | int) -> bool:
    """Return whether two numbers are equal for all values of their symbols for which their divisions are exact."""
    one, other = as_dim(left), as_dim(right)
    symbols = sorted({*one.symbols(), *other.symbols()}, key=lambda each: (each.scope, each.name))
    if one.is_unknown or other.is_unknown or len(symbols) > len(_VALUES):
        return False
    values = dict(zip(symbols, _VALUES, strict=False))
    try:
        return _value(one, values) == _value(other, values)
    except ValueError:  # a function without an exact value, or a division by 0
        return False


def _value(number: Dim, values: Mapping[Symbol, int]) -> int:
    total = 0
    for monomial, factor in number.terms or ():
        term = factor
        for atom, power in monomial:
            term = term * pow(_atom(atom, values), power, _PRIME) % _PRIME
        total += term
    return total % _PRIME


def _atom(atom: Atom, values: Mapping[Symbol, int]) -> int:
    """The value of an atom; raises ValueError for a function other than a division, and for a division by 0."""
    if isinstance(atom, Symbol):
        return values[atom]
    if isinstance(atom, Apply) and atom.op == "//":
        return _value(atom.args[0], values) * pow(_value(atom.args[1], values), -1, _PRIME)
    raise ValueError(f"{atom.op} has no exact value")
