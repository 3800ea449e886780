"""Plain numbers for symbolic ones that meet the demands of an execution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from convlint import symbolic
from convlint.static.domain.execution import Execution
from convlint.static.domain.facts import FRESH
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Unknown, Value, is_small, symbols_of
from convlint.symbolic import Dim, Facts, Symbol

WIDTHS = ("in_channels", "out_channels", "in_features", "out_features", "num_features", "num_channels")
_WIDTH = 64
_SMALL = {"kernel_size": 3, "stride": 1, "padding": 1, "dilation": 1, "groups": 1, "num_groups": 1}
_SIZES = {"batch": 2, "height": 64, "width": 64, "depth": 16, "length": 64, "channels": 64}


class PlainNumbers:
    """Plain numbers for one execution.

    ``values`` has a number for every symbol: the default of the parameter, else a usual number for
    its role. With ``fitting`` they are changed to meet all demands that can be solved.
    """

    def __init__(self, execution: Execution, instances: Sequence[Instance], *, fitting: bool) -> None:
        self._execution = execution
        self._numbers: dict[Dim, int] = {}
        self.values = self._values(instances, fitting=fitting)

    def _values(self, instances: Sequence[Instance], *, fitting: bool) -> dict[Symbol, int]:
        """Return a number for every symbol."""
        roles: dict[Symbol, int] = {}
        for instance in instances:
            for name, number in instance.attrs.items():
                if name in WIDTHS or name in _SMALL:
                    value = _SMALL.get(name, _WIDTH)
                    for symbol in symbols_of(number):
                        roles[symbol] = max(roles.get(symbol, 0), value)
        known = [(symbolic.symbol(s.name, s.scope), v) for s, v in self._execution.bindings.items()]
        pairs = [*known, *self._execution.facts, *self._execution.demands]
        symbols = {s for pair in pairs for number in pair for s in symbols_of(number)} | roles.keys()
        tensors = [tensor for step in self._execution.steps for tensor in step.outputs]
        symbols |= {symbol for tensor in tensors for number in tensor.shape or () for symbol in symbols_of(number)}
        values = {symbol: self._usual(symbol, roles) for symbol in symbols}
        if not fitting:
            return values
        facts = Facts([(symbolic.as_dim(left), symbolic.as_dim(right)) for left, right in pairs])
        for symbol in values:
            number = symbolic.symbol(symbol.name, symbol.scope)
            solved = facts.reduce(number)
            if solved != number:
                fitted = _evaluated(solved, values, facts)
                if fitted is not None and fitted > 0:
                    values[symbol] = fitted
        return values

    def _usual(self, symbol: Symbol, roles: Mapping[Symbol, int]) -> int:
        if symbol in self._execution.defaults:
            return self._execution.defaults[symbol]
        if symbol.scope == FRESH:
            return _SIZES.get(symbol.name.split()[0], 16)
        return roles.get(symbol, _WIDTH)

    def of(self, number: Num) -> int:
        """Return the plain number for a number that may be symbolic."""
        if not isinstance(number, Dim):
            return int(number)
        if number not in self._numbers:
            self._numbers[number] = self._evaluate(self._execution.reduced(number))
        return self._numbers[number]

    def _evaluate(self, number: Num) -> int:
        if not isinstance(number, Dim):
            return number
        try:
            return math.floor(number.evaluate(self.values))
        except (KeyError, ValueError, ZeroDivisionError, OverflowError):
            return 1

    def _plain(self, value: Value) -> Value:
        """Return an attribute with plain numbers."""
        if isinstance(value, tuple | list):
            return tuple([self._plain(item) for item in value])
        return self.of(value) if type(value) is Dim else value

    def attributes(self, attrs: Mapping[str, Value]) -> dict[str, Value]:
        """Return the attributes of a layer or a call that rules can read, with plain numbers."""
        plain = {name: self._plain(value) for name, value in attrs.items() if _is_plain(value)}
        if "bias" in attrs:
            plain["bias"] = attrs["bias"] is True
        return plain


def _evaluated(dim: Dim, values: Mapping[Symbol, int], facts: Facts) -> int | None:
    start = dict(values)
    try:
        for quotient, definition in facts.quotients.items():
            start[quotient] = max(math.floor(definition.evaluate(values)), 1)
        return math.floor(dim.evaluate(start))
    except (KeyError, ValueError, ZeroDivisionError, OverflowError):
        return None


def _is_plain(value: Value) -> bool:
    if isinstance(value, tuple | list):
        return is_small(value) and all(_is_plain(item) for item in value)
    return type(value) is not Unknown and (value is None or isinstance(value, bool | int | float | str | Dim))
