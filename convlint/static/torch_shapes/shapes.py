"""Functions that give the same elements another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import UNKNOWN, Library, Num, Shape, Tensor, Value
from convlint.static.torch_shapes.registry import LAYERS, LayerKind, both, operation
from convlint.static.torch_shapes.sizing import (
    axis,
    below,
    divided,
    frozen,
    listed,
    loose,
    out_of_range,
    product,
    remainder,
    shape_of,
    show,
    unseen,
)
from convlint.static.torch_shapes.words import Attrs


def reshaped(run: Execution, x: Tensor, wanted: Sequence[Num], op: str = "reshape") -> Tensor:
    """``x`` in the shape ``wanted``, where one size may be -1."""
    attrs = {"shape": tuple(wanted)}
    shape = shape_of(run, x)
    holes = [at for at, one in enumerate(wanted) if type(one) is int and one == -1]
    if len(holes) > 1:
        return run.emit(op, [x], [None], attrs, "only one dimension can be inferred")[0]
    if any(below(one, -1) for one in wanted):
        lowest = min([one for one in wanted if type(one) is int])
        return run.emit(op, [x], [None], attrs, f"invalid shape dimension {lowest}")[0]
    result = list(wanted)
    if shape is None:
        if holes:
            result[holes[0]] = run.fresh("size")
        return run.emit(op, [x], [tuple(result)], attrs)[0]
    told = _solve(run, shape, result, holes)
    return run.emit(op, [x], [tuple(result)], attrs, told)[0]


def _solve(run: Execution, shape: Shape, result: list[Num], holes: list[int]) -> str | None:
    """Put the size that follows into ``result``; what PyTorch says if the elements do not fit."""
    before, after = _uncommon(shape, [one for at, one in enumerate(result) if at not in holes])
    have, asked = product(before), product(after)
    if not holes:
        return None if run.demand(have, asked) else _misfit(shape, result)
    if type(have) is int and type(asked) is int:
        if asked == 0 or have % asked:
            told = _misfit(shape, result)
            result[holes[0]] = (
                shape[0] if holes[0] == 0 and shape else max(1, have // max(1, asked))
            )
            return told
        result[holes[0]] = have // asked
        return None
    if holes[0] == 0 and _mixes_samples(shape, before, asked):
        result[0] = shape[0]
        return _misfit(shape, result)
    if run.equal(remainder(have, asked), 0) is not True:
        run.demand(remainder(have, asked), 0)
    result[holes[0]] = divided(run.reduced(have), run.reduced(asked))
    return None


_FEWEST = 16


def _mixes_samples(shape: Shape, left: Sequence[Num], asked: Num) -> bool:
    """Whether ``view(-1, n)`` of an unknown number of samples would cut them apart: n neither divides
    the elements of one sample nor is a multiple of them, and PyTorch takes no batch of up to 16.
    """
    batch, *others = left or (1,)
    if not loose(batch) or batch != shape[0]:
        return False
    one = product(others)
    if type(one) is not int or type(asked) is not int or one < 2 or asked < 1:
        return False
    return one % asked * (asked % one) != 0 and asked // math.gcd(one, asked) > _FEWEST


def _misfit(shape: Shape, result: Sequence[Num]) -> str:
    return f"shape '{show(result)}' is invalid for input of size {product(shape)}"


def _uncommon(one: Sequence[Num], other: Sequence[Num]) -> tuple[list[Num], list[Num]]:
    """Two lists of sizes without those that both have: what is left has few symbols."""
    left, right = list(one), []
    for size in other:
        if size in left:
            left.remove(size)
        else:
            right.append(size)
    return left, right


def _view(run: Execution, x: Value, sizes: Sequence[Value]) -> Value:
    if type(x) is not Tensor:
        return unseen(run, x)
    wanted = listed(run, sizes)
    if wanted is None:
        if len(sizes) == 1 and type(sizes[0]) is Tensor:
            return unseen(run, x)
        return run.emit("reshape", [x], [None])[0]
    return reshaped(run, x, wanted)


@operation(".view", ".reshape", ".view_copy")
def _view_method(
    run: Execution, self: Value, *shape: Value, size: Value = None, dtype: Value = None
) -> Value:
    as_dtype = len(shape) == 1 and type(shape[0]) is Library
    if dtype is not None or as_dtype:
        return run.emit("reshape", [self], [None])[0] if type(self) is Tensor else UNKNOWN
    return _view(run, self, (size,) if size is not None else shape)


@operation("reshape")
def _reshape(run: Execution, input: Value, shape: Value) -> Value:
    return _view(run, input, (shape,))


@operation(".view_as", ".reshape_as")
def _view_as(run: Execution, self: Value, other: Value) -> Value:
    shape = shape_of(run, other) if type(other) is Tensor else None
    if type(self) is not Tensor or shape is None:
        return unseen(run, self)
    return reshaped(run, self, shape)


@operation(*both("flatten"))
def flatten(run: Execution, input: Value, start_dim: Value = 0, end_dim: Value = -1) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape = shape_of(run, input)
    attrs = {"start_dim": start_dim, "end_dim": end_dim}
    if shape is None:
        return run.emit("flatten", [input], [_flat_unknown(run, start_dim, end_dim)], attrs)[0]
    rank = len(shape)
    start, end = axis(start_dim, rank), axis(end_dim, rank)
    error = out_of_range(start_dim, rank) or out_of_range(end_dim, rank)
    if start is None or end is None:
        return run.emit("flatten", [input], [None], attrs, error)[0]
    if start > end:
        error = "flatten() has invalid args: start_dim cannot come after end_dim"
        return run.emit("flatten", [input], [None], attrs, error)[0]
    result = (*shape[:start], product(shape[start : end + 1]), *shape[end + 1 :])
    return run.emit("flatten", [input], [result], attrs)[0]


def _flat_unknown(run: Execution, start: Value, end: Value) -> Shape | None:
    if type(start) is int and 0 <= start < 8 and end == -1:
        return tuple([run.fresh("size") for _ in range(start + 1)])
    return None


@operation(*both("ravel"))
def _ravel(run: Execution, input: Value) -> Value:
    return flatten(run, input)


@operation(*both("unflatten"))
def unflatten(run: Execution, input: Value, dim: Value, sizes: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape = shape_of(run, input)
    attrs = {"dim": dim, "sizes": frozen(sizes)}
    wanted = listed(run, (sizes,))
    if shape is None or wanted is None:
        return run.emit("unflatten", [input], [None], attrs)[0]
    at, error = axis(dim, len(shape)), out_of_range(dim, len(shape))
    if at is None or not wanted:
        return run.emit("unflatten", [input], [None], attrs, error)[0]
    holes = [n for n, one in enumerate(wanted) if type(one) is int and one == -1]
    if len(holes) > 1:
        return run.emit("unflatten", [input], [None], attrs, "only one dimension can be inferred")[
            0
        ]
    if any(below(one, -1) for one in wanted):
        return run.emit("unflatten", [input], [None], attrs, "invalid shape dimension")[0]
    inner = list(wanted)
    error = _solve(run, (shape[at],), inner, holes)
    if error is not None:
        error = (
            f"unflatten: Provided sizes {show(wanted)} don't multiply up to the size of dim {at} "
            f"({shape[at]}) in the input tensor"
        )
    result = (*shape[:at], *inner, *shape[at + 1 :])
    return run.emit("unflatten", [input], [result], attrs, error)[0]


# --- dimensions of size 1


@operation(*both("unsqueeze"), ".unsqueeze_")
def unsqueeze(run: Execution, input: Value, dim: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape, attrs = shape_of(run, input), {"dim": dim}
    if shape is None:
        return run.emit("unsqueeze", [input], [None], attrs)[0]
    at = axis(dim, len(shape) + 1)
    if at is None:
        error = out_of_range(dim, len(shape) + 1)
        return run.emit("unsqueeze", [input], [None], attrs, error)[0]
    return run.emit("unsqueeze", [input], [(*shape[:at], 1, *shape[at:])], attrs)[0]


@operation(*both("squeeze"), ".squeeze_")
def squeeze(run: Execution, input: Value, dim: Value = None) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape, attrs = shape_of(run, input), {} if dim is None else {"dim": frozen(dim)}
    if shape is None:
        return run.emit("squeeze", [input], [None], attrs)[0]
    rank = len(shape)
    dims = range(rank) if dim is None else dim if type(dim) in (tuple, list) else (dim,)
    found, error = set(), None
    for one in dims:
        at = axis(one, rank)
        error = error or out_of_range(one, rank)
        if at is None:
            return run.emit("squeeze", [input], [None], attrs, error)[0]
        if at in found:
            error = f"dim {at} appears multiple times in the list of dims"
            return run.emit("squeeze", [input], [None], attrs, error)[0]
        found.add(at)
    result = tuple([one for at, one in enumerate(shape) if at not in found or one != 1])
    known = all(type(shape[at]) is int for at in found)
    if dim is None and len(result) < len(shape):
        # Images are squeezed once they are vectors: there is more than one of them.
        known = all(type(one) is int for one in result[1:])
    return run.emit("squeeze", [input], [result if known else None], attrs)[0]


# --- layers


def _construct_flatten(run: Execution, start_dim: Value = 1, end_dim: Value = -1) -> Attrs:
    return {"start_dim": start_dim, "end_dim": end_dim}


def _flatten(run: Execution, layer: Instance, input: Value) -> Value:
    return flatten(run, input, layer.attrs["start_dim"], layer.attrs["end_dim"])


def _construct_unflatten(run: Execution, dim: Value, unflattened_size: Value) -> Attrs:
    return {"dim": dim, "unflattened_size": unflattened_size}


def _unflatten(run: Execution, layer: Instance, input: Value) -> Value:
    return unflatten(run, input, layer.attrs["dim"], layer.attrs["unflattened_size"])


LAYERS["Flatten"] = LayerKind(_construct_flatten, _flatten)
LAYERS["Unflatten"] = LayerKind(_construct_unflatten, _unflatten)
