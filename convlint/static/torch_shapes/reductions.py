"""Reductions, and functions that sort or select values along a dimension."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape, Tensor, Unknown, Value, as_number
from convlint.static.torch_shapes.arguments import Attrs, frozen, is_sequence, unknown_result
from convlint.static.torch_shapes.elementwise import elementwise
from convlint.static.torch_shapes.registry import Parameter, both, operation
from convlint.static.torch_shapes.sizes import axis, dim_error, locate, replaced, shape_of

# --- reductions


def reduce(run: Execution, op: str, x: Tensor, dim: Value, keepdim: Value, outputs: int = 1) -> tuple[Tensor, ...]:
    """Record a reduction over ``dim``: one dimension, several, or all for None."""
    attrs: Attrs = {} if dim is None else {"dim": frozen(dim)}
    if keepdim is True:
        attrs["keepdim"] = True
    shape = shape_of(run, x)
    if dim is None or (is_sequence(dim) and not dim):
        ones = None if shape is None else (1,) * len(shape)
        return run.emit(op, [x], [ones if keepdim is True else ()] * outputs, attrs)
    if shape is None:
        return run.emit(op, [x], [None] * outputs, attrs)
    result, error = _reduced_shape(shape, dim, keepdim)
    return run.emit(op, [x], [result] * outputs, attrs, error)


def _reduced_shape(shape: Shape, dim: Value, keepdim: Value) -> tuple[Shape | None, str | None]:
    removed = set()
    for item in dim if is_sequence(dim) else (dim,):
        position = axis(item, len(shape))
        if position is None:
            return None, dim_error(item, len(shape))
        if position in removed:
            return None, f"dim {position} appears multiple times in the list of dims"
        removed.add(position)
    if type(keepdim) not in (bool, int):
        return None, None
    return tuple([1 if at in removed else n for at, n in enumerate(shape) if keepdim or at not in removed]), None


def _reduce(run: Execution, op: str, input: Tensor, dim: Value, keepdim: Value, axis: Value, keepdims: Value) -> Value:
    return reduce(run, op, input, dim if axis is None else axis, keepdim if keepdims is None else keepdims)[0]


_REDUCTION = "input, dim=None, keepdim=False, *, axis=None, keepdims=None, out=None"
for _name in ("mean", "sum", "prod", "nanmean", "nansum"):
    operation(*both(_name), signature=f"{_REDUCTION}, dtype=None", op=_name)(_reduce)
for _name in ("amax", "amin", "all", "any", "argmax", "argmin"):
    operation(*both(_name), signature=_REDUCTION, op=_name)(_reduce)
operation(*both("logsumexp"), signature=_REDUCTION, op="logsumexp")(_reduce)
operation(
    *both("count_nonzero"), signature="input, dim=None, *, axis=None", op="count_nonzero", keepdim=False, keepdims=None
)(_reduce)


def _deviation(run: Execution, op: str, outputs: int, input: Tensor, dim: Value, keepdim: Value, axis: Value) -> Value:
    if type(dim) is bool:  # var(unbiased)
        dim = None
    results = reduce(run, op, input, dim if axis is None else axis, keepdim, outputs)
    return results[0] if outputs == 1 else results


_DEVIATION = "input, dim=None, unbiased=True, keepdim=False, *, correction=None, axis=None, out=None"
for _name in ("var", "std"):
    operation(*both(_name), signature=_DEVIATION, op=_name, outputs=1)(_deviation)
    operation(f"{_name}_mean", signature=_DEVIATION, op=f"{_name}_mean", outputs=2)(_deviation)


@operation("norm", signature="input, p='fro', dim=None, keepdim=False, out=None, dtype=None")
@operation(".norm", signature="input, p='fro', dim=None, keepdim=False, dtype=None")
@operation(
    "linalg.vector_norm", signature="x, ord=2, dim=None, keepdim=False, *, dtype=None, out=None", input=Parameter("x")
)
@operation("linalg.norm", signature="input, ord=None, dim=None, keepdim=False, *, out=None, dtype=None")
def _norm(run: Execution, input: Tensor, dim: Value, keepdim: Value) -> Value:
    return reduce(run, "norm", input, dim, keepdim)[0]


@operation("F.cosine_similarity", "cosine_similarity", signature="x1, x2, dim=1, eps=1e-08")
def _cosine_similarity(run: Execution, x1: Value, x2: Value, dim: Value) -> Value:
    shape = shape_of(run, x1) if type(x1) is Tensor else None
    position = as_number(dim)
    if shape is None or type(position) is not int or type(x2) is not Tensor or x2.shape != x1.shape:
        return unknown_result(run, x1, x2)
    return run.emit("cosine_similarity", [x1, x2], [replaced(shape, position % max(1, len(shape)))])[0]


_EXTREME = "input, dim=None, keepdim=False, *, other=None, axis=None, out=None"


@operation(*both("max"), signature=_EXTREME, op="max")
@operation(*both("min"), signature=_EXTREME, op="min")
@operation(*both("median"), signature="input, dim=None, keepdim=False, *, out=None", op="median", other=None, axis=None)
def _extreme(run: Execution, op: str, input: Value, dim: Value, keepdim: Value, other: Value, axis: Value) -> Value:
    """Reduce all values, or a dimension to values and indices; ``max`` also compares two tensors."""
    along = dim if axis is None else axis
    if type(input) is not Tensor:
        return unknown_result(run, input, dim, other)
    if type(along) is Tensor or other is not None:
        return elementwise(run, f"{op}imum", (input, along if other is None else other))
    if type(along) is Unknown:
        return unknown_result(run, input, along)
    if along is None:
        return reduce(run, op, input, None, keepdim)[0]
    return reduce(run, op, input, along, keepdim, 2)


@operation(*both("mode"), signature="input, dim=-1, keepdim=False, *, out=None")
def _mode(run: Execution, input: Tensor, dim: Value, keepdim: Value) -> Value:
    return reduce(run, "mode", input, -1 if dim is None else dim, keepdim, 2)


# --- along one dimension


@operation(*both("topk"), signature="input, k, dim=-1, largest=True, sorted=True, *, out=None")
def _topk(run: Execution, input: Tensor, k: Value, dim: Value) -> Value:
    attrs = {"k": k, "dim": dim}
    shape, position, error = locate(run, input, dim)
    if position is None or not shape:
        return run.emit("topk", [input], [None, None], attrs, error)
    wanted, length = as_number(k), shape[position]
    if isinstance(wanted, int) and isinstance(length, int) and not 0 <= wanted <= length:
        error = "selected index k out of range"
    selected: Num = run.fresh("size") if wanted is None else wanted
    return run.emit("topk", [input], [replaced(shape, position, selected)] * 2, attrs, error)


@operation(*both("sort"), signature="input, dim=-1, descending=False, *, stable=False, out=None", op="sort")
@operation(*both("cummax", "cummin"), signature="input, dim, *, out=None", op="cummax")
def _values_and_indices(run: Execution, op: str, input: Tensor, dim: Value) -> Value:
    shape, _, error = locate(run, input, dim)
    return run.emit(op, [input], [shape, shape], {"dim": dim}, error)


@operation(*both("argsort"), signature="input, dim=-1, descending=False, *, stable=False, out=None")
def _argsort(run: Execution, input: Tensor, dim: Value) -> Value:
    return run.emit("argsort", [input], [], {"dim": dim}, locate(run, input, dim)[2], like=input, dtype="int64")[0]
