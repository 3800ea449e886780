"""Putting tensors together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Num, Shape, Tensor, Value
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizing import axis, out_of_range, shape_of, show, total, unseen


def _parts(values: Value) -> list[Tensor] | None:
    """The tensors that are put together; None if one of them is not known."""
    if type(values) not in (list, tuple) or not all(type(v) is Tensor for v in values):
        return None
    return list(values)


def concatenate(
    run: Execution, parts: Sequence[Tensor], dim: Value, shapes: Sequence[Shape | None]
) -> Tensor:
    """``torch.cat`` of tensors of known or unknown shapes."""
    attrs = {"dim": dim}
    known = [shape for shape in shapes if shape is not None]
    if not known or any(shape is not None and shape == (0,) for shape in shapes):
        return run.emit("cat", parts, [None], attrs)[0]
    rank = len(known[0])
    error = out_of_range(dim, rank) if rank else "zero-dimensional tensor cannot be concatenated"
    if any(len(shape) != rank for shape in known):
        return run.emit("cat", parts, [None], attrs, _ranks(known))[0]
    at = axis(dim, rank)
    if at is None or error is not None:
        return run.emit("cat", parts, [None if error is None else known[0]], attrs, error)[0]
    result: list[Num] = list(known[0])
    for number_, shape in enumerate(known[1:], 1):
        for position, one in enumerate(shape):
            if position == at:
                continue
            if not run.demand(result[position], one):
                error = error or (
                    f"Sizes of tensors must match except in dimension {at}. Expected size "
                    f"{result[position]} but got size {one} for tensor number {number_} in the list."
                )
            elif type(one) is int:
                result[position] = one
    result[at] = (
        total([shape[at] for shape in known]) if len(known) == len(shapes) else run.fresh("size")
    )
    return run.emit("cat", parts, [tuple(result)], attrs, error)[0]


def _ranks(known: Sequence[Shape]) -> str:
    found = list(dict.fromkeys(len(shape) for shape in known))
    return f"Tensors must have same number of dimensions: got {found[0]} and {found[1]}"


@operation("cat", "concat", "concatenate")
def _cat(
    run: Execution, tensors: Value, dim: Value = 0, *, axis: Value = None, out: Value = None
) -> Value:
    parts = _parts(tensors)
    dim = dim if axis is None else axis
    if parts is None:
        return _some_unknown(run, tensors, dim)
    if not parts:
        return UNKNOWN
    return concatenate(run, parts, dim, [shape_of(run, part) for part in parts])


def _some_unknown(run: Execution, values: Value, dim: Value) -> Value:
    """What can be said of a concatenation of which a part is not known: its other sizes."""
    parts = [v for v in values if type(v) is Tensor] if type(values) in (list, tuple) else []
    shapes = [shape for part in parts if (shape := shape_of(run, part)) is not None]
    at = axis(dim, len(shapes[0])) if shapes else None
    if at is None:
        return unseen(run, values)
    result = list(shapes[0])
    result[at] = run.fresh("size")
    return run.emit("unseen", parts, [tuple(result)])[0]


@operation("stack")
def _stack(
    run: Execution, tensors: Value, dim: Value = 0, *, axis: Value = None, out: Value = None
) -> Value:
    dim = dim if axis is None else axis
    parts = _parts(tensors)
    if not parts:
        return unseen(run, tensors)
    known = [shape for part in parts if (shape := shape_of(run, part)) is not None]
    if not known:
        return run.emit("stack", parts, [None], {"dim": dim})[0]
    return _stacked(run, parts, known, dim)


def _stacked(run: Execution, parts: list[Tensor], known: list[Shape], dim: Value) -> Tensor:
    rank, attrs = len(known[0]), {"dim": dim}
    error = out_of_range(dim, rank + 1)
    for shape in known[1:]:
        if len(shape) != rank or not all(
            run.demand(a, b) for a, b in zip(known[0], shape, strict=True)
        ):
            error = error or (
                f"stack expects each tensor to be equal size, but got {show(known[0])} at entry 0 "
                f"and {show(shape)} at entry {known.index(shape)}"
            )
    at = axis(dim, rank + 1)
    if at is None:
        return run.emit("stack", parts, [None], attrs, error)[0]
    result = (*known[0][:at], len(parts), *known[0][at:])
    return run.emit("stack", parts, [result], attrs, error)[0]


def _joined(op: str, least: int, dim_of: dict[int, int], dim: int) -> Any:
    """``hstack`` and its like: tensors of at least ``least`` dimensions along ``dim``."""

    def handler(run: Execution, tensors: Value, *, out: Value = None) -> Value:
        parts = _parts(tensors)
        if not parts:
            return unseen(run, tensors)
        shapes = [shape_of(run, part) for part in parts]
        if any(shape is None or len(shape) < least for shape in shapes):
            return run.emit(op, parts, [None])[0]
        known = [shape for shape in shapes if shape is not None]
        at = dim_of.get(len(known[0]), dim)
        return concatenate(run, parts, at, known)

    return handler


operation("hstack")(_joined("hstack", 1, {1: 0}, 1))
operation("vstack", "row_stack")(_joined("vstack", 2, {}, 0))
operation("dstack")(_joined("dstack", 3, {}, 2))
