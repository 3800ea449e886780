"""How functions are called that stand for Python's own, and what they give and take."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from convlint.static.domain.objects import Scope
from convlint.static.domain.values import UNKNOWN, Real, Value
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

Own = Callable[[Any, Sequence[Value], dict[str, Value], ast.expr, Scope], Value]


def guarded(
    own: Own,
    interpreter: Interpreter,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
) -> Value:
    """The result of ``own``; UNKNOWN where the program passes what it cannot take."""
    try:
        return own(interpreter, args, kwargs, node, scope)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError, AttributeError):
        return UNKNOWN


def concrete(interpreter: Interpreter, value: Value) -> int:
    """A plain integer: a parameter with a default is taken at its default from here on."""
    if type(value) is bool or type(value) is int:
        return int(value)
    if type(value) is Dim:
        found = interpreter.execution.settled(value)
        if found is not None:
            return found
    raise TypeError


def whole_value(dim: Dim) -> Value:
    """An integer of the program: a plain one where it is known."""
    if dim.is_unknown:
        return UNKNOWN
    return dim if dim.value is None else dim.value


def real_value(dim: Dim) -> Value:
    """A number of the program that need not be whole."""
    return UNKNOWN if dim.is_unknown else Real(dim)
