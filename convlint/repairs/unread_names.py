"""Names of a function that nothing reads any more after an edit: a repair that leaves one hardly was meant."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeGuard

from convlint.source_text.bindings import default_of, parameters
from convlint.source_text.call_sites import Function
from convlint.source_text.trees import expression, nodes_of


def left_unread(scope: ast.AST, node: ast.expr, text: str, *, optional: bool = True, as_bound: bool = True) -> int:
    """The number of names of a function that are read in ``node`` only, and not in the text that replaces it.

    Without ``optional`` parameters that have a default do not count. A name that is bound again counts ``as_bound``, or
    else only if none of its values is read.
    """
    if not isinstance(scope, Function):
        return 0
    values, own = _reads(scope)
    if not as_bound:
        values = {node: (name, 0) for node, (name, _) in values.items()}
    if not optional:
        own = frozenset(name for name in own if name not in parameters(scope) or default_of(scope, name) is None)
    counts = Counter(values.values())
    removed = Counter(values[id(n)] for n in ast.walk(node) if id(n) in values)
    added = {n.id for n in ast.walk(expression(text)) if isinstance(n, ast.Name)} if text else set()
    return sum(value[0] in own and counts[value] == count and value[0] not in added for value, count in removed.items())


def leaves_attribute_unread(nodes: Iterable[ast.AST], node: ast.expr, text: str, *, is_defined: bool) -> bool:
    """Return whether an attribute is read in ``node`` only, of all ``nodes`` of a file, and the text that replaces it
    reads none: one of the class itself, or of another object if the place that gives it its value ``is_defined``.
    """
    own = Counter(part.attr for part in ast.walk(node) if _is_of_self(part))
    others = Counter(part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)) if is_defined else own
    if not others or (own and "." in text):
        return False
    reads: Counter[str] = Counter()
    declared: set[str] = set()
    for each in nodes:
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Load):
            reads[each.attr] += 1
        elif isinstance(each, ast.ClassDef):
            targets = [t for s in each.body if isinstance(s, ast.Assign) for t in s.targets]
            declared.update(target.id for target in targets if isinstance(target, ast.Name))
    return any((name in declared or name not in own) and reads[name] == count for name, count in others.items())


def filled_lists(scope: ast.AST) -> Iterator[ast.Name]:
    """Yield the names of lists where something is added to them."""
    for node in nodes_of(scope):
        match node:
            case ast.Expr(ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="append" | "extend" | "insert"))):
                yield name


def _is_of_self(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


_Value = tuple[str, int]
"""A name, and how often the function has bound it again: after ``width = width or 64`` it is another value."""


@lru_cache(maxsize=64)
def _reads(scope: Function) -> tuple[dict[int, _Value], frozenset[str]]:
    """The values that a function reads, by the ids of the nodes, and the names that it binds; those that only count the
    passes of a loop need no reader. To add to a list is not to read it.
    """
    filled = {id(name) for name in filled_lists(scope)}
    values: dict[int, _Value] = {}
    again: Counter[str] = Counter()
    for statement in scope.body if isinstance(scope.body, list) else [scope.body]:
        if isinstance(statement, ast.stmt) and _only_stores(statement):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in filled:
                values[id(node)] = node.id, again[node.id]
        if isinstance(statement, ast.Assign):
            again.update(target.id for target in statement.targets if isinstance(target, ast.Name))
    stored = (n.id for n in nodes_of(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return values, frozenset([*parameters(scope), *stored]) - {*_counting(scope)}


def _counting(scope: Function) -> Iterator[str]:
    for loop in nodes_of(scope):
        match loop:
            case (
                ast.For(target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range")))
                | ast.For(target=ast.Tuple(elts=[ast.Name(id=name), *_]), iter=ast.Call(func=ast.Name(id="enumerate")))
            ):
                yield name


def _only_stores(statement: ast.stmt) -> bool:
    """Return whether a statement is ``self.width = width``."""
    return (
        isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Name)
        and all(isinstance(target, ast.Attribute) for target in statement.targets)
    )
