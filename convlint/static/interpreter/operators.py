"""Operators: arithmetic and comparison of values."""

from __future__ import annotations

import ast
import operator
import posixpath
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from convlint import symbolic
from convlint.static.domain.objects import Class, Instance
from convlint.static.domain.values import (
    LARGEST,
    LONGEST,
    UNKNOWN,
    Builtin,
    Condition,
    Either,
    FilePath,
    Library,
    Real,
    Sizes,
    Tensor,
    Unknown,
    Value,
    Vector,
    as_real,
    is_small,
    joined,
)
from convlint.static.interpreter import special_methods, truth
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel import containers
from convlint.static.interpreter.pymodel.native import whole_value
from convlint.static.torch_shapes import method
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

Compute = Callable[[Value, Value], Value]

PLAIN = (int, float, str, bool, bytes, tuple, type(None))
_SEQUENCES = (str, bytes, tuple)
_LARGEST_SYMBOLIC_POWER = 4
_LARGEST_SHIFT = 16
_WIDE_FIELD = re.compile(r"\d{4}|\*")


def operate(op: ast.operator, operands: Call, *, inplace: bool = False) -> Value:
    """``left op right``, as a call with the two operands."""
    left, right = operands.args
    compute, name = _OPERATORS[type(op)]
    left_type, right_type = type(left), type(right)
    if left_type is int and right_type is int:
        return _plain(compute, left, right)
    if left_type is Tensor or right_type is Tensor:
        return _on_tensors(name, operands, inplace=inplace)
    if left_type is Unknown or right_type is Unknown:
        return False if name == "and" and (left is False or right is False) else UNKNOWN
    if name == "and" and left_type is right_type is Dim:
        return _common_bits(operands)
    if left_type is Vector or right_type is Vector:
        return _on_vectors(op, operands)
    if left_type is list and right_type is Dim and name == "mul":  # `[1] * (blocks - 1)`
        right = operands.interpreter.execution.counted(right)
        right_type = type(right)
        if right_type is Dim and any(type(item) is Tensor for item in left):
            return [*left, UNKNOWN]  # any number of them
    elif left_type in (Dim, Real) or right_type in (Dim, Real):
        return _symbolic(name, compute, left, right)
    if isinstance(left, list) and isinstance(right, list) and name == "add":
        operands.interpreter.handle_items(len(left) + len(right))
        return left + right if len(left) + len(right) <= LONGEST else UNKNOWN
    if isinstance(left, list) and right_type is int and name == "mul":
        return left * right if len(left) * right <= LONGEST else UNKNOWN
    if isinstance(left, PLAIN) and isinstance(right, PLAIN):
        return _plain(compute, left, right)
    if isinstance(left, dict) and isinstance(right, dict) and name == "or":
        operands.interpreter.handle_items(len(left) + len(right))
        return left | right
    if name == "truediv" and {left_type, right_type} <= {str, FilePath}:
        return FilePath(posixpath.join(str(left), str(right)))
    if _is_exact(left) and _is_exact(right):
        return _plain(compute, left, right)
    return UNKNOWN


def _is_exact(value: Value) -> bool:
    """Return whether a value is a number, ``fractions.Fraction`` included."""
    return type(value) in (int, float) or type(value).__module__ == "fractions"


def _on_vectors(op: ast.operator, operands: Call) -> Value:
    """Arithmetic of arrays, item by item; a number counts for each of them."""
    left, right = operands.args
    length = len((left if type(left) is Vector else right).items)
    columns = [side.items if type(side) is Vector else (side,) * length for side in (left, right)]
    if len(columns[0]) != len(columns[1]) or not all(
        isinstance(v, int | float | Dim | Real) for c in columns for v in c
    ):
        return UNKNOWN
    return Vector(tuple([operate(op, operands.with_args(pair)) for pair in zip(*columns, strict=True)]))


