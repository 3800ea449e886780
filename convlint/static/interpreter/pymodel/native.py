"""Functions that stand for Python's own: how they are called, and the numbers that they give and take."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from convlint.static.domain.values import UNKNOWN, Real, Value
from convlint.static.interpreter.call import Call
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

NativeFunction = Callable[[Call], Value]


_OF_ALL_ARGUMENTS: set[NativeFunction] = set()


def of_all_arguments(function: NativeFunction) -> NativeFunction:
    """Mark a function whose result depends on the number of its arguments: ``zip(*rows)``."""
    _OF_ALL_ARGUMENTS.add(function)
    return function


def call_native(function: NativeFunction, call: Call) -> Value:
    """Return the result of ``function`` for the known arguments; UNKNOWN where Python would raise."""
    if call.open_ended:
        if function in _OF_ALL_ARGUMENTS:
            return UNKNOWN
        call = call.with_args(call.args, open_ended=False)
    try:
        return function(call)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError, AttributeError):
        return UNKNOWN


def concrete(interpreter: Interpreter, value: Value) -> int:
    """Return an integer, a parameter settled at its default; raises TypeError for anything else."""
    if type(value) is bool or type(value) is int:
        return int(value)
    if type(value) is Dim:
        settled = interpreter.execution.settle_at_defaults(value)
        if settled is not None:
            return settled
    raise TypeError


def counted(interpreter: Interpreter, value: Value) -> int:
    """Return a number of items. A number of blocks without a default is 2: the first block, and one like the rest."""
    if type(value) is Dim:
        interpreter.execution.settle_count(value)
    return concrete(interpreter, value)


def whole_value(dim: Dim) -> Value:
    """Return an integer of the program: a plain ``int`` where its value is known."""
    if dim.is_unknown:
        return UNKNOWN
    return dim if dim.value is None else dim.value


def real_value(dim: Dim) -> Value:
    """Return a number of the program that need not be an integer."""
    return UNKNOWN if dim.is_unknown else Real(dim)
