"""Concatenating and stacking tensors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Shape, Tensor, Value
from convlint.static.torch_shapes.arguments import is_sequence, unknown_result
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizes import axis as position_of
from convlint.static.torch_shapes.sizes import dim_error, replaced, shape_of, shape_of_rank, show, total


def _parts(values: Value) -> list[Tensor] | None:
    """Return the tensors to concatenate; None if one of them is unknown."""
    if not is_sequence(values) or not all(type(v) is Tensor for v in values):
        return None
    return list(values)


def _concatenate(run: Execution, parts: Sequence[Tensor], dim: Value, shapes: Sequence[Shape | None]) -> Tensor:
    """Record ``torch.cat`` of tensors of known or unknown shapes."""
    attrs = {"dim": dim}
    known = [shape for shape in shapes if shape is not None]
    if not known or any(shape == (0,) for shape in shapes):
        return run.emit("cat", parts, [None], attrs)[0]
    rank = len(known[0])
    if len(known) < len(shapes):
        shapes = [_of_rank(run, part, rank) if s is None else s for part, s in zip(parts, shapes, strict=True)]
        known = [shape for shape in shapes if shape is not None]
    error = dim_error(dim, rank) if rank else "zero-dimensional tensor cannot be concatenated"
    other = next((len(shape) for shape in known if len(shape) != rank), None)
    if other is not None:
        error = f"Tensors must have same number of dimensions: got {rank} and {other}"
        return run.emit("cat", parts, [None], attrs, error)[0]
    position = position_of(dim, rank)
    if position is None or error is not None:
        return run.emit("cat", parts, [None if error is None else known[0]], attrs, error)[0]
    result = list(known[0])
    for index, shape in enumerate(known[1:], 1):
        for at, size in enumerate(shape):
            if at == position:
                continue
            if not run.demand(result[at], size):
                error = error or (
                    f"Sizes of tensors must match except in dimension {position}. Expected size "
                    f"{result[at]} but got size {size} for tensor number {index} in the list."
                )
            elif type(size) is int:
                result[at] = size
    result[position] = total([s[position] for s in known]) if len(known) == len(shapes) else run.fresh("size")
    return run.emit("cat", parts, [tuple(result)], attrs, error)[0]


def _of_rank(run: Execution, part: Tensor, rank: int) -> Shape | None:
    """Return the shape of a tensor of which only the last size is known: it has as many dimensions as the others."""
    return shape_of_rank(run, part, rank) if part.cell.shape is None and part.cell.last is not None else None


@operation("cat", "concat", "concatenate", signature="tensors, dim=0, *, axis=None, out=None")
def _cat(run: Execution, tensors: Value, dim: Value, axis: Value) -> Value:
    parts = _parts(tensors)
    dim = dim if axis is None else axis
    if parts is None:
        return _with_unknown(run, tensors, dim)
    if not parts:
        return UNKNOWN
    result = _concatenate(run, parts, dim, [shape_of(run, part) for part in parts])
    values = [part.values for part in parts]
    result.values = None if None in values else tuple(chain.from_iterable(filter(None, values)))
    return result


def _with_unknown(run: Execution, values: Value, dim: Value, *, is_new: bool = False) -> Value:
    """Return a concatenation, or stack with a new dimension, of which a part is unknown: its other sizes are known."""
    parts = [v for v in values if type(v) is Tensor] if is_sequence(values) else []
    shapes = [shape for part in parts if (shape := shape_of(run, part)) is not None]
    position = position_of(dim, len(shapes[0]) + is_new) if shapes else None
    if position is None:
        return unknown_result(run, values)
    first, size = shapes[0], run.fresh("size")
    shape = (*first[:position], size, *first[position:]) if is_new else replaced(first, position, size)
    result = run.emit("unseen", parts, [shape], {"known": True} if is_new else {})[0]
    return result if is_new else run.note_operand(result, values)


@operation("stack", signature="tensors, dim=0, *, axis=None, out=None")
def _stack(run: Execution, tensors: Value, dim: Value, axis: Value) -> Value:
    parts = _parts(tensors)
    if parts is None:
        return _with_unknown(run, tensors, dim if axis is None else axis, is_new=True)
    if not parts:
        return unknown_result(run, tensors)
    attrs = {"dim": dim if axis is None else axis}
    known = [shape for part in parts if (shape := shape_of(run, part)) is not None]
    if not known:
        return run.emit("stack", parts, [None], attrs)[0]
    first, error = known[0], dim_error(attrs["dim"], len(known[0]) + 1)
    for shape in known[1:]:
        if len(shape) != len(first) or not all(run.demand(a, b) for a, b in zip(first, shape, strict=True)):
            error = error or (
                f"stack expects each tensor to be equal size, but got {show(first)} at entry 0 "
                f"and {show(shape)} at entry {known.index(shape)}"
            )
    position = position_of(attrs["dim"], len(first) + 1)
    if position is None:
        return run.emit("stack", parts, [None], attrs, error)[0]
    return run.emit("stack", parts, [(*first[:position], len(parts), *first[position:])], attrs, error)[0]


@operation("hstack", signature="tensors, *, out=None", op="hstack", least_rank=1, dim=1)
@operation("vstack", "row_stack", signature="tensors, *, out=None", op="vstack", least_rank=2, dim=0)
@operation("dstack", signature="tensors, *, out=None", op="dstack", least_rank=3, dim=2)
def _stack_along(run: Execution, tensors: Value, op: str, least_rank: int, dim: int) -> Value:
    """Concatenate tensors of at least ``least_rank`` dimensions; hstack joins vectors along 0."""
    parts = _parts(tensors)
    if not parts:
        return unknown_result(run, tensors)
    known: list[Shape] = []
    for part in parts:
        shape = shape_of(run, part)
        if shape is None or len(shape) < least_rank:
            return run.emit(op, parts, [None])[0]
        known.append(shape)
    return _concatenate(run, parts, 0 if len(known[0]) == 1 else dim, known)
