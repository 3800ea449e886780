"""Functions that put the dimensions of a tensor into another order."""

from __future__ import annotations

from collections.abc import Sequence

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Handler, Tensor, Value
from convlint.static.torch_shapes.registry import both, operation
from convlint.static.torch_shapes.sizing import axis, frozen, out_of_range, shape_of, unseen


@operation(".permute")
def _permute_method(run: Execution, self: Value, *dims: Value) -> Value:
    one = len(dims) == 1 and type(dims[0]) is not int
    return permute(run, self, dims[0] if one else dims)


@operation("permute")
def permute(run: Execution, input: Value, dims: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    if type(dims) not in (tuple, list):
        return run.emit("permute", [input], [None])[0]
    attrs = {"dims": tuple(dims)}
    shape = shape_of(run, input, len(dims)) or ()
    rank = len(shape)
    order = [axis(one, rank) for one in dims]
    error = None
    if len(dims) != rank:
        error = (
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length "
            f"of the desired ordering of dimensions i.e. input.dim() = {rank} is not equal to "
            f"len(dims) = {len(dims)}"
        )
    for one in dims:
        error = error or out_of_range(one, rank)
    known = [one for one in order if one is not None]
    if error is None and len(set(known)) < len(known):
        error = "permute(): duplicate dims are not allowed."
    if error is not None or len(known) < rank:
        return run.emit("permute", [input], [None], attrs, error)[0]
    return run.emit("permute", [input], [tuple([shape[one] for one in known])], attrs)[0]


def _transposition(op: str) -> Handler:
    def transpose(run: Execution, input: Value, dim0: Value, dim1: Value) -> Value:
        if type(input) is not Tensor:
            return unseen(run, input)
        shape, attrs = shape_of(run, input), {"dim0": dim0, "dim1": dim1}
        if shape is None:
            return run.emit(op, [input], [None], attrs)[0]
        rank = len(shape)
        one, other = axis(dim0, rank), axis(dim1, rank)
        error = out_of_range(dim0, rank) or out_of_range(dim1, rank)
        if one is None or other is None:
            return run.emit(op, [input], [None], attrs, error)[0]
        result = list(shape)
        if shape:
            result[one], result[other] = result[other], result[one]
        return run.emit(op, [input], [tuple(result)], attrs)[0]

    return transpose


for _name in ("transpose", "swapaxes", "swapdims"):
    operation(*both(_name), f".{_name}_")(_transposition(_name))


@operation(*both("t"))
def _t(run: Execution, input: Value) -> Value:
    shape = shape_of(run, input) if type(input) is Tensor else None
    if shape is None:
        return unseen(run, input)
    error = None
    if len(shape) > 2:
        error = f"t() expects a tensor with <= 2 dimensions, but self is {len(shape)}D"
    return run.emit("t", [input], [shape[::-1]], {}, error)[0]


@operation(*both("movedim", "moveaxis"))
def _movedim(run: Execution, input: Value, source: Value, destination: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape = shape_of(run, input)
    attrs = {"source": frozen(source), "destination": frozen(destination)}
    if shape is None:
        return run.emit("movedim", [input], [None], attrs)[0]
    rank = len(shape)
    sources = source if type(source) in (tuple, list) else (source,)
    targets = destination if type(destination) in (tuple, list) else (destination,)
    error = None
    for one in (*sources, *targets):
        error = error or out_of_range(one, rank)
    order = _moved(sources, targets, rank)
    if error is None and (
        len(sources) != len(targets)
        or len({axis(one, rank) for one in sources}) < len(sources)
        or len({axis(one, rank) for one in targets}) < len(targets)
    ):
        error = "movedim: Invalid source or destination dims"
    if order is None or error is not None:
        return run.emit("movedim", [input], [None], attrs, error)[0]
    return run.emit("movedim", [input], [tuple([shape[one] for one in order])], attrs)[0]


def _moved(sources: Sequence[Value], targets: Sequence[Value], rank: int) -> list[int] | None:
    """Which dimension stands where after dimensions were moved."""
    placed: dict[int, int] = {}
    for one, other in zip(sources, targets, strict=False):
        source, target = axis(one, rank), axis(other, rank)
        if source is None or target is None:
            return None
        placed[target] = source
    rest = iter([one for one in range(rank) if one not in placed.values()])
    return [placed[at] if at in placed else next(rest, 0) for at in range(rank)]
