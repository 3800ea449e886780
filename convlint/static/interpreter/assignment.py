"""Assignment to names, attributes and items, and unpacking."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Class, Instance, Scope, site_of
from convlint.static.domain.values import UNKNOWN, Sizes, Tensor, Unknown, Value
from convlint.static.interpreter import special_methods
from convlint.static.interpreter.call import tensors_in
from convlint.static.interpreter.dispatch import evaluate
from convlint.static.interpreter.pymodel import containers

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def assign(interpreter: Interpreter, target: ast.expr, value: Value, scope: Scope) -> None:
    """Bind a target to a value."""
    match target:
        case ast.Name():
            scope.names[target.id] = value
        case ast.Attribute():
            owner = evaluate(interpreter, target.value, scope)
            if type(owner) is Instance:
                _set_attribute(interpreter, owner, target, value, scope)
            elif type(owner) is Class:
                owner.namespace[target.attr] = value
            _keep(interpreter, value)
        case ast.Subscript():
            owner = evaluate(interpreter, target.value, scope)
            key = evaluate(interpreter, target.slice, scope)
            if special_methods.defines(owner, "__setitem__"):
                special_methods.call_special(interpreter, owner, "__setitem__", key, value, node=target, scope=scope)
            else:
                containers.set_item(owner, key, value)
            if type(owner) not in (list, dict, Instance):
                _keep(interpreter, value)
        case ast.Starred():
            assign(interpreter, target.value, value, scope)
        case ast.Tuple() | ast.List():
            _unpack(interpreter, target.elts, value, scope)


def _set_attribute(
    interpreter: Interpreter, owner: Instance, target: ast.Attribute, value: Value, scope: Scope
) -> None:
    name = target.attr
    if name == "__dict__":
        content = value.items if type(value) is Instance else value
        if type(content) is dict:
            owner.attrs = content  # `self.__dict__ = self`: from here on, items are attributes
    elif not owner.is_module and special_methods.defines(owner, "__setattr__"):
        special_methods.call_special(interpreter, owner, "__setattr__", name, value, node=target, scope=scope)
    else:
        owner.attrs[name] = value


def _keep(interpreter: Interpreter, value: Value) -> None:
    """Record that something outside of the forward keeps the tensors of a value that calls created."""
    tensors = [tensor for tensor in tensors_in(value) if tensor.id is not None]
    if tensors:
        interpreter.execution.emit("kept", tensors, [])


def _unpack(interpreter: Interpreter, targets: list[ast.expr], value: Value, scope: Scope) -> None:
    stars = [n for n, target in enumerate(targets) if isinstance(target, ast.Starred)]
    items = containers.iterate(interpreter, value, None if stars else len(targets))
    parts: list[Value] = [value if type(value) is Unknown else UNKNOWN] * len(targets)
    if items is not None and not stars and len(items) == len(targets):
        parts = items
    elif items is not None and stars and len(items) >= len(targets) - 1:
        star = stars[0]
        end = len(items) - (len(targets) - star - 1)
        parts = [*items[:star], items[star:end], *items[end:]]
    elif items and not stars and all(type(item) is Tensor for item in items):
        execution = interpreter.execution
        execution.site = site_of(targets[0], scope) if targets else None
        count = "not enough" if len(items) < len(targets) else "too many"
        execution.emit("unpack", items, [], error=f"{count} values to unpack (expected {len(targets)})")
    for target, part in zip(targets, parts, strict=True):
        assign(interpreter, target, part, scope)


def unpacked_shape(
    interpreter: Interpreter, target: ast.Tuple, display: ast.Tuple, scope: Scope
) -> tuple[Value, ...] | None:
    """Return the items of ``*x.shape, self.heads`` where the rank of ``x`` is not known, as the targets count them."""
    stars = [n for n, item in enumerate(display.elts) if isinstance(item, ast.Starred)]
    values = [
        evaluate(interpreter, item.value if isinstance(item, ast.Starred) else item, scope) for item in display.elts
    ]
    if len(stars) != 1 or type(values[stars[0]]) is not Sizes:
        return None
    first, last = values[: stars[0]], values[stars[0] + 1 :]
    rest = len(target.elts) - len(first) - len(last)
    if not any(isinstance(item, ast.Starred) for item in target.elts):
        items = containers.iterate(interpreter, values[stars[0]], rest) if rest >= 0 else None
        return None if items is None else (*first, *items, *last)
    return (*first, *[UNKNOWN] * max(rest, 0), *last)
