"""Proofs about expressions from known equalities, and values that satisfy the equalities.

Not finding a proof does not refute a statement: rules also need values for which it is false (``Facts.instances``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, product

from convlint.symbolic.expr import ZERO, Apply, Atom, Dim, Monomial, Symbol, applied, as_dim, symbol

Pair = tuple[Dim, Dim]
_MAX_FACTS = 200
_LONGEST_NAME = 1_000  # of a quotient of quotients: each may have the one before it in it twice
_MAX_TRIED = 5_000


class Facts:
    """Equalities that hold: conditions on the path of an execution, requirements of layers.

    Each equality is solved for a symbol if possible, and the solution is substituted everywhere: ``x % n == 0``
    replaces ``x`` by ``n * (x // n)``. The others are used as linear equations.
    """

    def __init__(self, equalities: Iterable[Pair] = ()) -> None:
        self.equalities = tuple(dict.fromkeys(pair for pair in equalities if not (pair[0] - pair[1]).is_unknown))[
            :_MAX_FACTS
        ]
        self._solved: dict[Atom, Dim] = {}
        self.quotients: dict[Symbol, Dim] = {}  # new symbols, with the quotients that they replace
        self._left: list[Dim] = []
        pending = [left - right for left, right in self.equalities]
        while pending:
            fact = self.reduce(pending.pop(0))
            if fact.terms:
                fact = fact // math.gcd(*[factor for _, factor in fact.terms])
            solution = self._solve(fact)
            if solution is None:
                if fact.terms and fact.value is None:
                    self._left.append(fact)
                continue
            atom, value = solution
            self._solved = {a: v.substitute({atom: value}) for a, v in self._solved.items()}
            self._solved[atom] = value
            pending += self._left
            self._left.clear()
        self._echelon = _echelon(self._left)

    def reduce(self, dim: Dim) -> Dim:
        """Replace all solved symbols."""
        return dim.substitute(self._solved) if self._solved else dim

    def _solve(self, fact: Dim) -> tuple[Symbol, Dim] | None:
        """Solve ``fact == 0`` for a symbol. Returns the symbol and its expression."""
        for monomial, factor in fact.terms or ():
            if len(monomial) != 1 or monomial[0][1] != 1 or abs(factor) != 1:
                continue
            atom = monomial[0][0]
            if not isinstance(atom, Symbol) or atom.opaque or atom in self.quotients:
                continue
            value = (_as_dim(atom) - fact) if factor == 1 else (fact + _as_dim(atom))
            if atom not in value.symbols():
                return atom, value
            divisor = _divisor(value, atom)
            name = "" if divisor is None else f"({atom.name} // {divisor})"
            if divisor is not None and len(name) <= _LONGEST_NAME:
                quotient = Symbol(name, atom.scope)
                self.quotients[quotient] = _as_dim(atom) // divisor
                return atom, divisor * _as_dim(quotient)
        return None

    def equal(self, left: Dim | int, right: Dim | int) -> bool:
        """Check whether the expressions are proved equal."""
        goal = self.reduce(as_dim(left) - as_dim(right))
        if goal.terms is None:
            return False
        return not _reduced(dict(goal.terms), self._echelon)

    def divisible(self, dim: Dim | int, by: Dim | int) -> bool:
        """Check whether ``dim`` is proved to be a multiple of ``by``."""
        return self.equal(as_dim(dim) % as_dim(by), ZERO) or self.equal(
            self.reduce(as_dim(dim)) % self.reduce(as_dim(by)), ZERO
        )

    def hold(self, values: Mapping[Symbol, int]) -> bool:
        """Check whether the equalities hold for given values. Raises KeyError for a symbol without a value."""
        return all(left.evaluate(values) == right.evaluate(values) for left, right in self.equalities)

    def instances(self, about: Iterable[Dim], values: Mapping[Symbol, int]) -> Iterator[dict[Symbol, int]]:
        """Find values near ``values`` that satisfy the equalities and differ in symbols of ``about``.

        One free symbol changes, then two; solved symbols follow. Positive values stay positive. ``values`` itself is
        not among them.
        """
        reduced = [self.reduce(dim) for dim in about]
        free = sorted({s for dim in reduced for s in dim.symbols() if not s.opaque}, key=lambda s: (s.scope, s.name))
        start = dict(values)
        for quotient, meaning in self.quotients.items():
            start[quotient] = meaning.evaluate(start)  # which may be about another quotient
        tried = 0
        for count in (1, 2):
            for chosen in combinations([s for s in free if s in start], count):
                for changed in product(*(_others(start[s]) for s in chosen)):
                    tried += 1
                    if tried > _MAX_TRIED:
                        return
                    found = self._completed(start | dict(zip(chosen, changed, strict=True)))
                    if found is not None and all(found[s] > 0 for s in values if values[s] > 0):
                        yield {s: found[s] for s in values}

    def _completed(self, values: dict[Symbol, int]) -> dict[Symbol, int] | None:
        """Compute the solved symbols from the free ones; None if an equality does not hold then."""
        try:
            solved = {s: v.evaluate(values) for s, v in self._solved.items() if isinstance(s, Symbol)}
            complete = values | solved
            return complete if self.hold(complete) else None
        except (KeyError, ValueError, ZeroDivisionError):
            return None


def provably_equal(left: Dim | int, right: Dim | int, assume: Iterable[Pair] = ()) -> bool:
    """Check whether two expressions are proved equal, given equalities. ``UNKNOWN`` equals nothing, not even itself."""
    return Facts(assume).equal(left, right)


def provably_divisible(dim: Dim | int, by: Dim | int, assume: Iterable[Pair] = ()) -> bool:
    """Check whether an expression is proved to be a multiple of another, given equalities."""
    return Facts(assume).divisible(dim, by)


def _as_dim(atom: Symbol) -> Dim:
    return symbol(atom.name, atom.scope, atom.opaque)


def _divisor(value: Dim, atom: Symbol) -> Dim | None:
    """n where ``value`` is ``n * (atom // n)``."""
    for inner in value.atoms():
        if isinstance(inner, Apply) and inner.op == "//" and inner.args[0] == _as_dim(atom):
            by = inner.args[1]
            if atom not in by.symbols() and by * applied("//", inner.args) == value:
                return by
    return None


Row = dict[Monomial, int]  # an equation: the sum of its terms is 0


def _echelon(facts: list[Dim]) -> list[tuple[Monomial, Row]]:
    """Linear equations over monomials in echelon form, each with its pivot."""
    rows: list[tuple[Monomial, Row]] = []
    for fact in facts:
        row = _reduced(dict(fact.terms or ()), rows)
        if row:
            rows.append((next(iter(row)), row))
    return rows


def _reduced(row: Row, rows: list[tuple[Monomial, Row]]) -> Row:
    """Eliminate the pivots of ``rows`` from a row, up to an integer factor.

    One pass is enough because later rows do not contain earlier pivots.
    """
    for pivot, other in rows:
        factor = row.get(pivot)
        if factor:
            times = other[pivot]
            row = {m: times * row.get(m, 0) - factor * other.get(m, 0) for m in row | other}
            common = math.gcd(*row.values())
            row = {m: c // common for m, c in row.items() if c}
    return row


def _others(value: int) -> tuple[int, ...]:
    """Other values to try, multiples first because they keep divisibility."""
    return tuple(dict.fromkeys(n for n in (2 * value, 3 * value, value + 1, value // 2, value + 2) if n > 0))
