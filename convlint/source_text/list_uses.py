"""The names that code uses as lists, and nowhere as tensors."""

from __future__ import annotations

import ast
from collections.abc import Iterable


def used_as_lists(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that the nodes of a function use as lists, and nowhere as tensors."""
    listed: list[ast.AST] = []
    other: set[str] = set()
    for node in nodes:
        match node:
            case ast.For(iter=each) | ast.comprehension(iter=each):
                listed.append(each)
            case ast.Assign(targets=[ast.Tuple()], value=each):
                listed.append(each)
            case ast.Call(func=func, args=parts):
                if _last(func) not in _TAKING_LISTS:
                    other.update([each.id for each in parts if isinstance(each, ast.Name)])
                elif _last(func) not in ("len", "isinstance"):
                    listed += parts
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Tuple() | ast.Constant(value=None)):
                other.add(name)
            case ast.Subscript(value=each, slice=index) if not isinstance(index, ast.Slice):
                listed.append(each)
            case ast.Attribute(value=ast.Name(id=name)):
                other.add(name)
            case ast.BinOp(left=left, right=right):
                other.update([each.id for each in (left, right) if isinstance(each, ast.Name)])
            case ast.Name(id=name, ctx=ast.Store()):
                other.add(name)
    return {node.id for node in listed if isinstance(node, ast.Name)} - other


_TAKING_LISTS = frozenset({"zip", "enumerate", "list", "tuple", "reversed", "len", "cat", "concat", "stack"})


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
