"""Which function follows which kind of syntax.

The parts of a program stand within each other in every way. So the functions that follow them ask
for each other here, and need not import each other; ``interpreter`` fills the tables.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from convlint.source.values import Scope, Value

if TYPE_CHECKING:
    from convlint.source.interpreter import Interpreter

EXPRESSIONS: dict[type, Callable[[Any, Any, Scope], Value]] = {}


def evaluate(it: Interpreter, node: ast.expr, scope: Scope) -> Value:
    """The value of an expression."""
    return EXPRESSIONS[type(node)](it, node, scope)
