"""Functions that make one number of many along dimensions, or pick some."""

from __future__ import annotations

from typing import Any

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Handler, Num, Shape, Tensor, Value
from convlint.static.torch_shapes.elementwise import merged
from convlint.static.torch_shapes.registry import both, operation
from convlint.static.torch_shapes.sizing import axis, frozen, number, out_of_range, shape_of, unseen


def reduced(
    run: Execution, op: str, x: Tensor, dim: Value, keepdim: Value, outputs: int = 1
) -> tuple[Tensor, ...]:
    """Reduce ``x`` over ``dim``: one dimension, several, or all for None."""
    attrs: dict[str, Any] = {} if dim is None else {"dim": frozen(dim)}
    if keepdim is True:
        attrs["keepdim"] = True
    shape = shape_of(run, x)
    if dim is None or (type(dim) in (tuple, list) and not dim):
        ones = None if shape is None else (1,) * len(shape)
        return run.emit(op, [x], [ones if keepdim is True else ()] * outputs, attrs)
    if shape is None:
        return run.emit(op, [x], [None] * outputs, attrs)
    result, error = _without(shape, dim, keepdim)
    return run.emit(op, [x], [result] * outputs, attrs, error)


def _without(shape: Shape, dim: Value, keepdim: Value) -> tuple[Shape | None, str | None]:
    gone = set()
    for one in dim if type(dim) in (tuple, list) else (dim,):
        error, at = out_of_range(one, len(shape)), axis(one, len(shape))
        if at is None:
            return None, error
        if at in gone:
            return None, f"dim {at} appears multiple times in the list of dims"
        gone.add(at)
    if type(keepdim) not in (bool, int):
        return None, None
    if keepdim:
        return tuple([1 if at in gone else one for at, one in enumerate(shape)]), None
    return tuple([one for at, one in enumerate(shape) if at not in gone]), None


def _reduction(op: str, dtype: str | None = None) -> Handler:
    def handler(
        run: Execution,
        input: Value,
        dim: Value = None,
        keepdim: Value = False,
        *,
        dtype: Value = None,
        axis: Value = None,
        keepdims: Value = None,
        out: Value = None,
    ) -> Value:
        if type(input) is not Tensor:
            return unseen(run, input)
        along = dim if axis is None else axis
        return reduced(run, op, input, along, keepdim if keepdims is None else keepdims)[0]

    return handler


for _name in ("mean", "sum", "prod", "nanmean", "nansum", "amax", "amin", "all", "any"):
    operation(*both(_name))(_reduction(_name))
for _name in ("argmax", "argmin", "logsumexp", "count_nonzero"):
    operation(*both(_name))(_reduction(_name))


def _deviation(op: str, outputs: int = 1) -> Handler:
    def handler(
        run: Execution,
        input: Value,
        dim: Value = None,
        unbiased: Value = True,
        keepdim: Value = False,
        *,
        correction: Value = 1,
        axis: Value = None,
        out: Value = None,
    ) -> Value:
        if type(input) is not Tensor:
            return unseen(run, input)
        if type(dim) is bool:  # var(unbiased)
            dim = None
        made = reduced(run, op, input, dim if axis is None else axis, keepdim, outputs)
        return made[0] if outputs == 1 else made

    return handler


for _name in ("var", "std"):
    operation(*both(_name))(_deviation(_name))
    operation(f"{_name}_mean")(_deviation(f"{_name}_mean", 2))


@operation(*both("norm"))
def _norm(
    run: Execution,
    input: Value,
    p: Value = "fro",
    dim: Value = None,
    keepdim: Value = False,
    out: Value = None,
    dtype: Value = None,
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    return reduced(run, "norm", input, dim, keepdim)[0]


@operation("linalg.norm", "linalg.vector_norm")
def _vector_norm(
    run: Execution,
    x: Value,
    ord: Value = None,
    dim: Value = None,
    keepdim: Value = False,
    *,
    dtype: Value = None,
    out: Value = None,
) -> Value:
    return _norm(run, x, ord, dim, keepdim)


def _extreme(op: str) -> Handler:
    """``max`` and ``min``: of all, along a dimension with places, or of two tensors."""

    def handler(
        run: Execution,
        input: Value,
        dim: Value = None,
        keepdim: Value = False,
        *,
        other: Value = None,
        axis: Value = None,
        out: Value = None,
    ) -> Value:
        along = dim if axis is None else axis
        if type(input) is not Tensor:
            return unseen(run, input, dim, other)
        if type(along) is Tensor or other is not None:
            return merged(run, f"{op}imum", (input, along if other is None else other))
        if along is None:
            return reduced(run, op, input, None, keepdim)[0]
        return reduced(run, op, input, along, keepdim, 2)

    return handler


def _with_places(op: str) -> Handler:
    """``median`` and ``mode``: along a dimension, the places come along."""

    def handler(
        run: Execution,
        input: Value,
        dim: Value = None,
        keepdim: Value = False,
        *,
        out: Value = None,
    ) -> Value:
        if type(input) is not Tensor:
            return unseen(run, input)
        if dim is None and op == "median":
            return reduced(run, op, input, None, keepdim)[0]
        return reduced(run, op, input, -1 if dim is None else dim, keepdim, 2)

    return handler


operation(*both("max"))(_extreme("max"))
operation(*both("min"))(_extreme("min"))
operation(*both("median"))(_with_places("median"))
operation(*both("mode"))(_with_places("mode"))


# --- along one dimension


@operation(*both("topk"))
def _topk(
    run: Execution,
    input: Value,
    k: Value,
    dim: Value = -1,
    largest: Value = True,
    sorted: Value = True,
    *,
    out: Value = None,
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape, attrs = shape_of(run, input), {"k": k, "dim": dim}
    at = None if shape is None else axis(dim, len(shape))
    if shape is None or at is None or not shape:
        error = None if shape is None else out_of_range(dim, len(shape))
        return run.emit("topk", [input], [None, None], attrs, error)
    wanted, error = number(k), None
    if type(wanted) is int and type(shape[at]) is int and not 0 <= wanted <= shape[at]:  # type: ignore[operator]
        error = "selected index k out of range"
    taken: Num = run.fresh("size") if wanted is None else wanted
    result = (*shape[:at], taken, *shape[at + 1 :])
    return run.emit("topk", [input], [result, result], attrs, error)


@operation(*both("sort"))
def _sort(
    run: Execution,
    input: Value,
    dim: Value = -1,
    descending: Value = False,
    stable: Value = False,
    *,
    out: Value = None,
) -> Value:
    return _twice(run, "sort", input, dim)


@operation(*both("cummax", "cummin"))
def _cummax(run: Execution, input: Value, dim: Value, *, out: Value = None) -> Value:
    return _twice(run, "cummax", input, dim)


def _twice(run: Execution, op: str, x: Value, dim: Value) -> Value:
    """Two tensors of the shape of one: values and places."""
    if type(x) is not Tensor:
        return unseen(run, x)
    shape = shape_of(run, x)
    error = None if shape is None else out_of_range(dim, len(shape))
    return run.emit(op, [x], [shape, shape], {"dim": dim}, error)


@operation(*both("argsort"))
def _argsort(
    run: Execution, input: Value, dim: Value = -1, descending: Value = False, stable: Value = False
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape = shape_of(run, input)
    error = None if shape is None else out_of_range(dim, len(shape))
    return run.emit("argsort", [input], [], {"dim": dim}, error, like=input, dtype="int64")[0]
