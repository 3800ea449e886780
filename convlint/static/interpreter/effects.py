"""The names, attributes and containers that statements may change, for those that are not executed once in order."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence
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


_KEY = "effects"


def effects_of(statement: ast.stmt) -> Effects:
    """Return what a statement may change, cached at the statement."""
    return cached(statement, _KEY, partial(Effects, statement))


class Effects:
    """The names, attributes and containers that a statement may change."""

    def __init__(self, statement: ast.stmt) -> None:
        self.names: list[str] = []
        self.attributes: list[tuple[ast.expr, str]] = []
        self.containers: list[tuple[ast.expr, ast.expr | None]] = []  # each with the key that is set
        after = _elif_of(statement)
        if after is None:
            self._add(bound_names(statement), own_nodes(statement))
            return
        assert isinstance(statement, ast.If)
        chain = [after]  # is walked once, from its end, and without a recursion
        while (after := _elif_of(chain[-1])) and _KEY not in chain[-1].__dict__:
            chain.append(after)
        *_, rest = map(effects_of, reversed(chain))
        alone = ast.If(statement.test, statement.body, [])
        self._add(bound_names(alone), own_nodes(alone))
        self._extend(rest)

    def _add(self, names: Iterable[str], nodes: Iterable[ast.AST]) -> None:
        self.names = list(dict.fromkeys(names))
        for node in nodes:
            match node:
                case ast.Attribute(ctx=ast.Store()):
                    self.attributes.append((node.value, node.attr))
                case ast.Subscript(ctx=ast.Store()):
                    self.containers.append((node.value, node.slice))
                case ast.Call(func=ast.Attribute(attr=attr)) if attr in CHANGING:
                    assert isinstance(node.func, ast.Attribute)
                    self.containers.append((node.func.value, None))

    def _extend(self, other: Effects) -> None:
        self.names = list(dict.fromkeys([*self.names, *other.names]))
        known = {(owner.id, name) for owner, name in self.attributes if isinstance(owner, ast.Name)}
        self.attributes += [
            (owner, name)
            for owner, name in other.attributes
            if not isinstance(owner, ast.Name) or (owner.id, name) not in known
        ]
        self.containers += other.containers


def _elif_of(statement: ast.stmt) -> ast.If | None:
    match statement:
        case ast.If(orelse=[ast.If() as after]):
            return after
    return None
