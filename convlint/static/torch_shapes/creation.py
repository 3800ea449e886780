"""Functions that create tensors: constants of known shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Library, Num, Real, Shape, Tensor, Value, as_number, has_more
from convlint.static.torch_shapes.arguments import is_sequence, size_list, unknown_result, unpacked
from convlint.static.torch_shapes.arguments import size as size_of
from convlint.static.torch_shapes.registry import both, operation
from convlint.static.torch_shapes.sizes import any_below, divided, plain, shape_of
from convlint.symbolic import Dim

_DTYPES = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
}


def _dtype(dtype: Value, default: str = "float32") -> str:
    """Return the name of a dtype as a node of the graph has it."""
    if isinstance(dtype, Library):
        name = dtype.name.rsplit(".", 1)[-1]
        return _DTYPES.get(name, name)
    return default


def _created(run: Execution, sizes: Sequence[Value], dtype: str = "float32") -> Tensor:
    """Return a tensor of the sizes that were passed, one by one or as a sequence."""
    if len(sizes) == 1 and not is_sequence(sizes[0]) and as_number(sizes[0]) is None:
        return run.tensor(None, dtype)
    known = size_list(run, sizes)
    if known is None or any_below(known, 1):
        return run.tensor(None, dtype)  # an empty tensor is a placeholder of another
    return run.tensor(tuple(known), dtype)


def _of_size(run: Execution, size: Value, dtype: str) -> Tensor:
    """Return a tensor of a ``size`` that is a sequence; a parameter of the program may be one."""
    return run.tensor(None, dtype) if type(size) is Dim else _created(run, (size,), dtype)


_OPTIONS = "out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False"


@operation("zeros", "ones", signature=f"*sizes, size=None, {_OPTIONS}")
@operation("rand", "randn", signature=f"*sizes, size=None, generator=None, {_OPTIONS}")
@operation("empty", signature=f"*sizes, size=None, memory_format=None, {_OPTIONS}")
def _zeros(run: Execution, sizes: tuple[Value, ...], size: Value, dtype: Value) -> Value:
    if size is not None:
        return _of_size(run, size, _dtype(dtype))
    return _created(run, sizes, _dtype(dtype))


@operation("full", signature=f"size, fill_value, *, names=None, {_OPTIONS}")
def _full(run: Execution, size: Value, dtype: Value) -> Value:
    return _of_size(run, size, _dtype(dtype))


@operation("randint", signature=f"*args, low=0, high=None, size=None, generator=None, {_OPTIONS}")
def _randint(run: Execution, args: tuple[Value, ...], size: Value, dtype: Value) -> Value:
    passed = size if size is not None else args[-1] if args else None
    return _created(run, (passed,), _dtype(dtype, "int64"))


@operation("eye", signature=f"n, m=None, *, {_OPTIONS}")
def _eye(run: Execution, n: Value, m: Value, dtype: Value) -> Value:
    return _created(run, (n, n if m is None else m), _dtype(dtype))


@operation("randperm", signature=f"n, *, generator=None, {_OPTIONS}")
def _randperm(run: Execution, n: Value) -> Value:
    return _created(run, ((n,),), "int64")


@operation("arange", "range", signature=f"start=0, end=None, step=1, *, {_OPTIONS}")
def _arange(run: Execution, start: Value, end: Value, step: Value, dtype: Value) -> Value:
    first, last = (0, start) if end is None else (start, end)
    are_integers = all(as_number(value) is not None for value in (first, last, step))
    kind = _dtype(dtype, "int64" if are_integers else "float32")
    numbers = (int, float)
    if type(first) in numbers and type(last) in numbers and type(step) in numbers and step:
        tensor = run.tensor((max(0, math.ceil((last - first) / step)),), kind)
        tensor.values = _short(range(first, last, step)) if are_integers else None
        return tensor
    if not are_integers or (type(step) is int and step <= 0):
        return run.tensor((run.fresh("size"),), kind)
    return run.tensor((plain(divided(plain(last - first + step - 1), step)),), kind)


@operation("linspace", signature=f"start, end, steps, *, {_OPTIONS}")
@operation("logspace", signature=f"start, end, steps, base=10.0, *, {_OPTIONS}")
def _linspace(run: Execution, steps: Value, dtype: Value) -> Value:
    return run.tensor((size_of(run, steps),), _dtype(dtype))


_TENSOR = "dtype=None, device=None, requires_grad=False, pin_memory=False"


@operation("tensor", signature=f"data, *, {_TENSOR}")
@operation("as_tensor", signature="data, dtype=None, device=None")
@operation("from_numpy", signature="data, /", dtype=None)
@operation("asarray", signature="data, /, *, dtype=None, device=None, copy=None, requires_grad=None")
def _tensor(run: Execution, data: Value, dtype: Value) -> Value:
    if type(data) is Tensor:
        return data
    tensor = run.tensor(_nested_shape(data), _dtype(dtype))
    tensor.values = _short(data) if type(data) in (list, tuple) else None
    return tensor


def _short(items: Sequence[Value]) -> tuple[int, ...] | None:
    """Return the values of a constant vector, if it is short and of integers."""
    return tuple(items) if len(items) <= _LONGEST and all(type(item) is int for item in items) else None


_LONGEST = 16


@operation("Tensor", "FloatTensor", "LongTensor", "IntTensor", "BoolTensor", signature="*data, device=None")
def _tensor_of_type(run: Execution, data: tuple[Value, ...]) -> Value:
    if len(data) == 1 and is_sequence(data[0]):
        return run.tensor(_nested_shape(data[0]))
    return data[0] if len(data) == 1 and type(data[0]) is Tensor else _created(run, data)


def _nested_shape(data: Value, depth: int = 6) -> Shape | None:
    """Return the shape of numbers in nested lists; None if it is unknown."""
    if type(data) in (int, float, bool, Real):
        return ()
    if not is_sequence(data) or not depth or has_more(data):
        return None
    if not data:
        return (0,)
    inner = _nested_shape(data[0], depth - 1)
    return None if inner is None else (len(data), *inner)


_NEW = "dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False"


@operation(*(".new_zeros", ".new_ones", ".new_empty"), signature=f"input, *sizes, size=None, {_NEW}")
def _new(run: Execution, sizes: tuple[Value, ...], size: Value, dtype: Value) -> Value:
    return _created(run, sizes if size is None else (size,), _dtype(dtype))


@operation(".new_full", signature=f"input, size, fill_value, *, {_NEW}")
def _new_full(run: Execution, size: Value, dtype: Value) -> Value:
    return _created(run, (size,), _dtype(dtype))


@operation(".new_tensor", signature=f"input, data, *, {_TENSOR}")
def _new_tensor(run: Execution, data: Value) -> Value:
    return _tensor(run, data, None)


@operation(*both("outer", "ger"), signature="input, vec2, *, out=None")
@operation(".outer", signature="input, vec2")
def _outer(run: Execution, input: Tensor, vec2: Value) -> Value:
    lengths: list[Num] = []
    for vector in (input, vec2):
        shape = run.require_rank(vector, 1) if type(vector) is Tensor else None
        lengths.append(shape[0] if shape else run.fresh("size"))
    return run.emit("outer", [t for t in (input, vec2) if type(t) is Tensor], [tuple(lengths)])[0]


@operation("meshgrid", signature="*tensors, indexing=None")
def _meshgrid(run: Execution, tensors: tuple[Value, ...], indexing: Value) -> Value:
    vectors = unpacked(tensors)
    if not vectors or not all(type(vector) is Tensor for vector in vectors):
        return unknown_result(run, vectors)
    lengths: list[Num] = []
    for vector in vectors:
        shape = shape_of(run, vector)
        lengths.append(shape[0] if shape else run.fresh("size") if shape is None else 1)
    if indexing == "xy" and len(lengths) > 1:
        lengths[:2] = lengths[1::-1]
    return run.emit("meshgrid", list(vectors), [tuple(lengths)] * len(vectors))
