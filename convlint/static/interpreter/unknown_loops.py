"""Loops over iterables of unknown length: the body is executed once, for any of their items.

What an iteration leaves as it found it is the same after any number of them. A name whose shape it changes is unknown
afterwards, and so is what depends on it.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Scope
from convlint.static.domain.values import Tensor, Value, is_small
from convlint.static.interpreter.joining import Outcome, outcome
from convlint.static.interpreter.operators import PLAIN
from convlint.static.interpreter.pymodel import containers
from convlint.static.program.parse import own_nodes
from convlint.static.program.source_module import CHANGING, bound_names
from convlint.support.dataclass import dataclass

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

_ADDING = frozenset({"append", "extend", "add"})


@dataclass(frozen=True)
class Carried:
    """The values that the names which a loop binds have before it."""

    values: Mapping[str, Outcome]

    @staticmethod
    def before(interpreter: Interpreter, loop: ast.For | ast.AsyncFor, scope: Scope) -> Carried:
        """Note the values before a loop; its target is bound again in each iteration."""
        names = set(bound_names(loop)).difference(_names(loop.target))
        return Carried({name: outcome(interpreter, scope.names[name]) for name in names if name in scope.names})

    def changed(self, interpreter: Interpreter, loop: ast.For | ast.AsyncFor, scope: Scope) -> set[str] | None:
        """Return the names that the next iteration may leave with other values than the first; None for any name."""
        varying = {name for name, value in self.values.items() if not _is_kept(interpreter, value, scope.names[name])}
        lists = {name: value.value for name, value in self.values.items() if type(value.value) is list}
        for items in lists.values():  # `frames += [frame]`
            containers.taint(items)
        varied = _varied(loop.body, lists)
        if varied is None:
            return None
        varying |= varied
        read = [(set(_names(statement, ast.Load)), set(bound_names(statement))) for statement in loop.body]
        before = -1
        while len(varying) != before:
            before = len(varying)
            for loaded, bound in read:
                if not varying.isdisjoint(loaded):
                    varying |= bound
        return varying


def _is_kept(interpreter: Interpreter, before: Outcome, after: Value) -> bool:
    """Return whether a value has the type and shape that it had before an iteration."""
    if before.value is after:
        return True
    if before.parts:
        same_length = type(after) is tuple and len(after) == len(before.parts)
        return same_length and all(map(_is_kept, [interpreter] * len(after), before.parts, after))
    if type(after) is not type(before.value):
        return False
    if type(after) is Tensor:
        known, reduced = outcome(interpreter, after), interpreter.execution.reduced
        is_same = before.shape is not None and tuple(map(reduced, before.shape)) == known.shape
        return is_same and after.dtype == before.value.dtype
    return type(after) in PLAIN and is_small(after) and after == before.value


def _varied(body: Sequence[ast.stmt], lists: Collection[str]) -> set[str] | None:
    """The names of objects that statements change and read: each iteration finds them in another state.

    None where it may change anything. A list to which it only appends is not read.
    """
    names: set[str] = set()
    added = Counter(dict.fromkeys(lists, 0))
    for node in (node for statement in body for node in own_nodes(statement)):
        match node:
            case ast.Attribute(ctx=ast.Store()) | ast.Global() | ast.Nonlocal():
                return None
            case ast.Subscript(value=owner, ctx=ast.Store()):
                if not isinstance(owner, ast.Name):
                    return None
                names.add(owner.id)
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in CHANGING:
                if not isinstance(owner, ast.Name):
                    return None
                if attr in _ADDING:
                    added[owner.id] += 1
                else:
                    names.add(owner.id)
    loads = Counter(name for statement in body for name in _names(statement, ast.Load))
    return names | {name for name, count in added.items() if loads[name] > count}


def _names(node: ast.AST, context: type[ast.expr_context] = ast.Store) -> Iterable[str]:
    return [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, context)]
