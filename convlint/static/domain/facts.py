"""What is known of the numbers of an execution: which are equal, which must be, and between which limits they lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from convlint import symbolic
from convlint.static.domain.values import Condition, Num
from convlint.symbolic import Atom, Dim, Symbol

FRESH = -2  # the scope of symbols that stand for numbers of which nothing is known


@dataclass
class Knowledge:
    """``demands`` are equalities that had to be taken for granted."""

    demands: list[tuple[Num, Num]] = field(default_factory=list)
    hints: dict[Symbol, int] = field(default_factory=dict)  # defaults of the parameters
    facts: list[tuple[Num, Num]] = field(default_factory=list)  # what conditions found equal
    widths: set[Symbol] = field(default_factory=set)  # parameters that are numbers of channels
    limits: dict[Symbol, tuple[float, float]] = field(default_factory=dict)  # as conditions said
    _bound: dict[Symbol, Num] = field(default_factory=dict)
    _reduced: dict[Dim, Num] = field(default_factory=dict)  # what was asked since the last binding
    _fresh: int = 0
    _pending: list[tuple[Num, Num]] = field(default_factory=list)

    def fresh(self, what: str) -> Dim:
        """A number of which nothing is known; ``what`` names it for a reader (``height``)."""
        self._fresh += 1
        return symbolic.symbol(f"{what} {self._fresh}", FRESH)

    def reduced(self, number: Num) -> Num:
        """A number with all that is known of its symbols; a plain int where that decides it."""
        if type(number) is not Dim:
            return number
        found = self._reduced.get(number)
        if found is None:
            found = self._reduced[number] = self._substituted(number)
        return found

    def _substituted(self, number: Dim) -> Num:
        while self._bound:
            known: dict[Atom, Dim] = {
                s: symbolic.as_dim(self._bound[s]) for s in number.symbols() if s in self._bound
            }
            if not known:
                break
            number = number.substitute(known)
        return number if number.value is None else number.value

    def equal(self, left: Num, right: Num) -> bool | None:
        """Whether two numbers are proved equal (True), proved different whatever the symbols are
        worth (False), or neither (None).
        """
        if type(left) is int and type(right) is int:
            return left == right
        difference = self.reduced(symbolic.as_dim(left) - symbolic.as_dim(right))
        if not isinstance(difference, Dim):
            return difference == 0
        low, high = self.bounds(difference)
        if low > 0 or high < 0:
            return False
        return False if self._never_zero(difference) else None

    def note_widths(self, numbers: Iterable[Any]) -> None:
        """State that layers are built with so many channels: where it is a parameter, or a multiple, that is not 0."""
        for number in numbers:
            if type(number) is Dim and len(number.terms or ()) == 1:
                ((monomial, _),) = number.terms or ()
                self.widths.update([atom for atom, _ in monomial if isinstance(atom, Symbol)])

    def limit(self, number: Num, highest: int) -> None:
        """State that a number is not more: a condition of the program said so."""
        found = _one_symbol(self.reduced(number))
        if found is not None:
            symbol, factor, rest = found
            low, high = self.limits.get(symbol, (-inf, inf))
            if factor > 0:
                high = min(high, highest - rest)
            else:
                low = max(low, rest - highest)
            self.limits[symbol] = (low, high)

    def bounds(self, number: Num) -> tuple[float, float]:
        """The least and the most that a number can be, as far as conditions tell."""
        number = self.reduced(number)
        if type(number) is int:
            return number, number
        found = _one_symbol(number) if self.limits else None
        if found is None:
            return -inf, inf
        symbol, factor, rest = found
        ends = [factor * end + rest for end in self.limits.get(symbol, (-inf, inf))]
        return min(ends), max(ends)

    def demand(self, left: Num, right: Num) -> bool:
        """Whether two numbers that must be equal can be. What is not decided is taken for granted:
        a number that nothing else is known of gets the value, and other demands are kept.
        """
        known = self.equal(left, right)
        if known is None:
            self._assume(left, right)
        return known is not False

    def _assume(self, left: Num, right: Num) -> None:
        difference = self.reduced(symbolic.as_dim(left) - symbolic.as_dim(right))
        if type(difference) is not Dim or difference.is_unknown:
            return
        for monomial, factor in difference.terms or ():
            if len(monomial) == 1 and monomial[0][1] == 1 and abs(factor) == 1:
                atom = monomial[0][0]
                if isinstance(atom, Symbol) and atom.scope == FRESH:
                    one = symbolic.symbol(atom.name, FRESH)
                    value = one - difference if factor == 1 else one + difference
                    if atom not in value.symbols():
                        self.bind(atom, value)
                        return
        pair = (self.reduced(left), self.reduced(right))
        self.demands.append(pair)
        self._pending.append(pair)

    def bind(self, symbol: Symbol, value: Num) -> None:
        """State what a symbol is worth."""
        self._reduced.clear()
        self._bound[symbol] = value if type(value) is int else self.reduced(value)

    def state(self, left: Num, right: Num) -> None:
        """State that two numbers are equal: a condition of the program said so."""
        self.facts.append((left, right))
        difference = self.reduced(symbolic.as_dim(left) - symbolic.as_dim(right))
        if type(difference) is not Dim:
            return
        for monomial, factor in reversed(difference.terms or ()):
            if len(monomial) == 1 and monomial[0][1] == 1 and abs(factor) == 1:
                atom = monomial[0][0]
                if isinstance(atom, Symbol) and not atom.opaque:
                    one = symbolic.symbol(atom.name, atom.scope)
                    value = one - difference if factor == 1 else one + difference
                    if atom not in value.symbols():
                        self.bind(atom, value)
                        return

    def settled(self, number: Dim) -> int | None:
        """The plain integer that a number has at the defaults of its parameters, which are taken
        for their values from here on; None if a parameter has no default.
        """
        reduced = self.reduced(number)
        if not isinstance(reduced, Dim):
            return reduced
        symbols = reduced.symbols()
        if not all(symbol in self.hints for symbol in symbols):
            return None
        for symbol in symbols:
            self.bind(symbol, self.hints[symbol])
        reduced = self.reduced(number)
        return reduced if type(reduced) is int else None

    def hinted(self, condition: Condition) -> bool:
        """Whether a condition holds at the defaults of its parameters. Where one has no default,
        a flag is taken to be set, and two numbers to differ.
        """
        try:
            left = symbolic.as_dim(condition.left).evaluate(self.hints)
            right = symbolic.as_dim(condition.right or 0).evaluate(self.hints)
        except (KeyError, ValueError, ZeroDivisionError):
            return condition.op == "truth"
        match condition.op:
            case "truth":
                return bool(left)
            case "==":
                return left == right
            case "<":
                return left < right
            case _:
                return left <= right

    def taken(self) -> tuple[tuple[Num, Num], ...]:
        """The demands since the last call was recorded, or since they were taken."""
        found = tuple(self._pending)
        self._pending.clear()
        return found

    @property
    def known(self) -> Mapping[Symbol, Num]:
        """The symbols whose value was found out on the way."""
        return self._bound

    def _never_zero(self, dim: Dim) -> bool:
        """Whether an expression is other than 0 whatever its symbols are worth: all terms have one sign,
        and one of them is never 0.
        """
        terms = dim.terms or ()
        if len({factor > 0 for _, factor in terms}) != 1:
            return False
        if not all(_is_nonnegative(atom) for monomial, _ in terms for atom, _ in monomial):
            return False
        return any(all(self._is_positive(atom) for atom, _ in monomial) for monomial, _ in terms)

    def _is_positive(self, atom: Atom) -> bool:
        """The size of a tensor is, and a number of channels; any other parameter may be 0, if only by its default."""
        if not isinstance(atom, Symbol) or "pad" in atom.name:
            return False
        if atom in self.hints:
            return self.hints[atom] > 0
        return atom.scope == FRESH or atom in self.widths


def _one_symbol(number: Num) -> tuple[Symbol, int, int] | None:
    """The symbol, 1 or -1, and the constant of ``symbol + 3`` or ``3 - symbol``; None for anything else."""
    symbol, factor, rest = None, 0, 0
    for monomial, times in (number.terms or ()) if type(number) is Dim else ():
        if not monomial:
            rest = times
        elif symbol is None and len(monomial) == 1 and monomial[0][1] == 1 and abs(times) == 1:
            atom, factor = monomial[0][0], times
            if not isinstance(atom, Symbol):
                return None
            symbol = atom
        else:
            return None
    return None if symbol is None else (symbol, factor, rest)


def _is_nonnegative(atom: Atom) -> bool:
    if isinstance(atom, Symbol):
        return True
    parts = [
        all(factor > 0 for _, factor in arg.terms or ())
        and all(_is_nonnegative(inner) for monomial, _ in arg.terms or () for inner, _ in monomial)
        for arg in atom.args
    ]
    return any(parts) if atom.op == "max" else all(parts) and atom.op in ("//", "min")
