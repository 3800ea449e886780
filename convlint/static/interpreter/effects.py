"""The names, attributes and containers that statements may change, for those that are not executed once in order."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Instance, Scope
from convlint.static.domain.origins import unknown_from
from convlint.static.domain.values import UNKNOWN
from convlint.static.interpreter.dispatch import evaluate
from convlint.static.interpreter.pymodel import containers
from convlint.static.program.parse import cached, own_nodes
from convlint.static.program.source_module import CHANGING, bound_names

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def forget(
    interpreter: Interpreter,
    statements: Sequence[ast.stmt],
    scope: Scope,
    because: ast.stmt,
    *,
    key: str = "",
    names: Collection[str] | None = None,
) -> None:
    """Make everything unknown that statements may have changed, except items of dicts under the name ``key``.

    ``because`` is the statement with the condition or iterable that is not known. Of the names that they bind, only
    ``names`` are forgotten if these are given.
    """
    unknown = unknown_from(because, scope)
    for statement in statements:
        effects = effects_of(statement)
        for name in effects.names:
            if names is None or name in names:
                scope.names[name] = unknown
        for owner_node, attribute in effects.attributes:
            owner = evaluate(interpreter, owner_node, scope)
            if type(owner) is Instance:
                owner.attrs[attribute] = unknown
        for container, item in effects.containers:
            holder = evaluate(interpreter, container, scope)
            # A module is mostly put back as it was, `parts[0] = parts[0].to(device)`: it stays known.
            at = item.value if isinstance(item, ast.Constant) else UNKNOWN
            if type(holder) is list and item is not None and type(containers.get(holder, at)) is not Instance:
                containers.set_item(holder, at, UNKNOWN)
            elif not (key and isinstance(item, ast.Name) and item.id == key):
                containers.taint(holder)


def effects_of(statement: ast.stmt) -> Effects:
    """Return what a statement may change, cached at the statement."""
    return cached(statement, "effects", partial(Effects, statement))


class Effects:
    """The names, attributes and containers that a statement may change."""

    def __init__(self, statement: ast.stmt) -> None:
        self.names = list(dict.fromkeys(bound_names(statement)))
        self.attributes: list[tuple[ast.expr, str]] = []
        self.containers: list[tuple[ast.expr, ast.expr | None]] = []  # each with the key that is set
        for node in own_nodes(statement):
            match node:
                case ast.Attribute(ctx=ast.Store()):
                    self.attributes.append((node.value, node.attr))
                case ast.Subscript(ctx=ast.Store()):
                    self.containers.append((node.value, node.slice))
                case ast.Call(func=ast.Attribute(attr=attr)) if attr in CHANGING:
                    assert isinstance(node.func, ast.Attribute)
                    self.containers.append((node.func.value, None))
