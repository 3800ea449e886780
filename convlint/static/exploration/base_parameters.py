"""The parameters of a base class that a class takes as ``**kwargs`` and passes on: they are its own."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from convlint.static.domain.objects import Class, Function
from convlint.static.domain.values import Value
from convlint.static.exploration.arguments import arguments
from convlint.static.interpreter import Call
from convlint.static.program.parse import positional, walk


def base_arguments(cls: Class, init: Function, call: Call, variant: Mapping[str, Value]) -> dict[str, Value] | None:
    """Return arguments for the parameters that a constructor passes on to those of its bases.

    None if it does anything else with its ``**kwargs``, or if a base does.
    """
    found: dict[str, Value] = {}
    own, more = _names(init), 0  # positional arguments that are passed through ``*args``
    while init.node.args.kwarg is not None or init.node.args.vararg is not None:
        passed = _only_call(init)
        base = None if passed is None else _constructor_after(cls, init)
        if passed is None or base is None:
            return None
        by_position = [each.arg for each in positional(base.node.args)[1:]]
        count = more + sum(not isinstance(part, ast.Starred) for part in passed.args)
        more = max(count - len(by_position), 0)
        given = [*by_position[:count], *own]
        given += [keyword.arg for keyword in passed.keywords if keyword.arg is not None]
        of_base = {name: value for name, value in variant.items() if name in _names(base)}
        found |= arguments(call, base, of_base, skip=1, given=[*given, *found])
        own, init = [*own, *given], base
    return found


def _names(function: Function) -> list[str]:
    parameters = function.node.args
    return [each.arg for each in (*positional(parameters)[1:], *parameters.kwonlyargs)]


def _only_call(init: Function) -> ast.Call | None:
    """Return the call ``super().__init__(..., **kwargs)`` of a constructor that only passes its ``**kwargs`` on."""
    parameters = init.node.args
    rest = {each.arg for each in (parameters.vararg, parameters.kwarg) if each is not None}
    nodes = list(walk(init.node))
    uses = sum(isinstance(node, ast.Name) and node.id in rest for node in nodes)
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__")):
                unpacked = [part.value for part in node.args if isinstance(part, ast.Starred)]
                unpacked += [keyword.value for keyword in node.keywords if keyword.arg is None]
                names = [part.id for part in unpacked if isinstance(part, ast.Name) and part.id in rest]
                return node if len(names) == len(unpacked) == uses == len(rest) else None
    return None


def _constructor_after(cls: Class, init: Function) -> Function | None:
    """Return the constructor that ``super().__init__`` means in a constructor of a class or of one of its bases."""
    if init.owner is None or init.owner not in cls.mro:
        return None
    after = cls.mro[cls.mro.index(init.owner) + 1 :]
    found = next((each.namespace["__init__"] for each in after if "__init__" in each.namespace), None)
    return found if type(found) is Function and not found.scope.module.is_library else None
