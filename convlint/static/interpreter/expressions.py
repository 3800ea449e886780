"""The values of expressions."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from convlint.static.domain.execution import Raised
from convlint.static.domain.objects import Class, Function, Instance, Names, Scope, site_of
from convlint.static.domain.origins import unknown_from
from convlint.static.domain.values import (
    LARGEST,
    LONGEST,
    UNKNOWN,
    AnyKey,
    Condition,
    InputMapping,
    Library,
    Partial,
    Sizes,
    Tensor,
    Unknown,
    Value,
    has_more,
    has_unknown,
    joined,
)
from convlint.static.interpreter import (
    attributes,
    displays,
    generators,
    input_mappings,
    parameter_lists,
    special_methods,
    truth,
)
from convlint.static.interpreter.assignment import assign
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.definitions import make_function
from convlint.static.interpreter.dispatch import EXPRESSIONS, ExpressionHandler, evaluate
from convlint.static.interpreter.joining import joined_values, outcome
from convlint.static.interpreter.operators import compare, operate
from convlint.static.interpreter.pymodel import containers, lookup, tensor_shape
from convlint.static.torch_shapes import Operation, index, method
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convlint.static.interpreter.interpreter import Interpreter


# --- names and constants


def _constant(interpreter: Interpreter, node: ast.Constant, scope: Scope) -> Value:
    return UNKNOWN if type(node.value) is int and node.value >= LARGEST else node.value


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
    owner = EXPRESSIONS[type(node.value)](interpreter, node.value, scope)
    value = attributes.get(interpreter, owner, node.attr, node, scope)
    return unknown_from(node, scope, owner) if type(value) is Unknown and value.node is None else value


def _named(interpreter: Interpreter, node: ast.NamedExpr, scope: Scope) -> Value:
    value = evaluate(interpreter, node.value, scope)
    assign(interpreter, node.target, value, scope)
    return value


# --- operators


def _binary(interpreter: Interpreter, node: ast.BinOp, scope: Scope) -> Value:
    """Evaluate a chain ``a + b + c``, from its first operand on, without recursion."""
    pending = [node]
    while isinstance(node.left, ast.BinOp):
        node = node.left
        pending.append(node)
    value = evaluate(interpreter, node.left, scope)
    for binary in reversed(pending):
        left, right = value, evaluate(interpreter, binary.right, scope)
        value = operate(binary.op, Call(interpreter, [left, right], {}, binary, scope))
        if type(value) is Unknown and value.node is None:
            value = unknown_from(binary, scope, left, right)
    return value


def _unary(interpreter: Interpreter, node: ast.UnaryOp, scope: Scope) -> Value:
    value = evaluate(interpreter, node.operand, scope)
    if isinstance(node.op, ast.Not):
        known = truth.known(interpreter, value)
        if known is not None:
            return not known
        if type(value) is Condition:
            return joined("not", value)
        return Condition("not", Condition("truth", value)) if type(value) is Dim else UNKNOWN
    if type(value) is Tensor:
        handler = method("__neg__" if isinstance(node.op, ast.USub) else "__invert__")
        if handler is None:
            return value
        return interpreter.call_torch(handler, Call(interpreter, [value], {}, node, scope))
    if isinstance(node.op, ast.USub) and isinstance(value, int | float | Dim):
        return -value
    if isinstance(node.op, ast.UAdd) and isinstance(value, int | float):
        return value
    return ~int(value) if isinstance(node.op, ast.Invert) and isinstance(value, int) else UNKNOWN


def _boolean(interpreter: Interpreter, node: ast.BoolOp, scope: Scope) -> Value:
    """``and`` and ``or``: a condition if all operands are truths, UNKNOWN if several values are possible."""
    deciding = isinstance(node.op, ast.Or)
    undecided: Value = None  # the operands so far whose truth is not known
    result: Value = None
    for operand in node.values:
        result = evaluate(interpreter, operand, scope)
        if operand is node.values[-1] and undecided is None:
            return result  # whatever its truth is
        known = truth.known(interpreter, result)
        if known is deciding and undecided is None:
            return result
        if known is deciding:
            is_zero = type(result) is int and not deciding and type(undecided) is Condition  # `a and 0`: 0, or a if 0
            return deciding if type(result) is bool else 0 if is_zero else UNKNOWN
        if known is None:
            if deciding and undecided is None and type(result) is Dim and truth.is_on_parameters(interpreter, result):
                if truth.decide(interpreter, result):
                    return result
                continue
            result = Condition("truth", result) if type(result) is Dim else result
            if type(result) is not Condition:
                undecided = UNKNOWN
            elif undecided is None:
                undecided = result
            elif type(undecided) is not Unknown:
                undecided = joined("or" if deciding else "and", undecided, result)
    if undecided is None:
        return result
    if type(undecided) is Unknown or type(result) in (bool, Condition):
        return undecided
    return UNKNOWN


def _compare(interpreter: Interpreter, node: ast.Compare, scope: Scope) -> Value:
    left = tensor_shape.compared(interpreter, node.left, scope)
    result: Value = True
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = evaluate(interpreter, comparator, scope)
        link = compare(interpreter, op, left, right)
        if type(link) is Unknown or link is False:
            return link
        if link is not True:
            result = link if result is True else joined("and", result, link)
        if type(result) is Unknown:
            return UNKNOWN
        left = right
    return result


def _conditional(interpreter: Interpreter, node: ast.IfExp, scope: Scope) -> Value:
    test = evaluate(interpreter, node.test, scope)
    taken = truth.known(interpreter, test)
    if taken is None and truth.is_on_parameters(interpreter, test):
        taken = truth.decide_at(interpreter, node, test, scope)
    if taken is not None:
        return evaluate(interpreter, node.body if taken else node.orelse, scope)
    with interpreter.execution.hypothetical():
        first = outcome(interpreter, evaluate(interpreter, node.body, scope))
    with interpreter.execution.hypothetical():
        second = outcome(interpreter, evaluate(interpreter, node.orelse, scope))
    unknown = unknown_from(node, scope, first.value, second.value, test)
    return joined_values(interpreter, first, second, unknown)


# --- calls and subscripts


def _call(interpreter: Interpreter, node: ast.Call, scope: Scope) -> Value:
    callee = EXPRESSIONS[type(node.func)](interpreter, node.func, scope)
    unpacks = node.__dict__.get("unpacks")  # as parse.cached, without a call
    if unpacks is None:
        unpacks = node.__dict__["unpacks"] = _unpacks(node)
    if unpacks:
        call = _unpacked(interpreter, callee, node, scope)
        value = interpreter.call(callee, call)
        if type(value) is Unknown and value.node is None:
            return unknown_from(node, scope, callee, *call.values())
        return value
    args = [EXPRESSIONS[type(part)](interpreter, part, scope) for part in node.args]
    kwargs: dict[str, Value] = {
        keyword.arg: EXPRESSIONS[type(keyword.value)](interpreter, keyword.value, scope)  # type: ignore[misc]
        for keyword in node.keywords
    }
    value = interpreter.call(callee, Call(interpreter, args, kwargs, node, scope))
    if type(value) is Unknown and value.node is None:
        return unknown_from(node, scope, callee, *args, *kwargs.values())
    return value


def _unpacks(node: ast.Call) -> bool:
    """Return whether a call has ``*args`` or ``**kwargs``."""
    return any(type(part) is ast.Starred for part in node.args) or any(keyword.arg is None for keyword in node.keywords)


def _unpacked(interpreter: Interpreter, callee: Value, node: ast.Call, scope: Scope) -> Call:
    """Return the arguments of a call with ``*args`` or ``**kwargs``; open-ended if these are not known."""
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    call = Call(interpreter, args, kwargs, node, scope)
    for argument in node.args:
        if type(argument) is ast.Starred:
            unpacked = evaluate(interpreter, argument.value, scope)
            items = None if type(unpacked) is Dim else containers.iterate(interpreter, unpacked)
            if items is None or len(items) + len(args) > LONGEST:
                call.open_ended, items = True, []
            if has_more(unpacked) and type(callee) is not Class:
                # A class takes layers, with one that is unknown for any number of them.
                call.open_ended, items = True, [item for item in items if type(item) is not Unknown]
            args.extend(items)
        else:
            args.append(evaluate(interpreter, argument, scope))
    for keyword in node.keywords:
        value = evaluate(interpreter, keyword.value, scope)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif type(value := containers.mapping(value)) is dict:
            names = {key: item for key, item in value.items() if type(key) is str}
            kwargs |= names
            call.open_ended |= len(names) < len(value)
        else:
            call.open_ended = True
    return call


def _subscript(interpreter: Interpreter, node: ast.Subscript, scope: Scope) -> Value:
    value = evaluate(interpreter, node.value, scope)
    key = evaluate(interpreter, node.slice, scope)
    if type(value) is Tensor:
        interpreter.execution.site = site_of(node, scope)
        return index(interpreter.execution, value, key)
    if type(value) is Instance and special_methods.defines(value, "__getitem__"):
        return special_methods.call_special(interpreter, value, "__getitem__", key, node=node, scope=scope)
    if type(value) is Sizes:
        item = tensor_shape.item(interpreter.execution, value, key)
        return unknown_from(node, scope, value, key) if type(item) is Unknown else item
    if type(value) is InputMapping:
        return input_mappings.part(interpreter, value, key) if type(key) in (str, AnyKey) else UNKNOWN
    if type(value) is Dim and (type(key) is slice or (type(key) is int and key < 0)):
        value = parameter_lists.items(interpreter, value) or value
    if type(node.slice) is not ast.Constant and type(value) in (list, tuple, dict) and _holds_code(value):
        key = interpreter.execution.settled(key)  # `(nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]`
        if type(node.slice) is ast.BinOp and type(key) is int and key < 0:
            key = UNKNOWN  # no number of dimensions is 0: a list was taken for a number
    if type(value) is Names and type(key) is str:
        return interpreter.name_of_module(value.module, key)
    if type(value) is Library and value.name == "sys.modules" and type(key) is str:
        return lookup.module_named(interpreter, key, scope)
    item = containers.get(value, key)
    if type(item) is Unknown and type(value) in (list, tuple) and type(key) is int:
        is_too_short = type(value) is list and interpreter.execution.is_too_short(value, key)
        if is_too_short or (interpreter.is_trial and _is_beyond(value, key)):
            raise Raised("an index is out of range")  # a list of another length is tried, or another index
    return unknown_from(node, scope, value, key) if type(item) is Unknown and item.node is None else item


def _is_beyond(items: Sequence[Value], position: int) -> bool:
    """Return whether items of a known number have none at a position."""
    return not has_unknown(items) and not -len(items) <= position < len(items)


def _holds_code(value: Value) -> bool:
    """Return whether all values of a container are classes or functions."""
    items = value.values() if type(value) is dict else value
    return bool(value) and all(type(item) in (Class, Function, Library, Partial, Operation) for item in items)


def _slice(interpreter: Interpreter, node: ast.Slice, scope: Scope) -> Value:
    bounds = (node.lower, node.upper, node.step)
    return slice(*[None if bound is None else evaluate(interpreter, bound, scope) for bound in bounds])


def _unsupported(interpreter: Interpreter, node: ast.expr, scope: Scope) -> Value:
    return interpreter.record_gap(f"{type(node).__name__.lower()} expressions are not supported", node, scope)


HANDLERS: dict[type, ExpressionHandler] = {
    **displays.HANDLERS,
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.NamedExpr: _named,
    ast.FormattedValue: _unsupported,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Lambda: make_function,
    ast.Starred: lambda interpreter, node, scope: evaluate(interpreter, node.value, scope),
    ast.Await: _unsupported,
    **generators.HANDLERS,
}
