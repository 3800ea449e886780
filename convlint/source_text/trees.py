"""Parts of syntax trees that stay unchanged: the nodes of a function, and the tree of an expression."""

from __future__ import annotations

import ast
from functools import lru_cache


@lru_cache(maxsize=64)
def nodes_of(scope: ast.AST) -> tuple[ast.AST, ...]:
    """Return a function or class and everything below it, in the order of ``ast.walk``."""
    return tuple(ast.walk(scope))


@lru_cache(maxsize=256)
def expression(text: str) -> ast.expr:
    """Return the tree of an expression, which all callers share. Raises SyntaxError."""
    return ast.parse(text, mode="eval").body
