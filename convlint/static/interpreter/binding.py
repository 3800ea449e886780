"""Which parameter gets which argument of a call, and which tensors are among them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from convlint.static.domain.objects import Function
from convlint.static.domain.values import UNKNOWN, Tensor, Value, is_small
from convlint.static.program.parse import kept

_MORE: Any = UNKNOWN  # the key under which a dict holds what is not known of it


def bind(
    callee: Function, args: Sequence[Value], kwargs: dict[str, Value], *, open_ended: bool
) -> dict[str, Value] | None:
    """The names that a call gives to the parameters; None if they do not fit."""
    given = callee.node.args
    positional = kept(given, "positional", lambda: _positional(given))
    names: dict[str, Value] = dict(zip(positional, args, strict=False))
    rest: dict[str, Value] = dict(kwargs)
    if given.vararg is not None:
        names[given.vararg.arg] = UNKNOWN if open_ended else tuple(args[len(positional) :])
    elif len(args) > len(positional):
        return None
    first_default = len(positional) - len(callee.defaults)
    for position in range(len(args), len(positional)):
        name = positional[position]
        if name in rest:
            names[name] = rest.pop(name)
        elif open_ended:
            names[name] = UNKNOWN
        elif position >= first_default:
            names[name] = callee.defaults[position - first_default]
        else:
            return None
    for parameter in given.kwonlyargs:
        name = parameter.arg
        if name in rest:
            names[name] = rest.pop(name)
        elif open_ended:
            names[name] = UNKNOWN
        elif name in callee.keyword_defaults:
            names[name] = callee.keyword_defaults[name]
        else:
            return None
    if given.kwarg is not None:
        if open_ended:
            rest[_MORE] = UNKNOWN
        names[given.kwarg.arg] = rest
    elif any(name is not _MORE for name in rest):
        return None
    return names


def _positional(given: ast.arguments) -> list[str]:
    """The names of the parameters that can be passed by position."""
    return [parameter.arg for parameter in (*given.posonlyargs, *given.args)]


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors of a value that may be a list, tuple or dict of them."""
    kind = type(value)
    if kind is Tensor:
        return [value]
    if kind not in (list, tuple, dict) or not is_small(value):
        return []
    return [t for item in (value.values() if kind is dict else value) for t in tensors_in(item)]
