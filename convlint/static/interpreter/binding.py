"""Which parameter receives which argument of a call."""

from __future__ import annotations

import ast
from typing import Any

from convlint.static.domain.objects import Function
from convlint.static.domain.values import UNKNOWN, Value
from convlint.static.interpreter.call import Call
from convlint.static.program.parse import cached

_UNKNOWN_KEY: Any = UNKNOWN  # stands for keyword arguments whose names are not known


def bind(function: Function, call: Call) -> dict[str, Value] | None:
    """The values of the parameters by name; None if the arguments do not fit."""
    args, open_ended = call.args, call.open_ended
    parameters = function.node.args
    positional = cached(parameters, "positional", lambda: _positional(parameters))
    names: dict[str, Value] = dict(zip(positional, args, strict=False))
    rest: dict[str, Value] = dict(call.kwargs)
    if parameters.vararg is not None:
        names[parameters.vararg.arg] = UNKNOWN if open_ended else tuple(args[len(positional) :])
    elif len(args) > len(positional):
        return None
    first_default = len(positional) - len(function.defaults)
    for position in range(len(args), len(positional)):
        name = positional[position]
        if name in rest:
            names[name] = rest.pop(name)
        elif open_ended:
            names[name] = UNKNOWN
        elif position >= first_default:
            names[name] = function.defaults[position - first_default]
        else:
            return None
    for parameter in parameters.kwonlyargs:
        name = parameter.arg
        if name in rest:
            names[name] = rest.pop(name)
        elif open_ended:
            names[name] = UNKNOWN
        elif name in function.keyword_defaults:
            names[name] = function.keyword_defaults[name]
        else:
            return None
    if parameters.kwarg is not None:
        if open_ended:
            rest[_UNKNOWN_KEY] = UNKNOWN
        names[parameters.kwarg.arg] = rest
    elif any(name is not _UNKNOWN_KEY for name in rest):
        return None
    return names


def _positional(parameters: ast.arguments) -> list[str]:
    """The names of the parameters that can be passed by position."""
    return [parameter.arg for parameter in (*parameters.posonlyargs, *parameters.args)]
