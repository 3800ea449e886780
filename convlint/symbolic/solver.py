"""What can be proved of expressions, given equalities that are known to hold, and numbers that
refute it.

A proof is a proof; that none was found proves nothing, so ask for a ``counterexample`` before
accusing anybody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, product

from convlint.symbolic.expr import ZERO, Apply, Atom, Dim, Monomial, Symbol, applied, as_dim, symbol

Pair = tuple[Dim, Dim]
_MOST_FACTS = 200
_MOST_TRIED = 5_000


class Facts:
    """Equalities that hold (conditions that a path went through, demands of other
    layers), made usable.

    Each is solved for a symbol where that can be done and put into everything else; ``x % n == 0``
    puts ``n * (x // n)`` for ``x``. The others are used as they are, in linear combination.
    """

    def __init__(self, equalities: Iterable[Pair] = ()) -> None:
        self.equalities = tuple(
            dict.fromkeys(pair for pair in equalities if not (pair[0] - pair[1]).is_unknown)
        )[:_MOST_FACTS]
        self._solved: dict[Atom, Dim] = {}
        self.quotients: dict[Symbol, Dim] = {}  # symbols made here, and what each stands for
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
        """The expression with every solved symbol replaced."""
        return dim.substitute(self._solved) if self._solved else dim

    def _solve(self, fact: Dim) -> tuple[Symbol, Dim] | None:
        """A symbol and what it equals, from ``fact == 0``."""
        for monomial, factor in fact.terms or ():
            if len(monomial) != 1 or monomial[0][1] != 1 or abs(factor) != 1:
                continue
            atom = monomial[0][0]
            if not isinstance(atom, Symbol) or atom.opaque or atom in self.quotients:
                continue
            value = (_one(atom) - fact) if factor == 1 else (fact + _one(atom))
            if atom not in value.symbols():
                return atom, value
            divisor = _divisor(value, atom)
            if divisor is not None:
                quotient = Symbol(f"({atom.name} // {divisor})", atom.scope)
                self.quotients[quotient] = _one(atom) // divisor
                return atom, divisor * _one(quotient)
        return None

    def equal(self, left: Dim | int, right: Dim | int) -> bool:
        """Whether the two are proved equal."""
        goal = self.reduce(as_dim(left) - as_dim(right))
        if goal.terms is None:
            return False
        return not _reduced(dict(goal.terms), self._echelon)

    def divisible(self, dim: Dim | int, by: Dim | int) -> bool:
        """Whether ``dim`` is proved a multiple of ``by``."""
        return self.equal(as_dim(dim) % as_dim(by), ZERO) or self.equal(
            self.reduce(as_dim(dim)) % self.reduce(as_dim(by)), ZERO
        )

    def hold(self, values: Mapping[Symbol, int]) -> bool:
        """Whether all the equalities hold under a binding. Raises KeyError for a symbol without a
        value.
        """
        return all(
            left.evaluate(values) == right.evaluate(values) for left, right in self.equalities
        )

    def instances(
        self, about: Iterable[Dim], values: Mapping[Symbol, int]
    ) -> Iterator[dict[Symbol, int]]:
        """Bindings near ``values`` under which the equalities hold, with other values for what
        ``about`` depends on.

        One free symbol is changed, then two; those that the equalities tie to them follow. Every
        value that was positive stays so. ``values`` itself is not given.
        """
        reduced = [self.reduce(dim) for dim in about]
        free = sorted(
            {s for dim in reduced for s in dim.symbols() if not s.opaque},
            key=lambda s: (s.scope, s.name),
        )
        start = dict(values)
        for quotient, meaning in self.quotients.items():
            start[quotient] = meaning.evaluate(values)
        tried = 0
        for count in (1, 2):
            for chosen in combinations([s for s in free if s in start], count):
                for changed in product(*(_others(start[s]) for s in chosen)):
                    tried += 1
                    if tried > _MOST_TRIED:
                        return
                    found = self._completed(start | dict(zip(chosen, changed, strict=True)))
                    if found is not None and all(found[s] > 0 for s in values if values[s] > 0):
                        yield {s: found[s] for s in values}

    def _completed(self, values: dict[Symbol, int]) -> dict[Symbol, int] | None:
        """A binding with solved symbols computed from the free ones; None if an equality breaks."""
        try:
            solved = {
                s: v.evaluate(values) for s, v in self._solved.items() if isinstance(s, Symbol)
            }
            complete = values | solved
            return complete if self.hold(complete) else None
        except (KeyError, ValueError, ZeroDivisionError):
            return None


def provably_equal(left: Dim | int, right: Dim | int, assume: Iterable[Pair] = ()) -> bool:
    """Whether two expressions are proved equal, given equalities. Unknown equals nothing, itself
    included.
    """
    return Facts(assume).equal(left, right)


def provably_divisible(dim: Dim | int, by: Dim | int, assume: Iterable[Pair] = ()) -> bool:
    """Whether an expression is proved a multiple of another, given equalities."""
    return Facts(assume).divisible(dim, by)


def _one(atom: Symbol) -> Dim:
    return symbol(atom.name, atom.scope, atom.opaque)


def _divisor(value: Dim, atom: Symbol) -> Dim | None:
    """n where ``value`` is ``n * (atom // n)``."""
    for inner in value.atoms():
        if isinstance(inner, Apply) and inner.op == "//" and inner.args[0] == _one(atom):
            by = inner.args[1]
            if atom not in by.symbols() and by * applied("//", inner.args) == value:
                return by
    return None


Row = dict[Monomial, int]
"""An equation: the sum of its terms is 0, and so is every multiple of it."""


def _echelon(facts: list[Dim]) -> list[tuple[Monomial, Row]]:
    """Rows with a pivot each, from facts as linear equations over monomials."""
    rows: list[tuple[Monomial, Row]] = []
    for fact in facts:
        row = _reduced(dict(fact.terms or ()), rows)
        if row:
            rows.append((next(iter(row)), row))
    return rows


def _reduced(row: Row, rows: list[tuple[Monomial, Row]]) -> Row:
    """A row without the pivots of others, or a multiple of it: factors stay integers. Later rows
    may hold earlier pivots no more: one pass does.
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
    """Other numbers worth trying, multiples first: they respect what divides what."""
    return tuple(
        dict.fromkeys(n for n in (2 * value, 3 * value, value + 1, value // 2, value + 2) if n > 0)
    )
