"""The shape of a tensor whose rank is not known: its length, items and slices."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Scope
from convlint.static.domain.values import UNKNOWN, Sizes, Tensor, Unknown, Value
from convlint.static.interpreter.dispatch import evaluate

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

_MOST_SIZES = 16


def item(run: Execution, shape: Sizes, key: Value) -> Value:
    """Return ``shape[key]`` for an index or a slice."""
    if type(key) is int and abs(key) < _MOST_SIZES:
        return run.size_at(shape.tensor, key + shape.start if key >= 0 else key)
    if type(key) is not slice or key.step not in (None, 1):
        return UNKNOWN
    first = 0 if key.start is None else key.start
    if key.stop is None and type(first) is int and 0 <= first < _MOST_SIZES:
        return Sizes(shape.tensor, shape.start + first)
    end = 0 if key.stop is None and type(first) is int and first < 0 else key.stop
    if type(first) is not int or type(end) is not int or (first < 0) != (end <= 0):
        return UNKNOWN
    if not -_MOST_SIZES < first < end < _MOST_SIZES:
        return UNKNOWN
    start = shape.start if first >= 0 else 0
    return tuple([run.size_at(shape.tensor, start + index) for index in range(first, end)])


def size(run: Execution, tensor: Tensor, dim: Value = None) -> Value:
    """Return ``tensor.size()`` or ``tensor.size(dim)``."""
    return Sizes(tensor) if dim is None else item(run, Sizes(tensor), dim)


def compared(interpreter: Interpreter, node: ast.expr, scope: Scope) -> Value:
    """Return the value of an expression that is compared; of ``len(x.shape)`` the rank that a caller chooses.

    Only a comparison says something about a rank that is not known: it is not a number to count with.
    """
    value = evaluate(interpreter, node, scope)
    if type(value) is not Unknown:
        return value
    tensor: Value = None
    match node:
        case ast.Call(func=ast.Name(id="len"), args=[owner], keywords=[]):
            shape = evaluate(interpreter, owner, scope)
            tensor = shape.tensor if type(shape) is Sizes and not shape.start else None
        case (
            ast.Attribute(value=owner, attr="ndim")
            | ast.Call(func=ast.Attribute(value=owner, attr="dim" | "ndimension"), args=[], keywords=[])
        ):
            tensor = evaluate(interpreter, owner, scope)
    rank = interpreter.execution.rank(tensor) if type(tensor) is Tensor else None
    return value if rank is None else rank
