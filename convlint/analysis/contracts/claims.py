"""Claims that a class fails: arguments with which it should fail, and similar ones with which it should work.

The numbers are small, and divide each other where those of today do.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import combinations, product, zip_longest
from typing import Literal

from convlint import symbolic
from convlint.analysis.contracts.comparisons import Comparison, Wrong
from convlint.ir import Argument, Claim, Instantiation, IntArguments, Site, Trial
from convlint.support.dataclass import dataclass
from convlint.symbolic import Dim, Symbol

_BASES = (2, 4, 8, 16, 32, 64)  # new values for the smallest width
_COUNTS = 4  # numbers up to this are depths, strides and factors: they are kept at first
_LARGE = 16  # an argument above this is a width or a size of a map, not a kernel
_SMALL = 7  # replaces a size of a map
_MAX_TRIALS = 16
_MAX_FAILING = 3  # for one working binding

Binding = dict[Symbol, int]


def claim(
    comparison: Comparison,
    wrong: Wrong,
    sites: tuple[Site, ...],
    *,
    fails_in: Literal["constructor", "forward"] = "forward",
    needed: bool = False,
) -> Claim | None:
    """Claim that the class of ``comparison`` fails if its numbers are ``wrong``.

    One of the layers built at ``sites`` should fail; ``needed`` as in ``Claim``. Returns None if the class cannot be
    named from outside, or if no arguments were found.
    """
    scope = comparison.scope
    if not scope.path or not scope.cls or "<locals>" in scope.cls or not sites:
        return None
    search = _Search(comparison, wrong)
    if not search.depends_on_the_class_alone:
        return None
    trials = tuple(dict.fromkeys(search.trials()))[:_MAX_TRIALS]
    if not trials:
        return None
    return Claim(
        scope.path,
        scope.cls,
        scope.arguments,
        trials,
        sites,
        inputs=tuple(shape for _, shape in comparison.inputs),
        fails_in=fails_in,
        needed=needed,
        rounding=comparison.differ_by_rounding,
        target=comparison.target,
    )


@dataclass(frozen=True)
class _Search:
    comparison: Comparison
    wrong: Wrong

    @cached_property
    def own(self) -> Mapping[Symbol, int]:
        """The parameters of the class that matter, with their values."""
        scope = self.comparison.scope
        return {Symbol(name, scope.id): value for name, value, _ in scope.symbols}

    @cached_property
    def _inputs(self) -> set[Symbol]:
        return {symbol for symbol, _ in self.comparison.inputs}

    @cached_property
    def _free(self) -> list[Symbol]:
        """Symbols that can vary: parameters, channels of tensors, and quotients that the facts introduced."""
        reduced = [self.comparison.facts.reduce(dim) for dim in self.comparison.dims]
        return sorted({s for dim in reduced for s in dim.symbols() if not s.opaque}, key=lambda s: (s.scope, s.name))

    @cached_property
    def _current(self) -> Binding:
        mentioned = {s for pair in self.comparison.facts.equalities for dim in pair for s in dim.symbols()}
        mentioned |= {s for dim in self.comparison.dims for s in dim.symbols()} | self.own.keys()
        values = self.comparison.values
        return {symbol: values[symbol] for symbol in mentioned | self._inputs if symbol in values}

    @cached_property
    def _solved(self) -> dict[Symbol, Dim]:
        """Symbols that the facts express by others, with those expressions."""
        found = {}
        for symbol in self._current:
            alone = symbolic.symbol(symbol.name, symbol.scope, symbol.opaque)
            reduced = self.comparison.facts.reduce(alone)
            if reduced != alone:
                found[symbol] = reduced
        return found

    @property
    def depends_on_the_class_alone(self) -> bool:
        """Check whether the arguments of the class determine the numbers."""
        return {s for dim in self.comparison.dims for s in dim.symbols()} <= self.own.keys()

    def trials(self) -> Iterator[Trial]:
        """Trials, the smallest numbers first."""
        for works in self._working():
            failing: dict[Instantiation, None] = {}
            for binding in self._failing(works):
                failing[self._instantiation(binding)] = None
                if len(failing) == _MAX_FAILING:
                    break
            for small in dict.fromkeys((self._sizes(), ())):
                control = self._instantiation(works)
                for fails in failing:
                    yield Trial(
                        Instantiation(fails.numbers + small, fails.channels),
                        Instantiation(control.numbers + small, control.channels),
                    )

    def _working(self) -> Iterator[Binding]:
        """Bindings for which the numbers are right: the current ones, divided as far as possible."""
        widths = {s for dim in self.comparison.dims for s in dim.symbols()} | set(self._free)
        mentioned = {s for p in self.comparison.facts.equalities for dim in p for s in dim.symbols()}
        everything = widths | {s for s in mentioned if s in self.own or s in self._inputs}
        tried: list[Binding] = []
        for base in _BASES:
            for group, above in product((widths, everything), (_COUNTS, 1)):
                scaled = {s: self._current[s] for s in group if self._current.get(s, 0) > above}
                unit = math.gcd(*scaled.values())
                if base < unit:
                    start = self._current | {s: n // unit * base for s, n in scaled.items()}
                    tried.append(start)
        for start in (*tried, self._current):
            found = self._completed(start, self._quotients(start))
            if found is not None and not self._is_wrong(found):
                yield found

    def _failing(self, works: Binding) -> Iterator[Binding]:
        """Bindings that should fail: one number changed, each in turn, then two."""
        quotients = self._quotients(works)
        start = works | quotients
        free = [s for s in self._free if s in start]
        alone = zip_longest(*([(s, n) for n in _others(start[s])] for s in free))
        single = [(change,) for turn in alone for change in turn if change is not None]
        double = [
            tuple(zip(chosen, others, strict=True))
            for chosen in combinations(free, 2)
            for others in product(*(_others(start[s]) for s in chosen))
        ]
        for change in (*single, *double):
            changed = start | dict(change)
            found = self._completed({s: changed[s] for s in works}, {s: changed[s] for s in quotients})
            if found is not None and self._is_wrong(found):
                yield found

    def _quotients(self, values: Binding) -> Binding:
        found = {}
        for quotient, meaning in self.comparison.facts.quotients.items():
            with suppress(KeyError, ZeroDivisionError, ValueError):
                found[quotient] = meaning.evaluate(values)
        return found

    def _completed(self, values: Binding, quotients: Binding) -> Binding | None:
        """The binding with solved symbols computed from the free ones; None if it breaks a requirement."""
        known = values | quotients
        try:
            found = values | {s: dim.evaluate(known) for s, dim in self._solved.items()}
            holds = self.comparison.facts.hold(found)
        except (KeyError, ValueError, ZeroDivisionError):
            return None
        return found if holds and all(found[s] > 0 for s, value in self._current.items() if value > 0) else None

    def _is_wrong(self, values: Binding) -> bool:
        try:
            return self.wrong(tuple(dim.evaluate(values) for dim in self.comparison.dims))
        except ZeroDivisionError:
            return False

    def _instantiation(self, values: Binding) -> Instantiation:
        static = self.comparison.target is None  # without a run all numbers are examples
        own = self.own
        numbers = tuple((s.name, values[s]) for s in own if static or values[s] != own[s])
        channels = tuple(
            values.get(symbol, shape[1] if len(shape) > 1 else 0) for symbol, shape in self.comparison.inputs
        )
        return Instantiation(numbers, channels)

    def _sizes(self) -> IntArguments:
        """Small numbers for arguments as large as the size of a map that are not widths."""
        arguments = self.comparison.scope.arguments
        known = {symbol.name for symbol in self.own}
        return tuple((a.name, _SMALL) for a in arguments if a.name not in known and _is_large(a))


def _is_large(argument: Argument) -> bool:
    value = ast.literal_eval(argument.text) if argument.text and argument.text.isdigit() else None
    return isinstance(value, int) and value > _LARGE


def _others(value: int) -> tuple[int, ...]:
    """Other values to try, multiples first because they keep divisibility."""
    nearby = (2 * value, 3 * value, value // 2, value + 1, value + 2)
    return tuple(dict.fromkeys(n for n in nearby if n > 0 and n != value))
