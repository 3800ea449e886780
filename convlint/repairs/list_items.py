"""Other items of the list that an expression takes one from: ``widths[1]`` and ``widths[i]`` of ``widths[-1]``."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from functools import lru_cache

from convlint.source_text.trees import nodes_of


def other_items(node: ast.expr, scope: ast.AST) -> Iterator[str]:
    """The expression with another item of the list: the next, last or first one, or one that the loops around count."""
    for position, part in enumerate(ast.walk(node)):
        if isinstance(part, ast.Subscript):
            written = ast.unparse(part.slice)
            for index in dict.fromkeys([*_next_to(part.slice), *_counted(scope, node), *_from_the_start(part.slice)]):
                if index != written:
                    yield _with_index(node, position, index)


def _next_to(index: ast.expr) -> Iterator[str]:
    """The indices next to a constant, and that of the last item."""
    match index:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            yield from (str(other) for other in (number + 1, number - 1, -1) if other >= 0 or other == -1)


def _from_the_start(index: ast.expr) -> Iterator[str]:
    """The indices of the first item, and of the one before, where one is counted from the end."""
    match index:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
            yield from ("0", str(-number - 1))


def _with_index(node: ast.expr, position: int, index: str) -> str:
    other = copy.deepcopy(node)
    part = next(part for at, part in enumerate(ast.walk(other)) if at == position)
    assert isinstance(part, ast.Subscript)
    part.slice = ast.parse(index, mode="eval").body
    return ast.unparse(other)


def _counted(scope: ast.AST, node: ast.expr) -> Iterator[str]:
    """The variables of the loops around an expression that count, the innermost first, and the numbers next to them."""
    names = [name for name, inside in reversed(_counting(scope)) if node in inside and name.strip("_")]
    yield from names
    for name in names:
        yield from (f"{name} + 1", f"{name} - 1")


@lru_cache(maxsize=32)
def _counting(scope: ast.AST) -> list[tuple[str, frozenset[ast.AST]]]:
    """The variables of a function that count the passes of a loop, each with all nodes in the loop."""
    found: list[tuple[str, frozenset[ast.AST]]] = []
    for loop in nodes_of(scope):
        match loop:
            case ast.For() | ast.ListComp() | ast.GeneratorExp():
                parts = [loop] if isinstance(loop, ast.For) else loop.generators
                for part in parts:
                    match part.target, part.iter:
                        case (ast.Name(id=name), ast.Call(func=ast.Name(id="range"))) | (
                            ast.Tuple(elts=[ast.Name(id=name), *_]),
                            ast.Call(func=ast.Name(id="enumerate")),
                        ):
                            found.append((name, frozenset(ast.walk(loop))))
    return found
