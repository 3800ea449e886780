"""The arguments with which an entry point is called: symbols for numbers, otherwise the defaults."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping

from convlint import symbolic
from convlint.static.domain.objects import Function
from convlint.static.domain.values import UNKNOWN, Value
from convlint.static.exploration.configurations import configuration
from convlint.static.exploration.entry_points import PARAMETERS
from convlint.static.interpreter import Call
from convlint.static.program.parse import positional
from convlint.symbolic import Symbol


def arguments(
    call: Call, function: Function, variant: Mapping[str, Value], skip: int = 0, given: Collection[str] = ()
) -> dict[str, Value]:
    """Return a value for every parameter of a function, by name: a symbol for an integer, otherwise the default.

    Those that are ``given`` are left out.
    """
    interpreter, parameters = call.interpreter, function.node.args
    default = {**function.defaults, **{name: value for name, value in variant.items() if "." not in name}}
    values = {name: value for name, value in default.items() if name not in given}
    for parameter in [*positional(parameters)[skip:], *parameters.kwonlyargs]:
        name = parameter.arg
        if name in given:
            continue
        if name not in default:
            values[name] = configuration(interpreter, function, parameter, call, variant) or _symbol(parameter)
        elif type(default[name]) is int and name not in variant:
            values[name] = symbolic.symbol(name, PARAMETERS)
            interpreter.execution.defaults[Symbol(name, PARAMETERS)] = default[name]
    return values


def is_empty(value: Value) -> bool:
    """Return whether a value is an empty list, tuple or dict."""
    return type(value) in (tuple, list, dict) and not value


def _symbol(parameter: ast.arg) -> Value:
    annotation = "" if parameter.annotation is None else ast.unparse(parameter.annotation)
    is_dict = annotation.rpartition(".")[2].lower().startswith(("dict[", "mapping["))
    if not is_dict and any(word in annotation for word in ("str", "Module", "Callable", "Type", "Tensor", "type")):
        return UNKNOWN
    return symbolic.symbol(parameter.arg, PARAMETERS)
