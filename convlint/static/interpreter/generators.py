"""Generator functions: executed at once, to a list of what they yield."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Scope
from convlint.static.domain.values import LONGEST, UNKNOWN, Value
from convlint.static.interpreter.dispatch import ExpressionHandler, evaluate, execute_block
from convlint.static.interpreter.pymodel import containers

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

_YIELDED = "<yielded>"  # the name of the list in the scope of the function
_STARTED = "<assumptions>"  # and of the number of unknown conditions under which it was called


def run(interpreter: Interpreter, node: ast.FunctionDef, scope: Scope) -> Value:
    """Return what a generator function yields; UNKNOWN in the list stands for values that are not known."""
    if any("contextmanager" in ast.unparse(decorator) for decorator in node.decorator_list):
        execute_block(interpreter, node.body, scope)
        return UNKNOWN
    if node in interpreter.generators:
        return interpreter.record_gap("a generator that calls itself is not followed", node, scope)
    execution = interpreter.execution
    yielded: list[Value] = []
    scope.names |= {_YIELDED: yielded, _STARTED: execution.assumptions}
    gaps = len(execution.gaps)
    interpreter.generators.add(node)
    try:
        execute_block(interpreter, node.body, scope)
    finally:
        interpreter.generators.remove(node)
    if any(not gap.is_value for gap in execution.gaps[gaps:]):
        yielded.append(UNKNOWN)  # a loop that is not followed may yield more
    return yielded


def _add(interpreter: Interpreter, scope: Scope, values: list[Value] | None) -> None:
    inner: Scope | None = scope
    while inner is not None and _YIELDED not in inner.names:
        inner = inner.outer
    if inner is None:
        return
    yielded: list[Value] = inner.names[_YIELDED]
    if values is None or interpreter.execution.assumptions > inner.names[_STARTED] or len(yielded) >= LONGEST:
        values = [UNKNOWN]
    yielded += values


def _yield(interpreter: Interpreter, node: ast.Yield, scope: Scope) -> Value:
    _add(interpreter, scope, [None if node.value is None else evaluate(interpreter, node.value, scope)])
    return UNKNOWN


def _yield_from(interpreter: Interpreter, node: ast.YieldFrom, scope: Scope) -> Value:
    _add(interpreter, scope, containers.iterate(interpreter, evaluate(interpreter, node.value, scope)))
    return UNKNOWN


HANDLERS: dict[type, ExpressionHandler] = {ast.Yield: _yield, ast.YieldFrom: _yield_from}
