"""What operators do to values: arithmetic and comparison."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from convlint import symbolic
from convlint.static.domain.objects import Class, Instance, Scope
from convlint.static.domain.values import (
    LONGEST,
    UNKNOWN,
    Condition,
    Library,
    Real,
    Tensor,
    Value,
    as_real,
    is_small,
    joined,
)
from convlint.static.interpreter import truth
from convlint.static.interpreter.pymodel import containers
from convlint.static.torch_shapes import method
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

LARGEST = 2**63  # of a number: more than any size or count
PLAIN = (int, float, str, bool, bytes, tuple, type(None))
_LARGEST_POWER = 4  # that is written out


def operate(
    interpreter: Interpreter,
    op: ast.operator,
    left: Value,
    right: Value,
    node: ast.expr,
    scope: Scope,
    *,
    inplace: bool = False,
) -> Value:
    """``left op right``."""
    compute, name = _OPERATORS[type(op)]
    one, other = type(left), type(right)
    if one is int and other is int:
        return _plain(compute, left, right)
    if one is Tensor or other is Tensor:
        return _on_tensors(interpreter, name, left, right, node, scope, inplace=inplace)
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if one is Dim or other is Dim or one is Real or other is Real:
        return _symbolic(name, compute, left, right)
    if isinstance(left, list) and isinstance(right, list) and name == "add":
        return left + right if len(left) + len(right) <= LONGEST else UNKNOWN
    if isinstance(left, list | tuple) and other is Dim:
        return UNKNOWN
    if isinstance(left, list) and other is int and name == "mul":
        return left * right if len(left) * right <= LONGEST else UNKNOWN
    if isinstance(left, PLAIN) and isinstance(right, PLAIN):
        return _plain(compute, left, right)
    return UNKNOWN


_SEQUENCES = (str, bytes, tuple)


def _plain(compute: Callable[[Any, Any], Any], left: Any, right: Any) -> Value:
    if compute is operator.pow and not _is_small_power(left, right):
        return UNKNOWN
    if compute is operator.lshift and (not isinstance(right, int) or right > 64):
        return UNKNOWN
    sequences = isinstance(left, _SEQUENCES) or isinstance(right, _SEQUENCES)
    if sequences and not _is_short(compute, left, right):
        return UNKNOWN
    try:
        found = compute(left, right)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return UNKNOWN
    if type(found) is int and not -LARGEST < found < LARGEST:
        return UNKNOWN
    return UNKNOWN if type(found) is complex else found


def _is_short(compute: Callable[[Any, Any], Any], left: Any, right: Any) -> bool:
    """Whether what arithmetic makes of sequences is short enough to be written out."""
    if compute is operator.add:
        return isinstance(left, type(right)) and len(left) + len(right) <= LONGEST
    if compute is operator.mul:
        one, other = (right, left) if isinstance(left, int) else (left, right)
        return isinstance(other, int) and len(one) * other <= LONGEST
    if compute is operator.mod:
        return is_short_format(left) and is_small(right)
    return False


def is_short_format(template: Any) -> bool:
    """Whether a template asks for no field of thousands of characters."""
    return isinstance(template, str) and not _WIDE.search(template)


_WIDE = re.compile(r"\d{4}|\*")


def _is_small_power(left: Any, right: Any) -> bool:
    return (
        isinstance(left, int | float)
        and isinstance(right, int | float)
        and abs(right) <= 64
        and abs(left) <= 2**20
    )


def _symbolic(name: str, compute: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    """Arithmetic with symbols: exact for integers, by name for floats."""
    if not all(isinstance(side, int | float | Dim | Real) for side in (left, right)):
        return UNKNOWN
    whole = isinstance(left, int | Dim) and isinstance(right, int | Dim)
    if whole and name in ("add", "sub", "mul", "floordiv", "mod"):
        return _known_value(compute(symbolic.as_dim(left), symbolic.as_dim(right)))
    if whole and name == "pow" and type(right) is int and 0 < right <= _LARGEST_POWER:
        found = symbolic.as_dim(left)
        for _ in range(right - 1):
            found = found * left
        return _known_value(found)
    if name == "truediv" and right == 1:
        return Real(as_real(left))
    if name == "mul" and 1.0 in (left, right):
        return Real(as_real(right if left == 1.0 else left))
    made = symbolic.apply(name, as_real(left), as_real(right))
    return UNKNOWN if made.is_unknown else Real(made)


def _known_value(dim: Dim) -> Value:
    if dim.is_unknown:
        return UNKNOWN
    return dim if dim.value is None else dim.value


def _on_tensors(
    interpreter: Interpreter,
    name: str,
    left: Value,
    right: Value,
    node: ast.expr,
    scope: Scope,
    *,
    inplace: bool,
) -> Value:
    handler = method(f"__{'i' if inplace and type(left) is Tensor else ''}{name}__") or method(
        f"__{name}__"
    )
    if handler is None:
        return interpreter.call_unknown([left, right], {}, node, scope)
    return interpreter.call_torch(handler, [left, right], {}, node, scope)


_OPERATORS: dict[type, tuple[Callable[[Any, Any], Any], str]] = {
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
            found = _is(left, right)
        case ast.In() | ast.NotIn():
            found = containers.contains(left, right)
        case ast.Eq() | ast.NotEq():
            found = _equal(interpreter, left, right)
        case _:
            return _ordered(interpreter, op, left, right)
    if isinstance(op, ast.IsNot | ast.NotIn | ast.NotEq):
        if type(found) is bool:
            return not found
        return found if found is UNKNOWN else joined("not", found)
    return found


def _is(left: Value, right: Value) -> Value:
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if left is None or right is None or isinstance(right, bool):
        return left is right
    return left is right or left == right if isinstance(left, Library | Class) else left is right


def _equal(interpreter: Interpreter, left: Value, right: Value) -> Value:
    if left is UNKNOWN or right is UNKNOWN or type(left) is Tensor or type(right) is Tensor:
        return UNKNOWN
    if type(left) is Dim or type(right) is Dim:
        if not isinstance(left, int | Dim) or not isinstance(right, int | Dim):
            # a parameter of unknown type: a string or a tuple may be meant
            return (
                UNKNOWN
                if isinstance(left, str | tuple | list | float)
                or isinstance(right, str | tuple | list | float)
                else False
            )
        found = interpreter.execution.equal(left, right)
        return Condition("==", left, right) if found is None else found
    if (
        type(left) is Real
        or type(right) is Real
        or type(left) is Condition
        or type(right) is Condition
    ):
        return UNKNOWN
    if isinstance(left, tuple | list) and isinstance(right, tuple | list):
        if type(left) is not type(right) or len(left) != len(right):
            return False
        if not is_small(left) or not is_small(right):
            return UNKNOWN
        parts = [_equal(interpreter, one, other) for one, other in zip(left, right, strict=True)]
        if False in parts:
            return False
        return True if all(part is True for part in parts) else UNKNOWN
    if isinstance(left, Instance) or isinstance(right, Instance):
        return left is right or UNKNOWN
    if isinstance(left, dict) and not (is_small(left) and is_small(right)):
        return UNKNOWN
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - whatever it is, it cannot be compared here
        return UNKNOWN


def _ordered(interpreter: Interpreter, op: ast.cmpop, left: Value, right: Value) -> Value:
    if type(left) in (Dim, Real) or type(right) in (Dim, Real):
        if not all(isinstance(side, int | float | Dim | Real) for side in (left, right)):
            return UNKNOWN
        left, right = as_real(left), as_real(right)
        swapped = isinstance(op, ast.Gt | ast.GtE)
        one, other = (right, left) if swapped else (left, right)
        condition = Condition("<" if isinstance(op, ast.Lt | ast.Gt) else "<=", one, other)
        found = truth.known(interpreter, condition)
        return condition if found is None else found
    if isinstance(left, PLAIN) and isinstance(right, PLAIN):
        if not is_small(left) or not is_small(right):
            return UNKNOWN
        compute = _ORDER[type(op)]
        try:
            return bool(compute(left, right))
        except TypeError:
            return UNKNOWN
    return UNKNOWN


_ORDER: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
