"""Reshaping: the same elements in another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import UNKNOWN, Library, Num, Shape, Tensor, Value
from convlint.static.torch_shapes.arguments import fresh_sizes, frozen, is_sequence, size_list, unknown_result
from convlint.static.torch_shapes.growth import differ_by_a_factor
from convlint.static.torch_shapes.registry import both, functional_layer, layer, operation
from convlint.static.torch_shapes.sizes import (
    any_below,
    axis,
    dim_error,
    divided,
    is_indefinite,
    product,
    remainder,
    replaced,
    shape_of,
    shape_of_rank,
    show,
)

# --- view and reshape

_LARGEST_BATCH = 16  # a batch of up to this size must be able to fail for ``view`` to be an error


@operation(".view", signature="input, *shape, size=None, dtype=None")
def _view(run: Execution, input: Value, shape: tuple[Value, ...], size: Value, dtype: Value) -> Value:
    if dtype is not None or (len(shape) == 1 and type(shape[0]) is Library):  # view(dtype)
        return run.emit("reshape", [input], [None])[0] if type(input) is Tensor else UNKNOWN
    if type(input) is not Tensor:
        return unknown_result(run, input)
    return _to_sizes(run, input, shape if size is None else (size,))


@operation(".reshape", signature="input, *sizes, shape=None")
@operation("reshape", signature="input, shape", sizes=(None,))
def _reshape(run: Execution, input: Tensor, sizes: tuple[Value, ...], shape: Value) -> Value:
    return _to_sizes(run, input, sizes if shape is None else (shape,))


def _to_sizes(run: Execution, x: Tensor, sizes: Sequence[Value]) -> Value:
    wanted = size_list(run, sizes)
    if wanted is not None:
        return _to_shape(run, x, wanted)
    if len(sizes) == 1 and type(sizes[0]) is Tensor:
        return unknown_result(run, x)
    return run.emit("reshape", [x], [None])[0]


@operation(".view_as", ".reshape_as", signature="input, other")
def _view_as(run: Execution, input: Value, other: Value) -> Value:
    shape = shape_of(run, other) if type(other) is Tensor else None
    if type(input) is not Tensor or shape is None:
        return unknown_result(run, input)
    return _to_shape(run, input, shape)


def _to_shape(run: Execution, x: Tensor, wanted: Sequence[Num]) -> Tensor:
    """Record a reshape to ``wanted``, in which one size may be -1."""
    op, attrs = "reshape", {"shape": tuple(wanted)}
    shape = shape_of(run, x)
    holes = _holes(wanted)
    last = x.cell.last
    if shape is None and last is not None and holes == [0]:
        sample = (run.fresh("batch"), last)
        if _mixes_samples(sample, list(sample), product(wanted[1:])):
            shape = shape_of_rank(run, x, 2)  # it fails whatever the rank is
    if len(holes) > 1:
        return run.emit(op, [x], [None], attrs, "only one dimension can be inferred")[0]
    if any_below(wanted, -1):
        lowest = min([size for size in wanted if type(size) is int])
        return run.emit(op, [x], [None], attrs, f"invalid shape dimension {lowest}")[0]
    result = list(wanted)
    error = None
    if shape is not None:
        error = _fill_hole(run, shape, result, holes)
    elif holes:
        result[holes[0]] = run.fresh("size")
    return run.emit(op, [x], [tuple(result)], attrs, error)[0]


def _holes(sizes: Sequence[Num]) -> list[int]:
    """Return the positions of the sizes to infer."""
    return [at for at, size in enumerate(sizes) if type(size) is int and size == -1]


def _fill_hole(run: Execution, shape: Shape, result: list[Num], holes: list[int]) -> str | None:
    """Put the inferred size into ``result``; return PyTorch's error if the elements do not fit."""
    old, new = _without_common(shape, [s for at, s in enumerate(result) if at not in holes])
    elements, wanted = product(old), product(new)
    if not holes:
        is_possible = not _never_fits(run, elements, wanted) and run.demand(elements, wanted)
        return None if is_possible else _size_error(shape, result)
    hole = holes[0]
    if type(elements) is int and type(wanted) is int:
        if wanted == 0 or elements % wanted:
            error = _size_error(shape, result)
            is_batch = hole == 0 and bool(shape)
            result[hole] = shape[0] if is_batch else max(1, elements // max(1, wanted))
            return error
        result[hole] = elements // wanted
        return None
    if hole == 0 and _mixes_samples(shape, old, wanted):
        result[0] = shape[0]
        return _size_error(shape, result)
    if run.equal(remainder(elements, wanted), 0) is not True:
        run.demand(remainder(elements, wanted), 0)
    result[hole] = divided(run.reduced(elements), run.reduced(wanted))
    return None


def _never_fits(run: Execution, elements: Num, wanted: Num) -> bool:
    """Return whether maps of any size have other numbers of elements than a view of them."""
    return run.equal(elements, wanted) is None and differ_by_a_factor(run.reduced(elements), run.reduced(wanted))


def _mixes_samples(shape: Shape, left: Sequence[Num], wanted: Num) -> bool:
    """Return whether ``view(-1, n)`` of an unknown batch would mix samples.

    That is so if n neither divides the elements of one sample nor is a multiple of them, and PyTorch
    raises for each batch of up to 16.
    """
    batch, *others = left or (1,)
    if not is_indefinite(batch) or batch != shape[0]:
        return False
    sample = product(others)
    if type(sample) is not int or type(wanted) is not int or sample < 2 or wanted < 1:
        return False
    is_aligned = sample % wanted * (wanted % sample) == 0
    return not is_aligned and wanted // math.gcd(sample, wanted) > _LARGEST_BATCH


def _size_error(shape: Shape, result: Sequence[Num]) -> str:
    return f"shape '{show(result)}' is invalid for input of size {product(shape)}"


def _without_common(left: Sequence[Num], right: Sequence[Num]) -> tuple[list[Num], list[Num]]:
    """Return two lists of sizes without those in both, so that few symbols remain; a product with 0 remains one."""
    left_only, right_only = list(left), []
    for size in right:
        if size in left_only and size != 0:
            left_only.remove(size)
        else:
            right_only.append(size)
    return left_only, right_only


# --- flatten and unflatten


@operation(*both("flatten"), signature="input, start_dim=0, end_dim=-1")
@operation(*both("ravel"), signature="input", start_dim=0, end_dim=-1)
def _flatten(run: Execution, input: Tensor, start_dim: Value, end_dim: Value) -> Value:
    shape = shape_of(run, input)
    attrs = {"start_dim": start_dim, "end_dim": end_dim}
    if shape is None:
        known_rank = type(start_dim) is int and 0 <= start_dim < 8 and end_dim == -1
        return run.emit("flatten", [input], [fresh_sizes(run, start_dim + 1) if known_rank else None], attrs)[0]
    rank = len(shape)
    start, end = axis(start_dim, rank), axis(end_dim, rank)
    if start is None or end is None:
        error = dim_error(start_dim, rank) or dim_error(end_dim, rank)
        return run.emit("flatten", [input], [None], attrs, error)[0]
    if start > end:
        error = "flatten() has invalid args: start_dim cannot come after end_dim"
        return run.emit("flatten", [input], [None], attrs, error)[0]
    result = (*shape[:start], product(shape[start : end + 1]), *shape[end + 1 :])
    return run.emit("flatten", [input], [result], attrs)[0]


@operation(*both("unflatten"))
def _unflatten(run: Execution, input: Tensor, dim: Value, sizes: Value) -> Value:
    shape = shape_of(run, input)
    attrs = {"dim": dim, "sizes": frozen(sizes)}
    wanted = size_list(run, (sizes,))
    if shape is None or wanted is None:
        return run.emit("unflatten", [input], [None], attrs)[0]
    position, error = axis(dim, len(shape)), dim_error(dim, len(shape))
    if position is None or not wanted:
        return run.emit("unflatten", [input], [None], attrs, error)[0]
    holes = _holes(wanted)
    if len(holes) > 1 or any_below(wanted, -1):
        error = "only one dimension can be inferred" if len(holes) > 1 else "invalid shape dimension"
        return run.emit("unflatten", [input], [None], attrs, error)[0]
    inner = list(wanted)
    error = _fill_hole(run, (shape[position],), inner, holes)
    if error is not None:
        error = (
            f"unflatten: Provided sizes {show(wanted)} don't multiply up to the size of dim "
            f"{position} ({shape[position]}) in the input tensor"
        )
    return run.emit("unflatten", [input], [replaced(shape, position, *inner)], attrs, error)[0]


def _forward_unflatten(run: Execution, layer: Instance, input: Tensor) -> Value:
    return _unflatten(run, input, layer.attrs["dim"], layer.attrs["unflattened_size"])


functional_layer("Flatten", "start_dim=1, end_dim=-1", "flatten")
layer("Unflatten", "dim, unflattened_size", _forward_unflatten)

# --- dimensions of size 1


@operation(*both("unsqueeze"), ".unsqueeze_")
def _unsqueeze(run: Execution, input: Tensor, dim: Value) -> Value:
    shape, attrs = shape_of(run, input), {"dim": dim}
    if shape is None:
        return run.emit("unsqueeze", [input], [None], attrs)[0]
    position = axis(dim, len(shape) + 1)
    if position is None:
        return run.emit("unsqueeze", [input], [None], attrs, dim_error(dim, len(shape) + 1))[0]
    return run.emit("unsqueeze", [input], [(*shape[:position], 1, *shape[position:])], attrs)[0]


@operation(*both("squeeze"), ".squeeze_")
def _squeeze(run: Execution, input: Tensor, dim: Value = None) -> Value:
    shape, attrs = shape_of(run, input), {} if dim is None else {"dim": frozen(dim)}
    if shape is None:
        return run.emit("squeeze", [input], [None], attrs)[0]
    rank = len(shape)
    removable, error = set(), None
    for item in range(rank) if dim is None else dim if is_sequence(dim) else (dim,):
        position = axis(item, rank)
        if position is None or position in removable:
            error = dim_error(item, rank)
            if position is not None:
                error = f"dim {position} appears multiple times in the list of dims"
            return run.emit("squeeze", [input], [None], attrs, error)[0]
        removable.add(position)
    result = tuple([size for at, size in enumerate(shape) if at not in removable or size != 1])
    is_known = all(type(shape[at]) is int for at in removable)
    if dim is None and len(result) < len(shape):
        # Images are squeezed once they are vectors: there is more than one of them.
        is_known = all(type(size) is int for size in result[1:])
    return run.emit("squeeze", [input], [result if is_known else None], attrs)[0]
