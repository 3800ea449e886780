"""Symbolic integers in normal form: a number of channels as an expression over constructor parameters.

A ``Dim`` is a polynomial with integer coefficients over atoms. An atom is a ``Symbol``, or an ``Apply`` of a function
that a polynomial cannot express: floor division, minimum, maximum, or a function that is known only by name. Equal
normal forms have equal values wherever Python can compute both: ``2 * (a + b)`` and ``2 * a + 2 * b`` are one ``Dim``,
``2 * (c // 2)`` and ``c`` are two. ``a % b`` is represented as ``a - b * (a // b)``. An expression larger than
``MAX_SIZE`` is ``UNKNOWN``, and so is everything computed from ``UNKNOWN``.

The file is longer than others because expressions, atoms and the normal form define each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any

from convlint.support.dataclass import dataclass, field
from convlint.symbolic.monomials import FUNCTIONS, Powers, key_of, times, without

MAX_SIZE = 160  # atoms, powers and terms in one expression; real models stay below 20
MAX_COEFFICIENT = 2**63


@dataclass(frozen=True, slots=True)
class Symbol:
    """A named integer of one scope. An ``opaque`` one has a fixed value, but unknown dependencies."""

    name: str
    scope: int = 0
    opaque: bool = False
    key: str = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False, default=1)

    def __post_init__(self) -> None:
        key = f"{self.name} {self.scope}{'!' if self.opaque else ''}"
        object.__setattr__(self, "key", key)

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of expressions: ``op`` is ``//``, ``min``, ``max`` or a name. Equal arguments give equal values."""

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
Monomial = Powers[Atom]


@dataclass(frozen=True, slots=True)
class Dim:
    """An integer expression in normal form, built with ``constant``, ``symbol``, arithmetic, ``minimum`` ...

    ``terms`` are sorted by key and have no coefficient 0; None is the unknown expression. ``==`` compares normal forms,
    so ``UNKNOWN == UNKNOWN``; ``provably_equal`` compares values.
    """

    terms: tuple[tuple[Monomial, int], ...] | None
    key: str = field(compare=False, repr=False, default="?")
    size: int = field(compare=False, repr=False, default=1)

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def is_unknown(self) -> bool:
        return self.terms is None

    @property
    def determined(self) -> bool:
        """Check whether the value depends on parameters alone: it is known and has no opaque symbols."""
        return self.terms is not None and not any(symbol.opaque for symbol in self.symbols())

    @property
    def value(self) -> int | None:
        """The integer of a constant, None for other expressions."""
        if self.terms == ():
            return 0
        if self.terms is not None and len(self.terms) == 1 and self.terms[0][0] == ():
            return self.terms[0][1]
        return None

    def coefficient(self, monomial: Monomial) -> int:
        return dict(self.terms or ()).get(monomial, 0)

    def atoms(self) -> Iterator[Atom]:
        """All atoms, those in arguments of other atoms included; with repetitions."""
        for monomial, _ in self.terms or ():
            for atom, _power in monomial:
                yield atom
                if isinstance(atom, Apply):
                    for arg in atom.args:
                        yield from arg.atoms()

    def symbols(self) -> frozenset[Symbol]:
        symbols = _symbols.get(self.key)
        if symbols is None:
            symbols = frozenset([atom for atom in self.atoms() if isinstance(atom, Symbol)])
            _remember(_symbols, self.key, symbols)
        return symbols

    def __add__(self, other: Dim | int) -> Dim:
        return _sum(self, as_dim(other))

    def __sub__(self, other: Dim | int) -> Dim:
        return _difference(self, as_dim(other))

    def __mul__(self, other: Dim | int) -> Dim:
        return _product(self, as_dim(other))

    def __floordiv__(self, other: Dim | int) -> Dim:
        return _floordiv(self, as_dim(other))

    def __mod__(self, other: Dim | int) -> Dim:
        divisor = as_dim(other)
        return self - divisor * _floordiv(self, divisor)

    __radd__ = __add__

    def __rsub__(self, other: int) -> Dim:
        return as_dim(other) - self

    __rmul__ = __mul__

    def __rfloordiv__(self, other: int) -> Dim:
        return as_dim(other) // self

    def __rmod__(self, other: int) -> Dim:
        return as_dim(other) % self

    def __neg__(self) -> Dim:
        return self * -1

    def __str__(self) -> str:
        from convlint.symbolic.format import text  # imports this module

        return text(self)

    def substitute(self, values: Mapping[Atom, Dim]) -> Dim:
        """Replace atoms, once: replacements are not searched again. Returns ``self`` if it contains none of them."""
        if self.terms is None:
            return UNKNOWN
        total: dict[Monomial, int] = {}
        is_same = True
        for monomial, coefficient in self.terms:
            kept: list[tuple[Atom, int]] = []
            term: Dim | None = None  # the product of what replaces atoms
            for atom, power in monomial:
                base = _replaced(atom, values)
                if base is None:
                    kept.append((atom, power))
                    continue
                for _ in range(power):
                    term = base if term is None else term * base
            if term is None:
                total[monomial] = total.get(monomial, 0) + coefficient
                continue
            is_same = False
            if term.terms is None:
                return UNKNOWN
            rest = tuple(kept)
            for part, factor in term.terms:
                product = times(part, rest)
                total[product] = total.get(product, 0) + factor * coefficient
        return self if is_same else _make(total)

    def evaluate(self, values: Mapping[Symbol, int]) -> int:
        """Compute the value for given values of the symbols.

        Raises KeyError for a symbol without a value, ZeroDivisionError, and ValueError for ``UNKNOWN`` and for
        functions that are known only by name.
        """
        if self.terms is None:
            raise ValueError("an unknown dimension has no value")
        total = 0
        for monomial, coefficient in self.terms:
            term = coefficient
            for atom, power in monomial:
                term *= _atom_value(atom, values) ** power
            total += term
        return total


