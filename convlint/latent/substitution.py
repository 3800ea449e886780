"""Replacement of an expression in the syntax tree of the program, for as long as a trial takes.

Parsing an edited file takes longer than following a class in it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from convlint.static.program.parse import changed
from convlint.support.dataclass import dataclass

Position = tuple[int, int, int | None, int | None, type]


class Substitution:
    """Replaces expressions of a syntax tree, which it finds by their positions."""

    def __init__(self, tree: ast.AST) -> None:
        self._tree = tree
        self._slots: dict[Position, _Slot | None] = {}  # before any of the edits

    @contextmanager
    def replaced(self, node: ast.expr, text: str) -> Iterator[bool]:
        """Put the expression ``text`` in the place of ``node``; yields False if the tree has no such place."""
        place = position(node)
        if place not in self._slots:
            self._slots[place] = _slot(self._tree, node, place, ())
        slot = self._slots[place]
        if slot is None:
            yield False
            return
        before = slot.content
        slot.put(_located(text, before))
        try:
            yield True
        finally:
            slot.put(before)


@dataclass(frozen=True, slots=True, eq=False)
class _Slot:
    """A field of a node, or an item of one that is a list, that holds an expression; ``functions`` are around it."""

    parent: ast.AST
    field: str
    number: int | None
    functions: tuple[ast.AST, ...]

    @property
    def content(self) -> ast.expr:
        holder: Any = getattr(self.parent, self.field)
        content: ast.expr = holder if self.number is None else holder[self.number]
        return content

    def put(self, node: ast.expr) -> None:
        if self.number is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.number] = node
        for function in self.functions:
            changed(function)


def _slot(parent: ast.AST, node: ast.expr, place: Position, functions: tuple[ast.AST, ...]) -> _Slot | None:
    """The slot below a node of the tree that holds an expression like ``node``, which may be of another tree."""
    if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
        functions = (*functions, parent)
    for field, value in ast.iter_fields(parent):
        for number, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(child, ast.AST) or not _may_contain(child, node):
                continue
            if isinstance(child, ast.expr) and position(child) == place:
                return _Slot(parent, field, number, functions)
            found = _slot(child, node, place, functions)
            if found is not None:
                return found
    return None


def _may_contain(around: ast.AST, node: ast.expr) -> bool:
    """Return whether lines of a node of the tree, if it has any, are around those of an expression."""
    first = getattr(around, "lineno", None)
    if first is None:
        return True
    last = getattr(around, "end_lineno", None) or first
    decorators = getattr(around, "decorator_list", ())
    first = min([first, *(decorator.lineno for decorator in decorators)])
    return bool(first <= node.lineno and (node.end_lineno or node.lineno) <= last)


def position(node: ast.expr) -> Position:
    """The place of an expression and its kind: a call and its callee may begin alike."""
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, type(node)


def _located(text: str, before: ast.expr) -> ast.expr:
    node = ast.parse(text, mode="eval").body
    for inner in ast.walk(node):
        if isinstance(inner, ast.expr):
            ast.copy_location(inner, before)
    return node
