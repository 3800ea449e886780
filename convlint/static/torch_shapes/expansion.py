"""Expanding and repeating tensors along dimensions."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape, Tensor, Value, as_number
from convlint.static.torch_shapes.arguments import size_list, unknown_result, unpacked
from convlint.static.torch_shapes.broadcasting import is_never_one
from convlint.static.torch_shapes.registry import Parameter, both, operation
from convlint.static.torch_shapes.sizes import any_below, below, locate, plain, product, replaced, shape_of, show


@operation(".expand", signature="input, *sizes, size=None, implicit=False")
@operation(".broadcast_to", signature="input, *sizes, size=None")
def _expand(run: Execution, input: Tensor, sizes: tuple[Value, ...], size: Value) -> Value:
    return _broadcast_to(run, input, unpacked(sizes) if size is None else size)


@operation("broadcast_to")
def _broadcast_to(run: Execution, input: Tensor, size: Value) -> Value:
    shape, wanted = shape_of(run, input), size_list(run, (size,))
    if wanted is None:
        return run.emit("expand", [input], [None])[0]
    attrs = {"shape": tuple(wanted)}
    if shape is None:
        sizes = tuple([run.fresh("size") if below(size, 0) else size for size in wanted])
        return run.emit("expand", [input], [sizes], attrs)[0]
    if len(wanted) < len(shape):
        error = (
            f"expand: the number of sizes provided ({len(wanted)}) must be greater or equal to the "
            f"number of dimensions in the tensor ({len(shape)})"
        )
        return run.emit("expand", [input], [None], attrs, error)[0]
    result, expand_error = _expanded(run, shape, wanted)
    return run.emit("expand", [input], [result], attrs, expand_error)[0]


def _expanded(run: Execution, shape: Shape, wanted: list[Num]) -> tuple[Shape, str | None]:
    result = list(wanted)
    error: str | None = None
    new = len(wanted) - len(shape)
    for position, size in enumerate(wanted):
        existing: Num = shape[position - new] if position >= new else 1
        if type(size) is int and size == -1 and position >= new:
            result[position] = existing
        elif below(size, 0):
            error = (
                f"The expanded size of the tensor ({size}) isn't allowed in a leading, non-existing "
                f"dimension {position}"
            )
        elif is_never_one(run, existing) and not run.demand(existing, size):
            error = error or (
                f"The expanded size of the tensor ({size}) must match the existing size ({existing}) at non-singleton "
                f"dimension {position}. Target sizes: {show(wanted)}. Tensor sizes: {show(shape)}"
            )
    return tuple(result), error


@operation(".expand_as", signature="input, other")
def _expand_as(run: Execution, input: Value, other: Value) -> Value:
    shape = shape_of(run, other) if type(other) is Tensor else None
    if shape is None or type(input) is not Tensor:
        return unknown_result(run, input, other)
    return _broadcast_to(run, input, shape)


@operation(".repeat", signature="input, *sizes, repeats=None", op="repeat")
@operation(".tile", signature="input, *sizes, dims=None", repeats=Parameter("dims"), op="tile")
@operation("tile", signature="input, dims", sizes=(None,), repeats=Parameter("dims"), op="tile")
def _repeat(run: Execution, input: Tensor, sizes: tuple[Value, ...], repeats: Value, op: str) -> Value:
    counts = size_list(run, (repeats,) if repeats is not None else sizes)
    shape = shape_of(run, input)
    if shape is None or counts is None:
        return run.emit(op, [input], [None])[0]
    attrs = {"shape": tuple(counts)}
    if op == "tile" and len(counts) < len(shape):
        counts = [*(1,) * (len(shape) - len(counts)), *counts]
    if len(counts) < len(shape):
        error = "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        return run.emit(op, [input], [None], attrs, error)[0]
    if any_below(counts, 0):
        error = "Trying to create tensor with negative dimension"
        return run.emit(op, [input], [None], attrs, error)[0]
    padded = [1] * (len(counts) - len(shape)) + list(shape)
    return run.emit(op, [input], [tuple([plain(size * n) for size, n in zip(padded, counts, strict=True)])], attrs)[0]


@operation(*both("repeat_interleave"), signature="input, repeats=None, dim=None, *, output_size=None")
def _repeat_interleave(run: Execution, input: Tensor, repeats: Value, dim: Value) -> Value:
    op, times = "repeat_interleave", as_number(repeats)
    shape, position, error = locate(run, input, dim)
    if shape is None or times is None:
        return run.emit(op, [input], [None])[0]
    if below(times, 0):
        return run.emit(op, [input], [None], {}, "repeats can not be negative")[0]
    if dim is None:
        return run.emit(op, [input], [(plain(product(shape) * times),)])[0]
    if position is None:
        return run.emit(op, [input], [None], {}, error)[0]
    result = replaced(shape, position, plain(shape[position] * times)) if shape else (times,)
    return run.emit(op, [input], [result], {"dim": dim})[0]
