"""What assignments bind: names, attributes, items, and several of them at once."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Class, Instance, Scope
from convlint.static.domain.values import UNKNOWN, Tensor, Value
from convlint.static.interpreter.dispatch import evaluate
from convlint.static.interpreter.pymodel import containers

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def assign(interpreter: Interpreter, target: ast.expr, value: Value, scope: Scope) -> None:
    """Bind a target to a value."""
    kind = type(target)
    if kind is ast.Name:
        scope.names[target.id] = value  # type: ignore[attr-defined]
    elif kind is ast.Attribute:
        assert isinstance(target, ast.Attribute)
        owner = evaluate(interpreter, target.value, scope)
        if type(owner) is Instance:
            owner.attrs[target.attr] = value
        elif type(owner) is Class:
            owner.namespace[target.attr] = value
    elif kind is ast.Subscript:
        assert isinstance(target, ast.Subscript)
        owner = evaluate(interpreter, target.value, scope)
        containers.set_item(owner, evaluate(interpreter, target.slice, scope), value)
    elif kind is ast.Starred:
        assert isinstance(target, ast.Starred)
        assign(interpreter, target.value, value, scope)
    else:
        assert isinstance(target, ast.Tuple | ast.List)
        _unpack(interpreter, target.elts, value, scope)


def _unpack(interpreter: Interpreter, targets: list[ast.expr], value: Value, scope: Scope) -> None:
    starred = [n for n, target in enumerate(targets) if isinstance(target, ast.Starred)]
    items = containers.iterate(interpreter, value, None if starred else len(targets))
    if items is not None and not starred and len(items) == len(targets):
        for target, item in zip(targets, items, strict=True):
            assign(interpreter, target, item, scope)
        return
    if items is not None and starred and len(items) >= len(targets) - 1:
        at, behind = starred[0], len(targets) - starred[0] - 1
        middle = items[at : len(items) - behind]
        parts = [*items[:at], middle, *items[len(items) - behind :]]
        for target, item in zip(targets, parts, strict=True):
            assign(interpreter, target, item, scope)
        return
    if items and not starred and all(type(item) is Tensor for item in items):
        interpreter.execution.site = interpreter.at(targets[0], scope) if targets else None
        few = "not enough" if len(items) < len(targets) else "too many"
        interpreter.execution.emit(
            "unpack", items, [], error=f"{few} values to unpack (expected {len(targets)})"
        )
    for target in targets:
        assign(interpreter, target, UNKNOWN, scope)