def _atom_value(atom: Atom, values: Mapping[Symbol, int]) -> Any:
    """The value of an atom; raises as ``Dim.evaluate``. A constant float is an ``Apply`` of its text to nothing."""
    if isinstance(atom, Symbol):
        return values[atom]
    if not atom.args:
        return float(atom.op)
    args = [arg.evaluate(values) for arg in atom.args]
    if atom.op == "//":
        return args[0] // args[1]
    if atom.op not in FUNCTIONS:
        raise ValueError(f"{atom.op} is known only by name")
    return FUNCTIONS[atom.op](*args)


UNKNOWN = Dim(None)
ZERO = Dim((), key="", size=0)


def constant(value: int) -> Dim:
    """The expression of a plain integer."""
    return _constant(int(value))


@lru_cache(4096)
def _constant(value: int) -> Dim:
    return _make({(): value})


@lru_cache(4096)
def symbol(name: str, scope: int = 0, opaque: bool = False) -> Dim:
    """The expression of one named integer."""
    return _make({((Symbol(name, scope, opaque), 1),): 1})


def as_dim(value: Dim | int) -> Dim:
    """Convert a plain integer; a ``Dim`` is returned as it is."""
    return value if isinstance(value, Dim) else constant(value)


def minimum(*dims: Dim | int) -> Dim:
    """The minimum of expressions; those that differ by a constant are compared."""
    return _extreme("min", dims)


def maximum(*dims: Dim | int) -> Dim:
    """The maximum of expressions; those that differ by a constant are compared."""
    return _extreme("max", dims)


def apply(name: str, *args: Dim | int) -> Dim:
    """Apply a function that is known only by name: equal arguments give equal values."""
    dims = tuple(as_dim(arg) for arg in args)
    if any(dim.is_unknown for dim in dims):
        return UNKNOWN
    return _atom(Apply(name, dims))


# --- normal form ----------------------------------------------------------------------------------


def _make(terms: Mapping[Monomial, int]) -> Dim:
    kept = [(key_of(monomial), monomial, factor) for monomial, factor in terms.items() if factor]
    if len(kept) > 1:
        kept.sort(key=itemgetter(0))
    size = len(kept)
    for _, monomial, factor in kept:
        for atom, power in monomial:
            size += atom.size * power
        if abs(factor) > MAX_COEFFICIENT:
            return UNKNOWN
    if size > MAX_SIZE:
        return UNKNOWN
    key = "+".join([f"{factor}*{text}" for text, _, factor in kept])
    return Dim(tuple([(monomial, factor) for _, monomial, factor in kept]), key, size)


def _atom(atom: Atom) -> Dim:
    return _make({((atom, 1),): 1})


_MAX_REMEMBERED = 100_000
_symbols: dict[str, frozenset[Symbol]] = {}  # by key of an expression
_tables: list[dict[Any, Any]] = [_symbols]  # of results; each is cleared when it is full


def forget() -> None:
    """Free the results that are kept, for a process that will read other texts."""
    for table in _tables:
        table.clear()
    symbol.cache_clear()


def _remember(table: dict[Any, Any], key: Any, result: Any) -> None:
    if len(table) >= _MAX_REMEMBERED:
        table.clear()
    table[key] = result


def _remembered(compute: Callable[[Dim, Dim], Dim]) -> Callable[[Dim, Dim], Dim]:
    """Remember the results of a pure function, because the sizes of one block are often those of the next.

    lru_cache would compare whole expressions where their keys are enough.
    """
    results: dict[tuple[str, str], Dim] = {}
    _tables.append(results)

    def remembered(left: Dim, right: Dim) -> Dim:
        key = (left.key, right.key)
        result = results.get(key)
        if result is None:
            result = compute(left, right)
            _remember(results, key, result)
        return result

    return remembered


