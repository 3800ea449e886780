"""Sizes that depend on the input and differ for all inputs but the smallest: ``H`` and ``(H + 1) // 2``."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose

from convlint.static.domain.values import Num
from convlint.symbolic import Dim, Symbol, as_dim

_LARGE = (1024, 1536)
_DRAWN = 12  # values of each symbol of two numbers of elements
_DIFFERENT = 1.05  # the ratio of two numbers from which rounding alone does not explain it


def differ_for_all_maps(left: Num, right: Num) -> bool:
    """Return whether two sizes that depend on one size of the input differ, and are not 1, whenever that is large.

    For example ``H`` and ``(H + 1) // 2``, which are equal for a single pixel alone. 512 sizes in a row have every
    remainder that the strides of a network leave.
    """
    if left == right:
        return False
    symbols = _symbols(left, right)
    if symbols is None or len(symbols) != 1 or not (type(left) is Dim and type(right) is Dim):
        return False
    (symbol,) = symbols
    pairs = ((left.evaluate({symbol: n}), right.evaluate({symbol: n})) for n in range(*_LARGE))
    return all(one != other and min(one, other) > 1 for one, other in pairs)


def differ_by_a_factor(left: Num, right: Num) -> bool:
    """Return whether one number of elements is a constant multiple of the other, apart from rounding.

    ``(H // 2) * (W // 2)`` holds a quarter of the elements of ``H * W``, of however large a map. Sizes are drawn
    independently, so a ratio that is the same for all of them does not depend on any.
    """
    symbols = _symbols(left, right)
    if not symbols:
        return False
    one, other = as_dim(left), as_dim(right)
    first: float | None = None
    for values in _draws(sorted(symbols, key=lambda symbol: symbol.name)):
        try:
            elements, wanted = one.evaluate(values), other.evaluate(values)
        except (ValueError, KeyError, ArithmeticError):  # known by name only, or no size: nothing is proved
            return False
        if elements <= 0 or wanted <= 0:
            return False
        ratio = elements / wanted
        first = first or ratio
        if not isclose(ratio, first, rel_tol=0.02) or max(ratio, 1 / ratio) < _DIFFERENT:
            return False
    return True


def _draws(symbols: list[Symbol]) -> Iterator[dict[Symbol, int]]:
    """Large sizes of several magnitudes in many combinations, the same in each run."""
    state = 12345
    for _ in range(_DRAWN):
        values = {}
        for symbol in symbols:
            state = (state * 1103515245 + 12345) % 2**31
            values[symbol] = 1024 + (state >> 8) % 100_000
        yield values


def _symbols(left: Num, right: Num) -> set[Symbol] | None:
    """The symbols of two numbers; None if one is not known by its symbols alone."""
    found: set[Symbol] = set()
    for number in (left, right):
        if type(number) is Dim:
            if number.is_unknown:
                return None
            found.update(number.symbols())
    return None if any(symbol.opaque for symbol in found) else found
