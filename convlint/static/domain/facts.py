"""Facts about the numbers of one execution: values of symbols, equalities that it needs, and bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from math import inf

from convlint import symbolic
from convlint.analysis.width_names import is_width_name
from convlint.static.domain.conditions import value_of
from convlint.static.domain.values import Condition, Num, Value
from convlint.support.dataclass import dataclass, field
from convlint.symbolic import Atom, Dim, Symbol

_LONGEST_TRIED = 6  # items of a list
FRESH = -2  # the scope of symbols that stand for unknown numbers, such as the height of an input
RANK = -3  # the scope of symbols that stand for the ranks of inputs

INDEX = "index"  # the name of an unknown number that may be 0

Pair = tuple[Num, Num]  # two numbers that are, or must be, equal


@dataclass(repr=False)
class Knowledge:
    """Facts that were collected along an execution."""

    demands: list[Pair] = field(default_factory=list)  # equalities that were assumed
    facts: list[Pair] = field(default_factory=list)  # equalities that conditions of the program state
    guards: list[tuple[Condition | Dim, bool]] = field(default_factory=list)  # conditions on which it does not raise
    defaults: dict[Symbol, int] = field(default_factory=dict)  # of parameters
    count: int = 2  # of everything that a caller may give any number of: blocks, items of a list
    has_settled: bool = False  # whether something was given that number
    has_open_inputs: bool = False  # whether an input is a list of any length
    widths: set[Symbol] = field(default_factory=set)  # parameters that are numbers of channels
    limits: dict[Symbol, tuple[float, float]] = field(default_factory=dict)  # from conditions
    _bound: dict[Symbol, Num] = field(default_factory=dict)
    _reduced: dict[Dim, Num] = field(default_factory=dict)  # a cache, valid until the next binding
    _fresh: int = 0
    _pending: list[Pair] = field(default_factory=list)

    def fresh(self, what: str) -> Dim:
        """Return a new unknown number; ``what`` names it for a reader (``height``)."""
        self._fresh += 1
        return symbolic.symbol(f"{what} {self._fresh}", FRESH)

    @property
    def bindings(self) -> Mapping[Symbol, Num]:
        """The symbols with a known value."""
        return self._bound

    def reduced(self, number: Num) -> Num:
        """Return a number with the known values of its symbols; a plain ``int`` where these decide it."""
        if type(number) is not Dim:
            return number
        known = self._reduced.get(number)
        if known is None:
            known = self._reduced[number] = self._substituted(number)
        return known

    def _substituted(self, number: Dim) -> Num:
        while self._bound:
            known: dict[Atom, Dim] = {s: symbolic.as_dim(self._bound[s]) for s in number.symbols() if s in self._bound}
            if not known:
                break
            number = number.substitute(known)
        return _plain(number) if number.value is None else number.value

    def _difference(self, left: Num, right: Num) -> Num:
        return self.reduced(symbolic.as_dim(left) - symbolic.as_dim(right))

    # --- equality

    def equal(self, left: Num, right: Num) -> bool | None:
        """Return whether two numbers are equal for all values of their symbols; None if for some only."""
        if type(left) is int and type(right) is int:
            return left == right
        difference = self._difference(left, right)
        if not isinstance(difference, Dim):
            return difference == 0
        low, high = self.bounds(difference)
        if low > 0 or high < 0 or self._never_zero(difference) or _leaves_remainder(difference):
            return False
        return None

    def demand(self, left: Num, right: Num) -> bool:
        """Return whether two numbers that must be equal can be; if that is not decided, assume or record it."""
        known = self.equal(left, right)
        if known is None:
            self._assume(left, right)
        return known is not False

    def _assume(self, left: Num, right: Num) -> None:
        difference = self._difference(left, right)
        if type(difference) is not Dim or difference.is_unknown:
            return
        common = math.gcd(*(factor for _, factor in difference.terms or ()))
        difference = symbolic.as_dim(difference // common) if common > 1 else difference
        if not self._bind_first(difference, [s for s in _linear_symbols(difference) if s[0].scope == FRESH]):
            pair = (self.reduced(left), self.reduced(right))
            self.demands.append(pair)
            self._pending.append(pair)

    def take_pending(self) -> tuple[Pair, ...]:
        """Return the demands since this was last called: those of the call that is being recorded."""
        pending = tuple(self._pending)
        self._pending.clear()
        return pending

    def state(self, left: Num, right: Num) -> None:
        """Record that two numbers are equal, as a condition of the program says."""
        self.facts.append((left, right))
        difference = self._difference(left, right)
        if type(difference) is Dim:
            self._bind_first(difference, [s for s in _linear_symbols(difference) if not s[0].opaque][::-1])

    def _bind_first(self, difference: Dim, symbols: list[tuple[Symbol, int]]) -> bool:
        """Solve ``difference == 0`` for the first of its linear symbols that it can be solved for."""
        for symbol, factor in symbols:
            term = symbolic.symbol(symbol.name, symbol.scope)
            value = term - difference if factor == 1 else term + difference
            if symbol not in value.symbols():
                self.bind(symbol, value)
                return True
        return False

    def bind(self, symbol: Symbol, value: Num) -> None:
        """Give a symbol a value."""
        self._reduced.clear()
        self._bound[symbol] = value if type(value) is int else self.reduced(value)

    def is_too_short(self, items: list[Value], position: Value) -> bool:
        """Return whether a list whose length was chosen has no item at a position."""
        return self.has_settled and self.count < _LONGEST_TRIED and type(position) is int and position >= len(items) > 0

    # --- bounds

    def limit(self, number: Num, highest: int) -> None:
        """Record that ``number <= highest``, as a condition of the program says."""
        linear = _one_symbol(self.reduced(number))
        if linear is not None:
            symbol, factor, rest = linear
            low, high = self.limits.get(symbol, (-inf, inf))
            if factor > 0:
                high = min(high, highest - rest)
            else:
                low = max(low, rest - highest)
            self.limits[symbol] = (low, high)

    def bounds(self, number: Num) -> tuple[float, float]:
        """Return the lowest and the highest possible value of a number."""
        number = self.reduced(number)
        if type(number) is int:
            return number, number
        linear = _one_symbol(number) if self.limits else None
        if linear is None:
            return -inf, inf
        symbol, factor, rest = linear
        ends = [factor * end + rest for end in self.limits.get(symbol, (-inf, inf))]
        return min(ends), max(ends)

    def note_widths(self, numbers: Iterable[Value]) -> None:
        """Record numbers of channels: a parameter that is one, or a factor of one, is not 0."""
        for number in numbers:
            if type(number) is Dim and len(number.terms or ()) == 1:
                ((monomial, _),) = number.terms or ()
                self.widths.update([atom for atom, _ in monomial if isinstance(atom, Symbol)])

    def _never_zero(self, dim: Dim) -> bool:
        """Return whether an expression is never 0: its terms have one sign, and one of them is never 0."""
        terms = dim.terms or ()
        if len({factor > 0 for _, factor in terms}) != 1:
            return False
        if not all(_is_nonnegative(atom) for monomial, _ in terms for atom, _ in monomial):
            return False
        return any(all(self._is_positive(atom) for atom, _ in monomial) for monomial, _ in terms)

    def _is_positive(self, atom: Atom) -> bool:
        """Return whether an atom is positive, as sizes and numbers of channels are; other parameters may be 0."""
        if not isinstance(atom, Symbol) or "pad" in atom.name:
            return False
        if atom in self.defaults:
            return self.defaults[atom] > 0
        return (atom.scope == FRESH and not atom.name.startswith(f"{INDEX} ")) or atom in self.widths

    # --- defaults

    def settle_at_defaults(self, number: Dim) -> int | None:
        """Bind the symbols of a number to their defaults; return its value, None if one has no default."""
        reduced = self.reduced(number)
        if not isinstance(reduced, Dim):
            return reduced
        symbols = reduced.symbols()
        if not all(symbol in self.defaults for symbol in symbols):
            return None
        for symbol in symbols:
            self.bind(symbol, self.defaults[symbol])
        reduced = self.reduced(number)
        return reduced if type(reduced) is int else None

    def settle_count(self, number: Dim) -> None:
        """Let a parameter without default, that only counts something, be ``count`` if that is possible."""
        reduced = self.reduced(number)
        linear = _one_symbol(reduced)
        if linear is None:
            if "log" in str(reduced):
                self.settle_power(reduced)
            return
        symbol, _, _ = linear
        low, high = self.limits.get(symbol, (-inf, inf))
        is_count = symbol.scope != FRESH and not symbol.opaque and symbol not in self.widths
        is_possible = low <= self.count <= high and not is_width_name(symbol.name)
        if is_count and symbol not in self.defaults and is_possible:
            self.has_settled = True
            self.state(symbolic.symbol(symbol.name, symbol.scope), self.count)

    def settled(self, number: Value) -> Value:
        """Return a number of dimensions: that of its default, or ``count`` if that is possible."""
        if type(number) is not Dim:
            return number
        if self.settle_at_defaults(number) is None and all("dim" in symbol.name for symbol in number.symbols()):
            self.settle_count(number)
        return self.reduced(number)

    def counted(self, number: Dim) -> Num:
        """Return a number of items: that of its default, or the one that ``count`` gives if that is possible."""
        if self.settle_at_defaults(number) is None:
            self.settle_count(number)
        return self.reduced(number)

    def settle_power(self, number: Num) -> None:
        """Let the only parameter in a number, which has no default, be a power of 2."""
        symbols = list(number.symbols()) if type(number) is Dim else []
        if len(symbols) != 1 or symbols[0].scope == FRESH or symbols[0] in self.defaults:
            return
        self.has_settled = True
        self.state(symbolic.symbol(symbols[0].name, symbols[0].scope), 2**self.count)

    def holds_at_defaults(self, condition: Condition) -> bool:
        """Return whether a condition holds at the defaults; without one, flags are set and numbers differ."""
        holds = value_of(condition, self.defaults)
        return condition.op == "truth" if holds is None else holds

    def fails_at_defaults(self) -> bool:
        """Return whether a condition on which the program raises holds if every parameter has its default."""
        return any(value_of(condition, self.defaults) is (not wanted) for condition, wanted in self.guards)


def is_unknown(number: Value) -> bool:
    """Return whether a number is unknown, or depends on an unknown number."""
    return type(number) is Dim and (number.is_unknown or any(symbol.scope == FRESH for symbol in number.symbols()))


def _linear_symbols(dim: Dim) -> list[tuple[Symbol, int]]:
    """Return the symbols that are a term with the coefficient 1 or -1 each, and these coefficients."""
    return [
        (monomial[0][0], factor)
        for monomial, factor in dim.terms or ()
        if len(monomial) == 1 and monomial[0][1] == 1 and abs(factor) == 1 and isinstance(monomial[0][0], Symbol)
    ]


def _one_symbol(number: Num) -> tuple[Symbol, int, int] | None:
    """Return the symbol, its coefficient (1 or -1) and the constant of ``symbol + 3`` or ``3 - symbol``, else None."""
    if type(number) is not Dim:
        return None
    symbols = _linear_symbols(number)
    constants = [factor for monomial, factor in number.terms or () if not monomial]
    if len(symbols) != 1 or 1 + len(constants) != len(number.terms or ()):
        return None
    ((symbol, factor),) = symbols
    return symbol, factor, sum(constants)


def _plain(number: Dim) -> Num:
    """Return the value of an expression without symbols, such as ``int(log2(64))``; other expressions as they are."""
    if number.symbols() or number.is_unknown:
        return number
    try:
        value = number.evaluate({})
    except (ValueError, KeyError, ArithmeticError):
        return number
    return int(value) if value == int(value) else number


def _leaves_remainder(dim: Dim) -> bool:
    """Return whether an expression is never 0 because all its terms but the constant have a common factor."""
    constant = sum(factor for monomial, factor in dim.terms or () if not monomial)
    common = math.gcd(*[factor for monomial, factor in dim.terms or () if monomial])
    return common > 1 and constant % common != 0


def _is_nonnegative(atom: Atom) -> bool:
    if isinstance(atom, Symbol):
        return True
    parts = [
        all(factor > 0 for _, factor in arg.terms or ())
        and all(_is_nonnegative(inner) for monomial, _ in arg.terms or () for inner, _ in monomial)
        for arg in atom.args
    ]
    return any(parts) if atom.op == "max" else all(parts) and atom.op in ("//", "min")
