"""The truth of values, and the branch to take where it depends on symbols."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from convlint import symbolic
from convlint.static.domain.facts import FRESH
from convlint.static.domain.objects import Class, Function, Instance, Scope
from convlint.static.domain.values import (
    UNKNOWN,
    Bound,
    Builtin,
    Condition,
    Either,
    Library,
    Num,
    Partial,
    Real,
    Tensor,
    Unknown,
    Value,
)
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

_ALWAYS_TRUE = (Class, Function, Bound, Partial, Library, Builtin)


def known(interpreter: Interpreter, value: Value) -> bool | None:
    """Return whether a value is true; None where that is not known."""
    kind = type(value)
    if kind is bool:
        return bool(value)
    if kind is Condition:
        return _of_condition(interpreter, value)
    if kind is Dim:
        reduced = interpreter.execution.reduced(value)
        return bool(reduced) if type(reduced) is int else None
    if kind is Unknown or kind is Tensor or kind is Real:
        return None
    if kind in _ALWAYS_TRUE:
        return True
    if kind is Either:
        first, second = known(interpreter, value.first), known(interpreter, value.second)
        return first if first is second else None
    if kind is Instance:
        return _of_object(value)
    try:
        return bool(value)
    except Exception:  # noqa: BLE001 - values of any type: their truth is unknown then
        return None


def _of_object(value: Instance) -> bool | None:
    if any(type(value.cls.lookup(name)) is Function for name in ("__bool__", "__len__")):
        return None
    if value.items is not None:
        return None if UNKNOWN in value.items else bool(value.items)
    if value.kind in ("Sequential", "ModuleList", "ModuleDict"):
        return None if value.may_have_more_children else any(True for _ in value.children())
    return True


def _of_condition(interpreter: Interpreter, condition: Condition) -> bool | None:
    op, left, right = condition.op, condition.left, condition.right
    if op == "not":
        inner = known(interpreter, left)
        return None if inner is None else not inner
    if op in ("and", "or"):
        sides = (known(interpreter, left), known(interpreter, right))
        deciding = op == "or"
        if deciding in sides:
            return deciding
        return None if None in sides else not deciding
    if op == "truth":
        return known(interpreter, left)
    if op == "==":
        return interpreter.execution.equal(left, right)
    low, high = interpreter.execution.bounds(symbolic.as_dim(left) - symbolic.as_dim(right))
    if op == "<":
        return True if high < 0 else False if low >= 0 else None
    return True if high <= 0 else False if low > 0 else None


def is_on_parameters(interpreter: Interpreter, value: Value) -> bool:
    """Return whether a condition depends on parameters alone: a caller can then make it true or false."""
    if type(value) is Condition:
        if value.op in ("and", "or", "not"):
            parts = [value.left] if value.op == "not" else [value.left, value.right]
            return all(known(interpreter, part) is not None or is_on_parameters(interpreter, part) for part in parts)
        return all(_is_free(interpreter, number) for number in (value.left, value.right or 0))
    return type(value) is Dim and _is_free(interpreter, value)


def _is_free(interpreter: Interpreter, number: Num) -> bool:
    reduced = interpreter.execution.reduced(number)
    return type(reduced) is not Dim or all(symbol.scope != FRESH and not symbol.opaque for symbol in reduced.symbols())


def decide(interpreter: Interpreter, value: Value) -> bool:
    """Return the branch to take at a condition on parameters; a later execution takes the other."""
    truth = known(interpreter, value)
    if truth is not None:
        return truth
    if type(value) is Condition:
        if value.op == "not":
            return not decide(interpreter, value.left)
        if value.op == "and":
            return decide(interpreter, value.left) and decide(interpreter, value.right)
        if value.op == "or":
            return decide(interpreter, value.left) or decide(interpreter, value.right)
        return _decide_atom(interpreter, value)
    return _decide_atom(interpreter, Condition("truth", value))


def decide_at(interpreter: Interpreter, node: ast.If | ast.IfExp, value: Value, scope: Scope) -> bool:
    """Return the branch to take at a condition on parameters.

    A function that calls itself with `levels - 1` ends with the branch that its outer calls did not take.
    """
    decided = interpreter.decided
    outer = [frame for frame in interpreter.frames if frame.scope.function is scope.function]
    if node in decided and scope.function is not None and len(outer) >= _OUTER_CALLS:
        taken = not decided[node]
        assume(interpreter, value, taken)
    else:
        taken = decided[node] = decide(interpreter, value)
    return taken


_OUTER_CALLS = 2  # of a function that calls itself, before it has to end


def _decide_atom(interpreter: Interpreter, condition: Condition) -> bool:
    execution = interpreter.execution
    left, right = execution.reduced(condition.left), execution.reduced(condition.right or 0)
    key = (condition.op, _key(left), _key(right))
    taken = interpreter.choices.choose(key, execution.holds_at_defaults(condition), both=interpreter.in_entry_point)
    difference = symbolic.as_dim(left) - symbolic.as_dim(right)
    if condition.op in ("<", "<="):
        highest = 0 if condition.op == "<=" else -1
        if taken:
            execution.limit(difference, highest)
        else:
            execution.limit(-difference, -1 - highest)
    if condition.op == "==" and taken:
        execution.state(left, right)
    if condition.op == "truth" and not taken:
        execution.state(left, 0)
    return taken


def _key(number: Num) -> str:
    return number.key if isinstance(number, Dim) else str(number)


def guard(interpreter: Interpreter, value: Value, wanted: bool) -> bool:
    """Continue as after a statement that raises unless a value is ``wanted``; False if it is known not to be."""
    if type(value) is Dim or type(value) is Condition:
        interpreter.execution.guards.append((value, wanted))
    return assume(interpreter, value, wanted)


def assume(interpreter: Interpreter, value: Value, wanted: bool) -> bool:
    """Continue as if a value were ``wanted``; False if it is known not to be."""
    truth = known(interpreter, value)
    if truth is None and type(value) is Condition:
        if value.op == "not":
            return assume(interpreter, value.left, not wanted)
        if value.op == ("and" if wanted else "or"):
            return all(assume(interpreter, part, wanted) for part in (value.left, value.right))
        if value.op == "==" and wanted:
            interpreter.execution.state(value.left, value.right)
    if truth is None and type(value) is Dim and not wanted:
        interpreter.execution.state(value, 0)  # `if width % groups: raise`
    return truth is None or truth is wanted
