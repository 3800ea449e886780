"""What expressions are worth."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from convlint.static.domain.objects import Class, Scope
from convlint.static.domain.values import (
    LONGEST,
    UNKNOWN,
    Condition,
    Tensor,
    Value,
    has_more,
    is_small,
    joined,
)
from convlint.static.interpreter import attributes, literals, truth
from convlint.static.interpreter.assignment import assign
from convlint.static.interpreter.definitions import make_function
from convlint.static.interpreter.dispatch import EXPRESSIONS, evaluate
from convlint.static.interpreter.operators import LARGEST, PLAIN, compare, operate
from convlint.static.interpreter.pymodel import containers
from convlint.static.program.parse import kept
from convlint.static.torch_shapes import index, method
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


# --- names and constants


def _constant(interpreter: Interpreter, node: ast.Constant, scope: Scope) -> Value:
    value = node.value
    if type(value) is int and value >= LARGEST:
        return UNKNOWN
    return value


def _name(interpreter: Interpreter, node: ast.Name, scope: Scope) -> Value:
    name = node.id
    names = scope.names
    if name in names:
        return names[name]
    inner = scope.outer
    while inner is not None:
        if name in inner.names:
            return inner.names[name]
        inner = inner.outer
    values = scope.module.values
    return values[name] if name in values else interpreter.name_of_module(scope.module, name)


def _attribute(interpreter: Interpreter, node: ast.Attribute, scope: Scope) -> Value:
    value = node.value
    return attributes.get(
        interpreter, EXPRESSIONS[type(value)](interpreter, value, scope), node.attr, node, scope
    )


def _named(interpreter: Interpreter, node: ast.NamedExpr, scope: Scope) -> Value:
    value = evaluate(interpreter, node.value, scope)
    assign(interpreter, node.target, value, scope)
    return value


# --- operators


def _binary(interpreter: Interpreter, node: ast.BinOp, scope: Scope) -> Value:
    """``a + b + c`` from its first operand on, however many there are."""
    pending = [node]
    while isinstance(node.left, ast.BinOp):
        node = node.left
        pending.append(node)
    value = evaluate(interpreter, node.left, scope)
    for one in reversed(pending):
        right = evaluate(interpreter, one.right, scope)
        value = operate(interpreter, one.op, value, right, one, scope)
    return value


def _unary(interpreter: Interpreter, node: ast.UnaryOp, scope: Scope) -> Value:
    value = evaluate(interpreter, node.operand, scope)
    if isinstance(node.op, ast.Not):
        found = truth.known(interpreter, value)
        if found is not None:
            return not found
        if type(value) is Condition:
            return joined("not", value)
        return Condition("not", Condition("truth", value)) if type(value) is Dim else UNKNOWN
    if type(value) is Tensor:
        handler = method("__neg__" if isinstance(node.op, ast.USub) else "__invert__")
        return (
            value if handler is None else interpreter.call_torch(handler, [value], {}, node, scope)
        )
    if isinstance(value, int | float):
        match node.op:
            case ast.USub():
                return -value
            case ast.UAdd():
                return value
            case ast.Invert() if isinstance(value, int):
                return ~int(value)
    if type(value) is Dim and isinstance(node.op, ast.USub):
        return -value
    return UNKNOWN


def _boolean(interpreter: Interpreter, node: ast.BoolOp, scope: Scope) -> Value:
    """``and`` and ``or``: a condition where truths are joined, UNKNOWN where one of several other
    values may be the result.
    """
    stops = isinstance(node.op, ast.Or)
    open_ended: Value = None  # what came before and is not decided
    result: Value = None
    for part in node.values:
        result = evaluate(interpreter, part, scope)
        found = truth.known(interpreter, result)
        if found is stops and open_ended is None:
            return result
        if found is stops:
            return stops if type(result) is bool else UNKNOWN
        if found is None:
            result = Condition("truth", result) if type(result) is Dim else result
            if type(result) is not Condition:
                open_ended = UNKNOWN
            elif open_ended is not UNKNOWN:
                open_ended = (
                    result
                    if open_ended is None
                    else joined("or" if stops else "and", open_ended, result)
                )
    if open_ended is None:
        return result
    return open_ended if type(result) in (bool, Condition) or open_ended is UNKNOWN else UNKNOWN


def _compare(interpreter: Interpreter, node: ast.Compare, scope: Scope) -> Value:
    left = evaluate(interpreter, node.left, scope)
    result: Value = True
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = evaluate(interpreter, comparator, scope)
        found = compare(interpreter, op, left, right)
        if found is UNKNOWN:
            return UNKNOWN
        if found is False:
            return False
        if found is not True:
            result = found if result is True else joined("and", result, found)
        if result is UNKNOWN:
            return UNKNOWN
        left = right
    return result


def _conditional(interpreter: Interpreter, node: ast.IfExp, scope: Scope) -> Value:
    test = evaluate(interpreter, node.test, scope)
    taken = truth.known(interpreter, test)
    if taken is None and truth.is_on_parameters(interpreter, test):
        taken = truth.decide(interpreter, test)
    if taken is not None:
        return evaluate(interpreter, node.body if taken else node.orelse, scope)
    with interpreter.execution.supposing():
        one = evaluate(interpreter, node.body, scope)
    with interpreter.execution.supposing():
        other = evaluate(interpreter, node.orelse, scope)
    if one is other:
        return one
    same = type(one) in PLAIN and type(one) is type(other) and is_small(one) and one == other
    return one if same else UNKNOWN


# --- calls and subscripts


def _call(interpreter: Interpreter, node: ast.Call, scope: Scope) -> Value:
    callee = EXPRESSIONS[type(node.func)](interpreter, node.func, scope)
    if kept(node, "spreads", partial(_spreads, node)):
        return _spread_call(interpreter, callee, node, scope)
    args = [EXPRESSIONS[type(part)](interpreter, part, scope) for part in node.args]
    kwargs: dict[str, Value] = {
        keyword.arg: EXPRESSIONS[type(keyword.value)](interpreter, keyword.value, scope)  # type: ignore[misc]
        for keyword in node.keywords
    }
    return interpreter.call(callee, args, kwargs, node, scope)


def _spreads(node: ast.Call) -> bool:
    """Whether a call has ``*args`` or ``**kwargs``."""
    return any(type(part) is ast.Starred for part in node.args) or any(
        keyword.arg is None for keyword in node.keywords
    )


def _spread_call(interpreter: Interpreter, callee: Value, node: ast.Call, scope: Scope) -> Value:
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    open_ended = False
    for argument in node.args:
        if type(argument) is ast.Starred:
            spread = evaluate(interpreter, argument.value, scope)
            items = containers.iterate(interpreter, spread)
            if items is None or len(items) + len(args) > LONGEST:
                open_ended, items = True, []
            if has_more(spread) and type(callee) is not Class:
                # A class takes layers, with one that is unknown for any number of them.
                open_ended, items = True, [item for item in items if item is not UNKNOWN]
            args.extend(items)
        else:
            args.append(EXPRESSIONS[type(argument)](interpreter, argument, scope))
    for keyword in node.keywords:
        value = EXPRESSIONS[type(keyword.value)](interpreter, keyword.value, scope)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif type(value) is dict and all(type(key) is str for key in value):
            kwargs.update(value)
        else:
            open_ended = True
            if type(value) is dict:
                kwargs.update({key: item for key, item in value.items() if type(key) is str})
    return interpreter.call(callee, args, kwargs, node, scope, open_ended=open_ended)


def _subscript(interpreter: Interpreter, node: ast.Subscript, scope: Scope) -> Value:
    value = evaluate(interpreter, node.value, scope)
    key = evaluate(interpreter, node.slice, scope)
    if type(value) is Tensor:
        interpreter.execution.site = interpreter.at(node, scope)
        return index(interpreter.execution, value, key)
    return containers.get(value, key)


def _slice(interpreter: Interpreter, node: ast.Slice, scope: Scope) -> Value:
    parts = [
        None if part is None else evaluate(interpreter, part, scope)
        for part in (node.lower, node.upper, node.step)
    ]
    return slice(*parts)


def _lambda(interpreter: Interpreter, node: ast.Lambda, scope: Scope) -> Value:
    return make_function(interpreter, node, scope)


def _unknown(interpreter: Interpreter, node: ast.expr, scope: Scope) -> Value:
    return interpreter.record_gap(f"{type(node).__name__.lower()}", node, scope)


def _starred(interpreter: Interpreter, node: ast.Starred, scope: Scope) -> Value:
    return evaluate(interpreter, node.value, scope)


HANDLERS: dict[type, Callable[[Any, Any, Scope], Value]] = {
    **literals.HANDLERS,
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.NamedExpr: _named,
    ast.FormattedValue: _unknown,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Lambda: _lambda,
    ast.Starred: _starred,
    ast.Await: _unknown,
    ast.Yield: _unknown,
    ast.YieldFrom: _unknown,
}
