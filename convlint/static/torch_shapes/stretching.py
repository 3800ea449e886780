"""Functions that repeat the elements of a tensor along dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Num, Tensor, Value
from convlint.static.torch_shapes.broadcasting import never_one
from convlint.static.torch_shapes.registry import both, operation
from convlint.static.torch_shapes.sizing import (
    axis,
    below,
    listed,
    number,
    out_of_range,
    plain,
    product,
    shape_of,
    show,
    unseen,
)


@operation(".expand", ".broadcast_to")
def _expand(
    run: Execution, self: Value, *sizes: Value, size: Value = None, implicit: Value = False
) -> Value:
    return broadcast_to(
        run,
        self,
        size
        if size is not None
        else sizes[0]
        if len(sizes) == 1 and type(sizes[0]) in (tuple, list)
        else sizes,
    )


@operation("broadcast_to")
def broadcast_to(run: Execution, input: Value, size: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape, wanted = shape_of(run, input), listed(run, (size,))
    if wanted is None:
        return run.emit("expand", [input], [None])[0]
    attrs = {"shape": tuple(wanted)}
    lead = len(wanted) - len(shape or ())
    if shape is None:
        sizes = tuple([run.fresh("size") if below(one, 0) else one for one in wanted])
        return run.emit("expand", [input], [sizes], attrs)[0]
    if lead < 0:
        told = (
            f"expand: the number of sizes provided ({len(wanted)}) must be greater or equal to the "
            f"number of dimensions in the tensor ({len(shape)})"
        )
        return run.emit("expand", [input], [None], attrs, told)[0]
    result = list(wanted)
    error: str | None = None
    for at, one in enumerate(wanted):
        have: Num = shape[at - lead] if at >= lead else 1
        if type(one) is int and one == -1 and at >= lead:
            result[at] = have
        elif below(one, 0):
            error = (
                f"The expanded size of the tensor ({one}) isn't allowed in a leading, non-existing "
                f"dimension {at}"
            )
        elif never_one(run, have) and not run.demand(have, one):
            error = error or (
                f"The expanded size of the tensor ({one}) must match the existing size ({have}) at "
                f"non-singleton dimension {at}. Target sizes: {show(wanted)}. Tensor sizes: "
                f"{show(shape)}"
            )
    return run.emit("expand", [input], [tuple(result)], attrs, error)[0]


@operation(".expand_as")
def _expand_as(run: Execution, self: Value, other: Value) -> Value:
    shape = shape_of(run, other) if type(other) is Tensor else None
    if shape is None:
        return unseen(run, self, other)
    return broadcast_to(run, self, shape)


def _repeated(run: Execution, x: Value, values: Sequence[Value], *, tile: bool) -> Value:
    if type(x) is not Tensor:
        return unseen(run, x)
    op = "tile" if tile else "repeat"
    shape, counts = shape_of(run, x), listed(run, values)
    if shape is None or counts is None:
        return run.emit(op, [x], [None])[0]
    attrs: dict[str, Any] = {"shape": tuple(counts)}
    if tile and len(counts) < len(shape):
        counts = [*(1,) * (len(shape) - len(counts)), *counts]
    if len(counts) < len(shape):
        error = (
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
        return run.emit(op, [x], [None], attrs, error)[0]
    if any(below(one, 0) for one in counts):
        return run.emit(op, [x], [None], attrs, "Trying to create tensor with negative dimension")[
            0
        ]
    padded = [1] * (len(counts) - len(shape)) + list(shape)
    result = tuple([plain(one * n) for one, n in zip(padded, counts, strict=True)])
    return run.emit(op, [x], [result], attrs)[0]


@operation(".repeat")
def _repeat(run: Execution, self: Value, *sizes: Value, repeats: Value = None) -> Value:
    return _repeated(run, self, (repeats,) if repeats is not None else sizes, tile=False)


@operation(".tile")
def _tile_method(run: Execution, self: Value, *dims: Value) -> Value:
    return _repeated(run, self, dims, tile=True)


@operation("tile")
def _tile(run: Execution, input: Value, dims: Value) -> Value:
    return _repeated(run, input, (dims,), tile=True)


@operation(*both("repeat_interleave"))
def _repeat_interleave(
    run: Execution,
    input: Value,
    repeats: Value = UNKNOWN,
    dim: Value = None,
    *,
    output_size: Value = None,
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape, times = shape_of(run, input), number(repeats)
    if shape is None or times is None:
        return run.emit("repeat_interleave", [input], [None])[0]
    if below(times, 0):
        return run.emit("repeat_interleave", [input], [None], {}, "repeats can not be negative")[0]
    if dim is None:
        return run.emit("repeat_interleave", [input], [(plain(product(shape) * times),)])[0]
    at = axis(dim, len(shape))
    if at is None:
        return run.emit("repeat_interleave", [input], [None], {}, out_of_range(dim, len(shape)))[0]
    result = list(shape)
    if shape:
        result[at] = plain(result[at] * times)
    else:
        result = [times]
    return run.emit("repeat_interleave", [input], [tuple(result)], {"dim": dim})[0]