def _plain(compute: Compute, left: Value, right: Value) -> Value:
    if compute is operator.pow and not _is_small_power(left, right):
        return UNKNOWN
    if compute is operator.lshift and (not isinstance(right, int) or right > 64):
        return UNKNOWN
    sequences = isinstance(left, _SEQUENCES) or isinstance(right, _SEQUENCES)
    if sequences and not _is_short(compute, left, right):
        return UNKNOWN
    try:
        result = compute(left, right)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return UNKNOWN
    if type(result) is int and not -LARGEST < result < LARGEST:
        return UNKNOWN
    if type(result).__module__ == "fractions" and max(abs(result.numerator), result.denominator) >= LARGEST:
        return UNKNOWN
    return UNKNOWN if type(result) is complex else result


def _is_short(compute: Compute, left: Value, right: Value) -> bool:
    """Return whether arithmetic with sequences has a result of at most LONGEST items."""
    if compute is operator.add:
        return isinstance(left, type(right)) and len(left) + len(right) <= LONGEST
    if compute is operator.mul:
        sequence, count = (right, left) if isinstance(left, int) else (left, right)
        return isinstance(count, int) and len(sequence) * count <= LONGEST
    if compute is operator.mod:
        return is_short_format(left) and is_small(right)
    return False


def is_short_format(template: Value) -> bool:
    """Return whether a format string has no field with a width of thousands of characters."""
    return isinstance(template, str) and not _WIDE_FIELD.search(template)


def _is_small_power(left: Value, right: Value) -> bool:
    return isinstance(left, int | float) and isinstance(right, int | float) and abs(right) <= 64 and abs(left) <= 2**20


def _common_bits(operands: Call) -> Value:
    """``scale & (scale - 1)``, which is 0 for a power of 2."""
    execution = operands.interpreter.execution
    left, right = operands.args
    if execution.settle_at_defaults(left) is None and (left - right).value == 1:
        execution.settle_power(left)
    left, right = execution.reduced(left), execution.reduced(right)
    return left & right if type(left) is type(right) is int else UNKNOWN


