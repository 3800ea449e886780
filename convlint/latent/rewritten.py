"""Other ways to write an expression with the same names: swapped parameters, and a list read in the opposite order."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

from convlint.repairs.written_number import WrittenNumber
from convlint.source_text.bindings import parameters
from convlint.source_text.call_sites import Function
from convlint.support.dataclass import replace

_LARGEST_FACTOR = 16


def is_small_literal(node: ast.expr) -> bool:
    """Return whether an expression is a factor such as the 4 in ``4 * width``."""
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value <= _LARGEST_FACTOR


def swapped_parameters(written: WrittenNumber, scope: Function) -> str | None:
    """Arithmetic with its two parameters exchanged; None for other expressions: ``b + i * a`` for ``a + i * b``."""
    node = written.node
    if not isinstance(node, ast.BinOp):
        return None
    known = parameters(scope)
    names = list(dict.fromkeys(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in known))
    if len(names) != len(("a", "b")):
        return None
    other = dict(zip(names, names[::-1], strict=True))
    new = copy.deepcopy(node)
    for inner in ast.walk(new):
        if isinstance(inner, ast.Name):
            inner.id = other.get(inner.id, inner.id)
    return ast.unparse(new)


def reordered(written: WrittenNumber) -> Iterator[tuple[WrittenNumber, str]]:
    """Yield the lists that give a variable of a loop its values, each with the text for the opposite order."""
    if not isinstance(written.node, ast.Name) or not isinstance(written.place.scope, Function):
        return
    around: ast.AST | None = written.node
    parents = written.place.file.parents
    while around is not None and around is not written.place.scope:
        loops = around.generators if isinstance(around, ast.ListComp | ast.GeneratorExp) else [around]
        for loop in loops:
            if isinstance(loop, ast.For | ast.comprehension) and _binds(loop.target, written.node.id):
                for values in _lists(loop.iter):
                    yield replace(written, node=values, role="element"), _opposite(values)
                return
        around, _ = parents.get(around, (None, ""))


def _binds(target: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(target))


def _lists(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("enumerate", "zip"):
        for argument in node.args:
            yield from _lists(argument)
    elif isinstance(node, ast.Name | ast.Attribute) or _is_reversed(node) or _is_reversing(node):
        yield node


def _is_reversed(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript) and ast.unparse(node.slice) == "::-1"


def _is_reversing(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reversed"


def _opposite(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return ast.unparse(node.value)
    return ast.unparse(node.args[0] if isinstance(node, ast.Call) else node) + "[::-1]" * (
        not isinstance(node, ast.Call)
    )
