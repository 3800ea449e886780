"""Exceptions of the program: what raises them, and the blocks after which it continues."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING

from convlint.static.domain.execution import Raised
from convlint.static.domain.objects import Instance, Scope, site_of
from convlint.static.domain.values import UNKNOWN
from convlint.static.interpreter import parameter_lists, truth
from convlint.static.interpreter.assignment import assign
from convlint.static.interpreter.conditionals import Attempt
from convlint.static.interpreter.dispatch import BlockEnd, evaluate, execute_block

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def execute_raise(_: Interpreter, node: ast.Raise, scope: Scope) -> None:
    """End the execution, or the block whose exceptions the program handles."""
    cls = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    raised = Raised(f"the program raises {getattr(cls, 'id', 'an exception')}")
    raised.site = site_of(node, scope)
    raise raised


def execute_assert(interpreter: Interpreter, node: ast.Assert, scope: Scope) -> None:
    """Continue as if an assertion holds, unless it is known to fail."""
    if not truth.guard(interpreter, evaluate(interpreter, node.test, scope), True):
        match node.test:
            case ast.Call(func=ast.Name(id="isinstance"), args=[ast.expr() as owner, _]):
                if parameter_lists.takes_any_type(interpreter, evaluate(interpreter, owner, scope)):
                    return  # it says what a caller passes
        raise Raised("an assertion fails")


def execute_with(interpreter: Interpreter, node: ast.With | ast.AsyncWith, scope: Scope) -> BlockEnd | None:
    """Execute a ``with`` statement; what it raises may be expected, and what PyTorch rejects in it then is."""
    for item in node.items:
        value = evaluate(interpreter, item.context_expr, scope)
        if item.optional_vars is not None:
            assign(interpreter, item.optional_vars, value if type(value) is not Instance else UNKNOWN, scope)
    if not any(map(takes_exceptions, node.items)):
        return execute_block(interpreter, node.body, scope)
    attempt = Attempt(interpreter)
    with suppress(Raised):
        execute_block(interpreter, node.body, scope)
    attempt.end()
    attempt.forgive()
    return None


def takes_exceptions(item: ast.withitem) -> bool:
    """Return whether the program continues after a block that raises: ``with pytest.raises(ValueError)``."""
    func = item.context_expr.func if isinstance(item.context_expr, ast.Call) else item.context_expr
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    return name in ("raises", "assertRaises", "assertRaisesRegex", "suppress")


def execute_try(interpreter: Interpreter, node: ast.Try, scope: Scope) -> BlockEnd | None:
    """Execute a ``try`` statement; the first of its handlers takes an exception."""
    try:
        end = execute_block(interpreter, node.body, scope)
    except Raised:
        if not node.handlers:
            raise
        end = execute_block(interpreter, node.handlers[0].body, scope)
    else:
        if end is None:
            end = execute_block(interpreter, node.orelse, scope)
    return execute_block(interpreter, node.finalbody, scope) or end
