"""Numbers for a class with which it should fail, and such with which it should work: small ones, that
divide each other where today's do.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product, zip_longest
from typing import Literal

from convlint import symbolic
from convlint.analysis.contracts.meetings import Meeting, Wrong
from convlint.ir import Argument, Claim, Instantiation, IntArguments, Site, Trial
from convlint.symbolic import Dim, Symbol

_BASES = (2, 4, 8, 16, 32, 64)  # what the smallest of today's widths becomes
_COUNTS = 4  # numbers up to that are depths, strides and factors, and stay as they are at first
_LARGE = 16  # an argument above that is no small kernel; if it is no width, it is a size
_SMALL = 7
_MOST_TRIALS = 16
_OF_ONE_BASE = 3

Binding = dict[Symbol, int]


def claim(
    meeting: Meeting,
    wrong: Wrong,
    sites: tuple[Site, ...],
    *,
    fails_in: Literal["constructor", "forward"] = "forward",
    needed: bool = False,
) -> Claim | None:
    """What proves that the class of ``meeting`` fails where ``wrong`` says so of the numbers that meet.

    ``sites`` are the constructor calls of layers of which one is to fail; ``needed`` as in ``Claim``.
    None where the class cannot be named from outside, or no numbers for it were found.
    """
    scope = meeting.scope
    if not scope.path or not scope.cls or "<locals>" in scope.cls or not sites:
        return None
    search = _Search(meeting, wrong)
    if not search.is_of_the_class_alone:
        return None
    trials = tuple(dict.fromkeys(search.trials()))[:_MOST_TRIALS]
    if not trials:
        return None
    return Claim(
        scope.path,
        scope.cls,
        scope.arguments,
        trials,
        sites,
        inputs=tuple(shape for _, shape in meeting.inputs),
        fails_in=fails_in,
        needed=needed,
        target=meeting.target,
    )


@dataclass(frozen=True)
class _Search:
    meeting: Meeting
    wrong: Wrong

    @cached_property
    def own(self) -> Mapping[Symbol, int]:
        """The class's parameters that matter, and what they are today."""
        scope = self.meeting.scope
        return {Symbol(name, scope.id): value for name, value, _ in scope.symbols}

    @cached_property
    def _inputs(self) -> set[Symbol]:
        return {symbol for symbol, _ in self.meeting.inputs}

    @cached_property
    def _free(self) -> list[Symbol]:
        """What the numbers depend on: parameters, tensors, and quotients that the facts introduced."""
        reduced = [self.meeting.facts.reduce(dim) for dim in self.meeting.dims]
        found = {s for dim in reduced for s in dim.symbols() if not s.opaque}
        return sorted(found, key=lambda s: (s.scope, s.name))

    @cached_property
    def _today(self) -> Binding:
        spoken = {
            s for pair in self.meeting.facts.equalities for dim in pair for s in dim.symbols()
        }
        spoken |= {s for dim in self.meeting.dims for s in dim.symbols()} | self.own.keys()
        values = self.meeting.values
        return {symbol: values[symbol] for symbol in spoken | self._inputs if symbol in values}

    @cached_property
    def _solved(self) -> dict[Symbol, Dim]:
        """Symbols that the facts tie to others, and what they are then."""
        found = {}
        for symbol in self._today:
            alone = symbolic.symbol(symbol.name, symbol.scope, symbol.opaque)
            reduced = self.meeting.facts.reduce(alone)
            if reduced != alone:
                found[symbol] = reduced
        return found

    @property
    def is_of_the_class_alone(self) -> bool:
        """Whether the numbers can be set by what the class is given."""
        return {s for dim in self.meeting.dims for s in dim.symbols()} <= self.own.keys()

    def trials(self) -> Iterator[Trial]:
        """Attempts that should fail beside such that should work, the smallest first."""
        for works in self._starts():
            failing = list(dict.fromkeys(self._attempt(f) for f in self._changed(works)))
            for small in dict.fromkeys((self._sizes(), ())):
                control = self._attempt(works)
                for fails in failing[:_OF_ONE_BASE]:
                    yield Trial(
                        Instantiation(fails.numbers + small, fails.channels),
                        Instantiation(control.numbers + small, control.channels),
                    )

    def _starts(self) -> Iterator[Binding]:
        """Bindings under which the numbers are as they should be: today's, divided as far as they go."""
        widths = {s for dim in self.meeting.dims for s in dim.symbols()} | set(self._free)
        spoken = {s for p in self.meeting.facts.equalities for dim in p for s in dim.symbols()}
        everything = widths | {s for s in spoken if s in self.own or s in self._inputs}
        tried: list[Binding] = []
        for base in _BASES:
            for group, above in product((widths, everything), (_COUNTS, 1)):
                scaled = {s: self._today[s] for s in group if self._today.get(s, 0) > above}
                unit = math.gcd(*scaled.values())
                if base < unit:
                    start = self._today | {s: n // unit * base for s, n in scaled.items()}
                    tried.append(start)
        for start in (*tried, self._today):
            found = self._completed(start, self._quotients(start))
            if found is not None and not self._is_wrong(found):
                yield found

    def _changed(self, works: Binding) -> Iterator[Binding]:
        """Bindings that should fail, with one number changed, each in turn, or two."""
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
            kept = {s: changed[s] for s in quotients}
            found = self._completed({s: changed[s] for s in works}, kept)
            if found is not None and self._is_wrong(found):
                yield found

    def _quotients(self, values: Binding) -> Binding:
        found = {}
        for quotient, meaning in self.meeting.facts.quotients.items():
            with suppress(KeyError, ZeroDivisionError, ValueError):
                found[quotient] = meaning.evaluate(values)
        return found

    def _completed(self, values: Binding, quotients: Binding) -> Binding | None:
        """The binding with tied symbols computed from the free ones; None if the class refuses it."""
        known = values | quotients
        try:
            found = values | {s: dim.evaluate(known) for s, dim in self._solved.items()}
            holds = self.meeting.facts.hold(found)
        except (KeyError, ValueError, ZeroDivisionError):
            return None
        positive = all(found[s] > 0 for s, value in self._today.items() if value > 0)
        return found if holds and positive else None

    def _is_wrong(self, values: Binding) -> bool:
        try:
            return self.wrong(tuple(dim.evaluate(values) for dim in self.meeting.dims))
        except ZeroDivisionError:
            return False

    def _attempt(self, values: Binding) -> Instantiation:
        read = self.meeting.target is None  # no call was seen: every number is an example
        own = self.own
        numbers = tuple((s.name, values[s]) for s in own if read or values[s] != own[s])
        channels = tuple(
            values.get(symbol, shape[1] if len(shape) > 1 else 0)
            for symbol, shape in self.meeting.inputs
        )
        return Instantiation(numbers, channels)

    def _sizes(self) -> IntArguments:
        """Small numbers for arguments that are no widths, but kernels and sizes as large as a map."""
        arguments = self.meeting.scope.arguments
        known = {symbol.name for symbol in self.own}
        return tuple((a.name, _SMALL) for a in arguments if a.name not in known and _is_large(a))


def _is_large(argument: Argument) -> bool:
    value = ast.literal_eval(argument.text) if argument.text and argument.text.isdigit() else None
    return isinstance(value, int) and value > _LARGE


def _others(value: int) -> tuple[int, ...]:
    """Other numbers worth trying, multiples first: they respect what divides what."""
    nearby = (2 * value, 3 * value, value // 2, value + 1, value + 2)
    return tuple(dict.fromkeys(n for n in nearby if n > 0 and n != value))