def _symbolic(name: str, compute: Compute, left: Value, right: Value) -> Value:
    """Arithmetic with symbols: exact for integers, by name for floats."""
    if not all(isinstance(side, int | float | Dim | Real) for side in (left, right)):
        return UNKNOWN
    whole = isinstance(left, int | Dim) and isinstance(right, int | Dim)
    if whole and name in ("add", "sub", "mul", "floordiv", "mod"):
        return whole_value(compute(symbolic.as_dim(left), symbolic.as_dim(right)))
    if whole and name in ("lshift", "rshift") and type(right) is int and 0 <= right <= _LARGEST_SHIFT:
        factor = symbolic.as_dim(2**right)
        return whole_value(symbolic.as_dim(left) * factor if name == "lshift" else symbolic.as_dim(left) // factor)
    if whole and name == "pow" and type(right) is int and 0 < right <= _LARGEST_SYMBOLIC_POWER:
        power = symbolic.as_dim(left)
        for _ in range(right - 1):
            power = power * left
        return whole_value(power)
    if name == "truediv" and right == 1:
        return Real(as_real(left))
    if name == "mul" and 1.0 in (left, right):
        return Real(as_real(right if left == 1.0 else left))
    result = symbolic.apply(name, as_real(left), as_real(right))
    return UNKNOWN if result.is_unknown else Real(result)


def _on_tensors(name: str, operands: Call, *, inplace: bool) -> Value:
    handler = method(f"__i{name}__") if inplace and type(operands.args[0]) is Tensor else None
    handler = handler or method(f"__{name}__")
    if handler is None:
        return operands.interpreter.call_unknown(operands)
    return operands.interpreter.call_torch(handler, operands)


_OPERATORS: dict[type, tuple[Compute, str]] = {
    ast.Add: (operator.add, "add"),
    ast.Sub: (operator.sub, "sub"),
    ast.Mult: (operator.mul, "mul"),
    ast.Div: (operator.truediv, "truediv"),
    ast.FloorDiv: (operator.floordiv, "floordiv"),
    ast.Mod: (operator.mod, "mod"),
    ast.Pow: (operator.pow, "pow"),
    ast.LShift: (operator.lshift, "lshift"),
    ast.RShift: (operator.rshift, "rshift"),
    ast.BitOr: (operator.or_, "or"),
    ast.BitAnd: (operator.and_, "and"),
    ast.BitXor: (operator.xor, "xor"),
    ast.MatMult: (operator.matmul, "matmul"),
}


def compare(interpreter: Interpreter, op: ast.cmpop, left: Value, right: Value) -> Value:
    """``left op right``: True, False, a condition, or UNKNOWN."""
    match op:
        case ast.Is() | ast.IsNot():
            result = _is(left, right)
        case ast.In() | ast.NotIn():
            result = _contains(interpreter, left, right)
        case ast.Eq() | ast.NotEq():
            result = _equal(interpreter, left, right)
        case _:
            return _ordered(interpreter, op, left, right)
    if isinstance(op, ast.IsNot | ast.NotIn | ast.NotEq):
        if type(result) is bool:
            return not result
        return result if type(result) is Unknown else joined("not", result)
    return result


def _contains(interpreter: Interpreter, left: Value, right: Value) -> Value:
    if special_methods.defines(right, "__contains__"):
        known = truth.known(interpreter, special_methods.call_special(interpreter, right, "__contains__", left))
        return UNKNOWN if known is None else known
    if type(right) in (list, tuple):
        reduced = interpreter.execution.reduced
        left, *right = [reduced(value) if type(value) is Dim else value for value in (left, *right)]
    return containers.contains(left, right)


def _is(left: Value, right: Value) -> Value:
    if type(left) is Unknown or type(right) is Unknown:
        return UNKNOWN
    if type(left) is Either:
        first, second = _is(left.first, right), _is(left.second, right)
        return first if first is second else UNKNOWN
    if left is None or right is None or isinstance(right, bool):
        return left is right
    return left is right or (isinstance(left, Library | Class | Builtin) and left == right)


def _equal(interpreter: Interpreter, left: Value, right: Value) -> Value:
    if type(left) in (Unknown, Tensor) or type(right) in (Unknown, Tensor):
        return UNKNOWN
    if type(left) is Dim or type(right) is Dim:
        if isinstance(left, int | Dim) and isinstance(right, int | Dim):
            known = interpreter.execution.equal(left, right)
            return Condition("==", left, right) if known is None else known
        # The type of the parameter is not known: it may be a string, a sequence or a float.
        other = right if type(left) is Dim else left
        return UNKNOWN if isinstance(other, str | tuple | list | float | Real | Condition) else False
    if isinstance(left, Real | Condition) or isinstance(right, Real | Condition):
        return UNKNOWN
    if isinstance(left, tuple | list) and isinstance(right, tuple | list):
        if type(left) is not type(right) or len(left) != len(right):
            return False
        if not is_small(left) or not is_small(right):
            return UNKNOWN
        parts = [_equal(interpreter, a, b) for a, b in zip(left, right, strict=True)]
        if False in parts:
            return False
        return True if all(part is True for part in parts) else UNKNOWN
    if isinstance(left, Instance | Vector | Sizes) or isinstance(right, Instance | Vector | Sizes):
        return left is right or UNKNOWN
    if isinstance(left, dict) and not (is_small(left) and is_small(right)):
        return UNKNOWN
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - values of any type: if they cannot be compared, it is unknown
        return UNKNOWN


def _ordered(interpreter: Interpreter, op: ast.cmpop, left: Value, right: Value) -> Value:
    if type(left) in (Dim, Real) or type(right) in (Dim, Real):
        if not all(isinstance(side, int | float | Dim | Real) for side in (left, right)):
            return UNKNOWN
        left, right = as_real(left), as_real(right)
        if isinstance(op, ast.Gt | ast.GtE):
            left, right = right, left
        condition = Condition("<" if isinstance(op, ast.Lt | ast.Gt) else "<=", left, right)
        known = truth.known(interpreter, condition)
        return condition if known is None else known
    if isinstance(left, PLAIN) and isinstance(right, PLAIN) and is_small(left) and is_small(right):
        try:
            return bool(_ORDERING[type(op)](left, right))
        except TypeError:
            return UNKNOWN
    return UNKNOWN


_ORDERING: dict[type, Compute] = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}