def _combined(left: Dim, right: Dim, sign: int) -> Dim:
    if left.terms is None or right.terms is None:
        return UNKNOWN
    total = dict(left.terms)
    for monomial, factor in right.terms:
        total[monomial] = total.get(monomial, 0) + sign * factor
    return _make(total)


_sum, _difference = (_remembered(partial(_combined, sign=sign)) for sign in (1, -1))


@_remembered
def _product(left: Dim, right: Dim) -> Dim:
    if left.terms is None or right.terms is None or len(left.terms) * len(right.terms) > MAX_SIZE:
        return UNKNOWN
    total: dict[Monomial, int] = {}
    for a, x in left.terms:
        for b, y in right.terms:
            monomial = times(a, b)
            total[monomial] = total.get(monomial, 0) + x * y
    return _make(total)


@_remembered
def _floordiv(left: Dim, right: Dim) -> Dim:
    """``left // right``: extract multiples of the divisor, cancel common factors, merge nested divisions."""
    if not left.terms or not right.terms:
        return ZERO if left.terms == () and right.terms else UNKNOWN
    lead, unit = right.terms[0]
    if unit < 0:
        return _floordiv(-left, -right)
    whole = ZERO
    for monomial, factor in left.terms:
        rest = without(monomial, lead)
        if rest is not None and (len(right.terms) == 1 or rest == ()):
            whole = whole + _make({rest: factor // unit})
    left = left - whole * right
    left, right = _cancelled(left, right)
    if left.is_unknown or not left.terms or right.value == 1:
        return whole + left
    divisor = right.value
    if divisor is not None:
        if left.value is not None:
            return whole + left.value // divisor
        merged = _merged(left, divisor)
        if merged is not None:
            return whole + merged
    return whole + _atom(Apply("//", (left, right)))


def _cancelled(left: Dim, right: Dim) -> tuple[Dim, Dim]:
    """Cancel the common factors of a division. With a constant divisor, a constant term may be cut:
    ``(2 * c + 1) // 4 == c // 2``.
    """
    if not left.terms or not right.terms:
        return left, right
    shared = dict(right.terms[0][0])
    for monomial, _ in (*left.terms, *right.terms):
        powers = dict(monomial)
        shared = {atom: min(n, powers[atom]) for atom, n in shared.items() if atom in powers}
    common = tuple(shared.items())
    scaled = [factor for monomial, factor in left.terms if monomial or right.value is None]
    divisor = math.gcd(*scaled, *[factor for _, factor in right.terms])
    sides = [
        _make({without(monomial, common) or (): factor // divisor for monomial, factor in side})
        for side in (left.terms, right.terms)
    ]
    return sides[0], sides[1]


def _merged(left: Dim, divisor: int) -> Dim | None:
    """``(x // m + n) // divisor`` as ``(x + m * n) // (m * divisor)`` with integers m > 0 and n,
    else None.
    """
    rest = left.coefficient(())
    atom = only_atom(left - rest)
    if not isinstance(atom, Apply) or atom.op != "//":
        return None
    inner, below = atom.args[0], atom.args[1].value
    return None if below is None else (inner + below * rest) // (below * divisor)


def _extreme(op: str, dims: tuple[Dim | int, ...]) -> Dim:
    if not dims:
        raise ValueError(f"{op} without arguments")
    pending = [as_dim(dim) for dim in dims]
    kept: list[Dim] = []
    while pending:
        dim = pending.pop()
        if dim.is_unknown:
            return UNKNOWN
        inner = only_atom(dim)
        if isinstance(inner, Apply) and inner.op == op:
            pending.extend(inner.args)
            continue
        for position, other in enumerate(kept):
            difference = (dim - other).value
            if difference is not None:
                if (difference > 0) == (op == "max"):
                    kept[position] = dim
                break
        else:
            kept.append(dim)
    if len(kept) == 1:
        return kept[0]
    return _atom(Apply(op, tuple(sorted(kept, key=lambda dim: dim.key))))


def only_atom(dim: Dim) -> Atom | None:
    """The atom of an expression that is a single atom, else None."""
    if dim.terms is not None and len(dim.terms) == 1 and dim.terms[0][1] == 1:
        monomial = dim.terms[0][0]
        if len(monomial) == 1 and monomial[0][1] == 1:
            return monomial[0][0]
    return None


def _replaced(atom: Atom, values: Mapping[Atom, Dim]) -> Dim | None:
    """Return what replaces an atom; None if nothing in it is replaced."""
    replaced = values.get(atom)
    if replaced is not None or isinstance(atom, Symbol):
        return replaced
    args = tuple([arg.substitute(values) for arg in atom.args])
    if all(new is old for new, old in zip(args, atom.args, strict=True)):
        return None
    return applied(atom.op, args)


def applied(op: str, args: tuple[Dim, ...]) -> Dim:
    """Apply ``op`` of an ``Apply`` to other arguments, in normal form."""
    if op == "//":
        return args[0] // args[1]
    return _extreme(op, args) if op in ("min", "max") else apply(op, *args)
