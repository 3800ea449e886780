"""Replacement of an expression in the syntax tree of the program, for as long as a trial takes.

Parsing an edited file takes longer than following a class in it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager

Position = tuple[int, int, int | None, int | None, type]


class TreeIndex:
    """The expressions of a syntax tree by their position."""

    def __init__(self, tree: ast.AST) -> None:
        self._slots: dict[Position, tuple[ast.AST, str, int | None]] = {}
        pending = [tree]
        while pending:
            parent = pending.pop()
            for field, value in ast.iter_fields(parent):
                for number, child in enumerate(value) if isinstance(value, list) else ((None, value),):
                    if isinstance(child, ast.AST):
                        pending.append(child)
                        if isinstance(child, ast.expr):
                            self._slots[position(child)] = (parent, field, number)

    @contextmanager
    def replaced(self, node: ast.expr, text: str) -> Iterator[bool]:
        """Put the expression ``text`` in the place of ``node``; yields False if the tree has no such place."""
        slot = self._slots.get(position(node))
        if slot is None:
            yield False
            return
        parent, field, number = slot
        holder = getattr(parent, field)
        before = holder if number is None else holder[number]
        _put(parent, field, number, _located(text, before))
        try:
            yield True
        finally:
            _put(parent, field, number, before)


def position(node: ast.expr) -> Position:
    """The place of an expression and its kind: a call and its callee may begin alike."""
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, type(node)


def _put(parent: ast.AST, field: str, number: int | None, node: ast.expr) -> None:
    if number is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[number] = node


def _located(text: str, before: ast.expr) -> ast.expr:
    node = ast.parse(text, mode="eval").body
    for inner in ast.walk(node):
        if isinstance(inner, ast.expr):
            ast.copy_location(inner, before)
    return node
