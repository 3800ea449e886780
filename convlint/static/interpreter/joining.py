"""Values after an unknown condition: what both of its branches leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import Either, Library, Partial, Shape, Tensor, Unknown, Value, is_small
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.operators import PLAIN
from convlint.static.torch_shapes import Operation
from convlint.support.dataclass import dataclass

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


UNBOUND: Final = object()  # the value of a name or attribute that a branch does not bind
_CALLABLE = frozenset({Instance, Class, Function, Partial, Library, Operation, Either})
_DEEPEST = 4  # alternatives of one value
_MOST_PARTS = 8  # of a tuple that is joined part by part


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A value at the end of a branch, and what was known of its shape there."""

    value: Value
    shape: Shape | None = None
    parts: tuple[Outcome, ...] = ()  # of a tuple


def outcome(interpreter: Interpreter, value: Value) -> Outcome:
    """Return a value with its shape, as it is known in the branch that runs."""
    if type(value) is tuple and 0 < len(value) <= _MOST_PARTS and is_small(value):
        return Outcome(value, parts=tuple([outcome(interpreter, item) for item in value]))
    if type(value) is not Tensor or value.shape is None or value.cell.is_guess:
        return Outcome(value)
    return Outcome(value, tuple([interpreter.execution.reduced(size) for size in value.shape]))


def joined_values(interpreter: Interpreter, first: Outcome, second: Outcome, unknown: Unknown) -> Value:
    """Return the value that either branch left; ``unknown`` where they differ in more than the sizes of a tensor."""
    one, other = first.value, second.value
    if one is other or other is UNBOUND:
        return one
    if one is UNBOUND:
        return other  # a program that works reads only what is bound
    if type(one) is Tensor and type(other) is Tensor:
        return _joined_tensors(interpreter, first, second) or unknown
    if type(one) in PLAIN and type(one) is type(other) and is_small(one) and one == other:
        return one
    if len(first.parts) == len(second.parts) > 0:
        pairs = zip(first.parts, second.parts, strict=True)
        return tuple([joined_values(interpreter, *pair, unknown) for pair in pairs])
    if _may_be_either(one, other) and _depth(one) + _depth(other) < _DEEPEST:
        return Either(one, other, unknown)
    return unknown


def _may_be_either(one: Value, other: Value) -> bool:
    """Return whether two values can be called, or one of them is a module and the other None."""
    if one is None or other is None:
        module = other if one is None else one
        return type(module) is Instance and module.is_module
    return type(one) in _CALLABLE and type(other) in _CALLABLE


def call_either(either: Either, call: Call) -> Value:
    """Call one of two modules, of which it is not known which. What one of them rejects, the other may be there for."""
    interpreter, steps = call.interpreter, call.interpreter.execution.steps
    if either.first is None or either.second is None:  # a program that works calls the other
        return interpreter.call(either.second if either.first is None else either.first, call)
    start = len(steps)
    with interpreter.execution.hypothetical():
        first = outcome(interpreter, interpreter.call(either.first, call))
    with interpreter.execution.hypothetical():
        second = outcome(interpreter, interpreter.call(either.second, call))
    for step in steps[start:]:
        if step.error is not None:
            step.op, step.error, step.attrs = "unseen", None, {"known": True}
    return joined_values(interpreter, first, second, either.unknown)


def _depth(value: Value) -> int:
    return _depth(value.first) + _depth(value.second) if type(value) is Either else 1


def _joined_tensors(interpreter: Interpreter, first: Outcome, second: Outcome) -> Tensor | None:
    """Return a tensor with the sizes that both have, and unknown ones where they differ; None if the ranks do.

    Two tensors of any rank are one: what is called on it says its rank, as of an input.
    """
    execution, one, other = interpreter.execution, first.value, second.value
    dtype = one.dtype if one.dtype == other.dtype else None
    known = {"known": True}
    if one.cell is other.cell:
        return execution.emit("unseen", [one, other], [None], known, like=one, dtype=dtype)[0]
    if one.shape is None and other.shape is None and not execution.lost.keys() & {one.id, other.id}:
        return execution.emit("unseen", [one, other], [None], known, dtype=dtype)[0]
    if first.shape is None or second.shape is None or len(first.shape) != len(second.shape):
        return None
    pairs = zip(first.shape, second.shape, strict=True)
    shape = tuple([size if size == same else execution.fresh("size") for size, same in pairs])
    return execution.emit("unseen", [one, other], [shape], known, dtype=dtype)[0]
