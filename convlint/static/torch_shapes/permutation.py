"""Permuting the dimensions of a tensor."""

from __future__ import annotations

from collections.abc import Sequence

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Tensor, Value
from convlint.static.torch_shapes.arguments import frozen, is_sequence, unknown_result
from convlint.static.torch_shapes.registry import Parameter, both, operation
from convlint.static.torch_shapes.sizes import axis, dim_error, shape_of, shape_of_rank


@operation(".permute", signature="input, *dims")
def _permute_method(run: Execution, input: Tensor, dims: tuple[Value, ...]) -> Value:
    return _permute(run, input, dims[0] if len(dims) == 1 and type(dims[0]) is not int else dims)


@operation("permute")
def _permute(run: Execution, input: Tensor, dims: Value) -> Value:
    if not is_sequence(dims):
        return run.emit("permute", [input], [None])[0]
    attrs = {"dims": tuple(dims)}
    shape = shape_of_rank(run, input, len(dims))
    rank = len(shape)
    order = [position for dim in dims if (position := axis(dim, rank)) is not None]
    error = None
    if len(dims) != rank:
        error = (
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {rank} is not equal to len(dims) = {len(dims)}"
        )
    for dim in dims:
        error = error or dim_error(dim, rank)
    if error is None and len(set(order)) < len(order):
        error = "permute(): duplicate dims are not allowed."
    if error is not None or len(order) < rank:
        return run.emit("permute", [input], [None], attrs, error)[0]
    return run.emit("permute", [input], [tuple([shape[position] for position in order])], attrs)[0]


def _transpose(run: Execution, op: str, input: Tensor, dim0: Value, dim1: Value) -> Value:
    shape, attrs = shape_of(run, input), {"dim0": dim0, "dim1": dim1}
    if shape is None:
        return run.emit(op, [input], [None], attrs)[0]
    rank = len(shape)
    first, second = axis(dim0, rank), axis(dim1, rank)
    if first is None or second is None:
        return run.emit(op, [input], [None], attrs, dim_error(dim0, rank) or dim_error(dim1, rank))[0]
    result = list(shape)
    if shape:
        result[first], result[second] = result[second], result[first]
    return run.emit(op, [input], [tuple(result)], attrs)[0]


operation(*both("transpose"), ".transpose_", op="transpose")(_transpose)
operation(*both("swapdims"), ".swapdims_", op="swapdims")(_transpose)
_AXES = {"dim0": Parameter("axis0"), "dim1": Parameter("axis1")}
operation(*both("swapaxes"), ".swapaxes_", signature="input, axis0, axis1", op="swapaxes", **_AXES)(_transpose)


@operation(*both("t"))
def _t(run: Execution, input: Tensor) -> Value:
    shape = shape_of(run, input)
    if shape is None:
        return unknown_result(run, input)
    error = f"t() expects a tensor with <= 2 dimensions, but self is {len(shape)}D" if len(shape) > 2 else None
    return run.emit("t", [input], [shape[::-1]], {}, error)[0]


@operation(*both("rot90"), signature="input, k=1, dims=(0, 1)")
def _rot90(run: Execution, input: Tensor, k: Value, dims: Value) -> Value:
    shape = shape_of(run, input)
    if shape is None or type(k) is not int or not is_sequence(dims) or len(dims) != 2:
        return unknown_result(run, input)
    first, second = axis(dims[0], len(shape)), axis(dims[1], len(shape))
    if first is None or second is None:
        return run.emit("rot90", [input], [None])[0]
    result: list[Num] = list(shape)
    if k % 2:
        result[first], result[second] = result[second], result[first]
    return run.emit("rot90", [input], [tuple(result)])[0]


@operation(*both("movedim", "moveaxis"))
def _movedim(run: Execution, input: Tensor, source: Value, destination: Value) -> Value:
    shape = shape_of(run, input)
    attrs = {"source": frozen(source), "destination": frozen(destination)}
    if shape is None:
        return run.emit("movedim", [input], [None], attrs)[0]
    rank = len(shape)
    sources = source if is_sequence(source) else (source,)
    targets = destination if is_sequence(destination) else (destination,)
    error = None
    for dim in (*sources, *targets):
        error = error or dim_error(dim, rank)
    order = _moved_order(sources, targets, rank)
    if error is None and (
        len(sources) != len(targets)
        or len({axis(dim, rank) for dim in sources}) < len(sources)
        or len({axis(dim, rank) for dim in targets}) < len(targets)
    ):
        error = "movedim: Invalid source or destination dims"
    if order is None or error is not None:
        return run.emit("movedim", [input], [None], attrs, error)[0]
    return run.emit("movedim", [input], [tuple([shape[position] for position in order])], attrs)[0]


def _moved_order(sources: Sequence[Value], targets: Sequence[Value], rank: int) -> list[int] | None:
    """Return the old position of each dimension after a move; None if it is unknown."""
    moved: dict[int, int] = {}
    for source_dim, target_dim in zip(sources, targets, strict=False):
        source, target = axis(source_dim, rank), axis(target_dim, rank)
        if source is None or target is None:
            return None
        moved[target] = source
    rest = iter([position for position in range(rank) if position not in moved.values()])
    return [moved[at] if at in moved else next(rest, 0) for at in range(rank)]
