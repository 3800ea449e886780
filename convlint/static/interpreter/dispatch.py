"""The functions that execute each kind of syntax.

Expressions and statements contain each other, so the functions that execute them find each other in
these tables instead of importing each other; ``interpreter`` fills the tables.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from convlint.static.domain.objects import Scope
from convlint.static.domain.values import Value
from convlint.support.dataclass import dataclass

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BlockEnd:
    """A block ended before its last statement; ``value`` is the value that it returns."""

    value: Value = None


BREAK: Final = BlockEnd()
CONTINUE: Final = BlockEnd()

ExpressionHandler = Callable[["Interpreter", Any, Scope], Value]  # Any: the node of its kind
StatementHandler = Callable[["Interpreter", Any, Scope], BlockEnd | None]
EXPRESSIONS: dict[type, ExpressionHandler] = {}
STATEMENTS: dict[type, StatementHandler] = {}


def evaluate(interpreter: Interpreter, node: ast.expr, scope: Scope) -> Value:
    """Return the value of an expression."""
    return EXPRESSIONS[type(node)](interpreter, node, scope)


def execute(interpreter: Interpreter, statement: ast.stmt, scope: Scope) -> BlockEnd | None:
    """Execute one statement."""
    return STATEMENTS[type(statement)](interpreter, statement, scope)


def execute_block(interpreter: Interpreter, body: Sequence[ast.stmt], scope: Scope) -> BlockEnd | None:
    """Execute statements; None if they ran to the last."""
    for statement in body:
        interpreter.steps -= 1
        end = STATEMENTS[type(statement)](interpreter, statement, scope)
        if end is not None:
            return end
    return None
