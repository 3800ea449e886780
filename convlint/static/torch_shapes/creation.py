"""Functions that make tensors of nothing: constants of known shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Library, Num, Shape, Tensor, Value
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizing import (
    below,
    divided,
    listed,
    number,
    plain,
    shape_of,
    size,
    unseen,
)
from convlint.symbolic import Dim


def _dtype(dtype: Value, default: str = "float32") -> str:
    """The name of a dtype as ``model.Tensor`` has it."""
    if isinstance(dtype, Library):
        return _SHORT.get(last := dtype.name.rsplit(".", 1)[-1], last)
    return default


_SHORT = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
}


def _made(run: Execution, sizes: Sequence[Value], dtype: str = "float32") -> Tensor:
    """A tensor of the sizes that were passed, one by one or as a sequence."""
    if len(sizes) == 1 and type(sizes[0]) not in (tuple, list) and number(sizes[0]) is None:
        return run.tensor(None, dtype)
    found = listed(run, sizes)
    if found is None or any(below(one, 1) for one in found):
        return run.tensor(None, dtype)  # an empty one holds the place of another
    return run.tensor(tuple(found), dtype)


@operation("zeros", "ones", "rand", "randn", "empty")
def _zeros(
    run: Execution,
    *sizes: Value,
    size: Value = None,
    out: Value = None,
    dtype: Value = None,
    layout: Value = None,
    device: Value = None,
    requires_grad: Value = False,
    generator: Value = None,
    pin_memory: Value = False,
    memory_format: Value = None,
) -> Value:
    if size is not None:
        return _of_size(run, size, _dtype(dtype))
    return _made(run, sizes, _dtype(dtype))


def _of_size(run: Execution, size: Value, dtype: str) -> Tensor:
    """A tensor of a ``size`` that is a sequence, or may be one: a parameter is called so."""
    return _made(run, (size,), dtype) if type(size) is not Dim else run.tensor(None, dtype)


@operation("full")
def _full(
    run: Execution,
    size: Value,
    fill_value: Value,
    *,
    out: Value = None,
    dtype: Value = None,
    layout: Value = None,
    device: Value = None,
    requires_grad: Value = False,
) -> Value:
    return _of_size(run, size, _dtype(dtype))


@operation("randint")
def _randint(
    run: Execution,
    *args: Value,
    low: Value = 0,
    high: Value = None,
    size: Value = None,
    generator: Value = None,
    dtype: Value = None,
    device: Value = None,
    requires_grad: Value = False,
) -> Value:
    given = size if size is not None else args[-1] if args else None
    return _made(run, (given,), _dtype(dtype, "int64"))


@operation("eye")
def _eye(
    run: Execution,
    n: Value,
    m: Value = None,
    *,
    out: Value = None,
    dtype: Value = None,
    device: Value = None,
    requires_grad: Value = False,
) -> Value:
    return _made(run, (n, n if m is None else m), _dtype(dtype))


@operation("randperm")
def _randperm(
    run: Execution, n: Value, *, generator: Value = None, dtype: Value = None, device: Value = None
) -> Value:
    return _made(run, ((n,),), "int64")


@operation("arange", "range")
def _arange(
    run: Execution,
    start: Value,
    end: Value = None,
    step: Value = 1,
    *,
    out: Value = None,
    dtype: Value = None,
    layout: Value = None,
    device: Value = None,
    requires_grad: Value = False,
) -> Value:
    first, last = (0, start) if end is None else (start, end)
    whole = all(number(value) is not None for value in (first, last, step))
    kind = _dtype(dtype, "int64" if whole else "float32")
    numbers = (int, float)
    if type(first) in numbers and type(last) in numbers and type(step) in numbers and step:
        return run.tensor((max(0, math.ceil((last - first) / step)),), kind)
    if not whole or (type(step) is int and step <= 0):
        return run.tensor((run.fresh("size"),), kind)
    return run.tensor((plain(divided(plain(last - first + step - 1), step)),), kind)


@operation("linspace", "logspace")
def _linspace(
    run: Execution,
    start: Value,
    end: Value,
    steps: Value,
    base: Value = 10.0,
    *,
    out: Value = None,
    dtype: Value = None,
    device: Value = None,
    requires_grad: Value = False,
) -> Value:
    return run.tensor((size(run, steps),), _dtype(dtype))


@operation("tensor", "as_tensor", "from_numpy", "asarray")
def _tensor(
    run: Execution,
    data: Value,
    *,
    dtype: Value = None,
    device: Value = None,
    requires_grad: Value = False,
    pin_memory: Value = False,
) -> Value:
    if type(data) is Tensor:
        return data
    return run.tensor(_nested(data), _dtype(dtype))


def _nested(data: Value, depth: int = 6) -> Shape | None:
    """The shape of numbers in nested lists; None where it is not known."""
    if type(data) in (int, float, bool):
        return ()
    if type(data) not in (list, tuple) or not depth:
        return None
    if not data:
        return (0,)
    inner = _nested(data[0], depth - 1)
    return None if inner is None else (len(data), *inner)


@operation(".new_zeros", ".new_ones", ".new_empty")
def _new(
    run: Execution,
    self: Value,
    *sizes: Value,
    size: Value = None,
    dtype: Value = None,
    device: Value = None,
    requires_grad: Value = False,
    layout: Value = None,
    pin_memory: Value = False,
) -> Value:
    return _made(run, sizes if size is None else (size,), _dtype(dtype))


@operation(".new_full")
def _new_full(
    run: Execution,
    self: Value,
    size: Value,
    fill_value: Value,
    *,
    dtype: Value = None,
    device: Value = None,
    requires_grad: Value = False,
) -> Value:
    return _made(run, (size,), _dtype(dtype))


@operation(".new_tensor")
def _new_tensor(
    run: Execution,
    self: Value,
    data: Value,
    *,
    dtype: Value = None,
    device: Value = None,
    requires_grad: Value = False,
) -> Value:
    return _tensor(run, data)


@operation("meshgrid")
def _meshgrid(run: Execution, *tensors: Value, indexing: Value = "ij") -> Value:
    given = tensors[0] if len(tensors) == 1 and type(tensors[0]) in (list, tuple) else tensors
    if not given or not all(type(one) is Tensor for one in given):
        return unseen(run, given)
    lengths: list[Num] = []
    for one in given:
        shape = shape_of(run, one)
        lengths.append(shape[0] if shape else run.fresh("size") if shape is None else 1)
    if indexing == "xy" and len(lengths) > 1:
        lengths[:2] = lengths[1::-1]
    return run.emit("meshgrid", list(given), [tuple(lengths)] * len(given))
