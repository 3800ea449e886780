"""Which function follows which kind of syntax.

The parts of a program stand within each other in every way. So the functions that follow them ask
for each other here, and need not import each other; ``interpreter`` fills the tables.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from convlint.static.domain.objects import Scope
from convlint.static.domain.values import Value

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

EXPRESSIONS: dict[type, Callable[[Any, Any, Scope], Value]] = {}


def evaluate(interpreter: Interpreter, node: ast.expr, scope: Scope) -> Value:
    """The value of an expression."""
    return EXPRESSIONS[type(node)](interpreter, node, scope)


class Mark:
    """How a block ended, where it did not run to its end."""

    __slots__ = ("value",)

    def __init__(self, value: Value = None) -> None:
        self.value = value


BREAK: Final = Mark()
CONTINUE: Final = Mark()
Ending = Mark | None
STATEMENTS: dict[type, Callable[[Any, Any, Scope], Ending]] = {}


def execute(interpreter: Interpreter, statement: ast.stmt, scope: Scope) -> Ending:
    """Run one statement."""
    return STATEMENTS[type(statement)](interpreter, statement, scope)


def block(interpreter: Interpreter, body: Sequence[ast.stmt], scope: Scope) -> Ending:
    """Run statements; how they ended early, None if they did not."""
    for statement in body:
        interpreter.steps -= 1
        ending = STATEMENTS[type(statement)](interpreter, statement, scope)
        if ending is not None:
            return ending
    return None
