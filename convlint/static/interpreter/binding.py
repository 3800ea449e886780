"""Binding of the arguments of a call to parameters."""

from __future__ import annotations

import ast
from typing import Any

from convlint.static.domain.objects import Function
from convlint.static.domain.values import UNKNOWN, Value
from convlint.static.interpreter.call import Call
from convlint.static.program.parse import positional

_UNKNOWN_KEY: Any = UNKNOWN  # stands for keyword arguments whose names are not known


def bind(function: Function, call: Call) -> dict[str, Value] | None:
    """Return the values of the parameters by name; None if the arguments do not fit."""
    args, open_ended = call.args, call.open_ended
    parameters = function.node.args
    known = parameters.__dict__.get("parameter_names")  # as parse.cached, without a call
    if known is None:
        known = parameters.__dict__["parameter_names"] = _names(parameters)
    by_position, by_name = known
    names: dict[str, Value] = dict(zip(by_position, args, strict=False))
    rest: dict[str, Value] = dict(call.kwargs)
    if parameters.vararg is not None:
        names[parameters.vararg.arg] = UNKNOWN if open_ended else tuple(args[len(by_position) :])
    elif len(args) > len(by_position):
        return None
    for name in (*by_position[len(args) :], *by_name):
        if name in rest:
            names[name] = rest.pop(name)
        elif open_ended:
            names[name] = UNKNOWN
        elif name in function.defaults:
            names[name] = function.defaults[name]
        else:
            return None
    if parameters.kwarg is not None:
        if open_ended:
            rest[_UNKNOWN_KEY] = UNKNOWN
        names[parameters.kwarg.arg] = rest
    elif rest and any(name is not _UNKNOWN_KEY for name in rest):
        return None
    return names


def _names(parameters: ast.arguments) -> tuple[list[str], list[str]]:
    """Return the names of the parameters that can be passed by position, and of those that cannot."""
    return [p.arg for p in positional(parameters)], [p.arg for p in parameters.kwonlyargs]
