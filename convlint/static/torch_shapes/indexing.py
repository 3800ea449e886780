"""Subscripts, iteration and attributes of tensors."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Num, Shape, Tensor, Value, as_number
from convlint.static.torch_shapes.arguments import unknown_result
from convlint.static.torch_shapes.sizes import divided, plain, shape_of
from convlint.static.torch_shapes.splitting import unbind
from convlint.symbolic import Dim

# --- subscripts


def index(run: Execution, tensor: Tensor, key: Value) -> Value:
    """Record ``tensor[key]``."""
    shape = shape_of(run, tensor)
    keys = key if type(key) is tuple else (key,)
    if shape is None:
        return run.emit("getitem", [tensor], [None])[0]
    result, error = _gathered(run, shape, keys) or _indexed(run, shape, keys)
    return run.emit("getitem", [tensor, *[key for key in keys if type(key) is Tensor]], [result], {}, error)[0]


_OF_POSITIONS = frozenset({"int64", "int32", "int16"})


def _gathered(run: Execution, shape: Shape, keys: tuple[Value, ...]) -> tuple[Shape | None, str | None] | None:
    """Return the shape of ``table[positions]``, where that of the positions replaces the dimension, and the error of
    PyTorch; None for other keys.
    """
    tensors = [key for key in keys if type(key) is Tensor]
    if len(tensors) != 1 or not all(key is None or key is Ellipsis or type(key) in (slice, Tensor) for key in keys):
        return None
    positions = shape_of(run, tensors[0])
    if positions is None or tensors[0].dtype not in _OF_POSITIONS:
        return None
    rest, error = _indexed(run, shape, tuple([slice(None) if type(key) is Tensor else key for key in keys]))
    if rest is None:
        return None, error
    chosen = next(at for at, key in enumerate(keys) if type(key) is Tensor)
    after = sum(1 for key in keys[chosen + 1 :] if key is not Ellipsis)
    if Ellipsis in keys[:chosen]:
        chosen = len(rest) - after - 1
    return (*rest[:chosen], *positions, *rest[chosen + 1 :]), error


def _indexed(run: Execution, shape: Shape, keys: tuple[Value, ...]) -> tuple[Shape | None, str | None]:
    """Return the shape that keys select, None for unknown keys, and PyTorch's error."""
    if not all(key is None or key is Ellipsis or type(key) in (slice, int, Dim) for key in keys):
        return None, None
    used = sum(1 for key in keys if key is not None and key is not Ellipsis)
    if used > len(shape):
        return None, f"too many indices for tensor of dimension {len(shape)}"
    if sum(1 for key in keys if key is Ellipsis) > 1:
        return None, "an index can only have a single ellipsis ('...')"
    result: list[Num] = []
    position = 0
    for key in keys:
        if key is None:
            result.append(1)
        elif key is Ellipsis:
            skipped = len(shape) - used
            result += shape[position : position + skipped]
            position += skipped
        elif type(key) is slice:
            if type(key.step) is int and key.step <= 0:
                return None, "step must be greater than zero"
            result.append(_slice_length(run, shape[position], key))
            position += 1
        else:
            size = shape[position]
            if type(key) is int and type(size) is int and not -size <= key < size:
                error = f"index {key} is out of bounds for dimension {position} with size {size}"
                return (*result, *shape[position + 1 :]), error
            position += 1
    return (*result, *shape[position:]), None


def _slice_length(run: Execution, size: Num, key: slice) -> Num:
    """Return the length of a slice of a dimension."""
    start, stop, step = key.start, key.stop, 1 if key.step is None else key.step
    if start is None and stop is None and step == 1:
        return size
    if all(bound is None or type(bound) is int for bound in (start, stop)) and type(step) is int:
        if type(size) is int:
            return len(range(*slice(start, stop, step).indices(size)))
        if stop == 0 and (start is None or start >= 0):  # x[:, :0]
            return 0
        if (start is None or start >= 0) and stop is None:  # x[:, a:], with a inside
            return plain(divided(plain(size - (start or 0) + step - 1), step))
        if stop is not None and stop < 0 and (start is None or start >= 0):  # x[:, a:-b]
            return plain(divided(plain(size + stop - (start or 0) + step - 1), step))
        return run.fresh("size")
    first, last = 0 if start is None else as_number(start), size if stop is None else as_number(stop)
    if first is None or last is None or type(step) is not int:
        return run.fresh("size")
    if _counts_from_end(first):
        first = plain(size + first)
    if _counts_from_end(last):
        last = plain(size + last)
    beyond = run.reduced(last - size)
    if type(beyond) is int and beyond > 0:
        last = size
    elif type(beyond) is Dim and _has_offset(last):  # x[:, 1 : n + 1], where n may be the size
        return run.fresh("size")
    return _range_length(first, last, step)


def _counts_from_end(bound: Num) -> bool:
    """Return whether a bound is negative: ``-1``, ``-n``."""
    if not isinstance(bound, Dim):
        return bound < 0
    return bool(bound.terms) and all(factor < 0 for _, factor in bound.terms or ())


def _has_offset(bound: Num) -> bool:
    """Return whether a bound is a positive number more than something: ``n + 1``."""
    return isinstance(bound, Dim) and any(factor > 0 for atoms, factor in bound.terms or () if not atoms)


def _range_length(first: Num, last: Num, step: int) -> Num:
    """Return the length from ``first`` to ``last``, which are assumed to lie inside of the dimension."""
    length = plain(last - first)
    if type(length) is int and length < 0:
        return 0
    return length if step == 1 else plain(divided(plain(length + step - 1), step))


# --- iteration and attributes


def iterate(run: Execution, tensor: Tensor) -> list[Value] | None:
    """Return the items of a loop over a tensor; None if their number is unknown."""
    if tensor.values is not None:
        return list(tensor.values)
    shape = shape_of(run, tensor)
    if not shape or type(shape[0]) is not int or shape[0] > 256:
        return None
    return list(unbind(run, tensor)) if shape[0] else []


def attribute(run: Execution, tensor: Tensor, name: str) -> Value:
    """Return ``tensor.name`` of an attribute that is not a method."""
    shape = shape_of(run, tensor)
    if name == "shape":
        return UNKNOWN if shape is None else shape
    if name == "ndim":
        return UNKNOWN if shape is None else len(shape)
    if name == "data":
        return tensor
    if name in ("real", "imag"):
        return run.emit(name, [tensor], [], like=tensor, dtype="float32")[0]
    if name in ("T", "mT", "H", "mH"):
        return _transposed(run, tensor, shape, name)
    return False if name in ("is_cuda", "is_sparse", "is_quantized") else UNKNOWN


def _transposed(run: Execution, tensor: Tensor, shape: Shape | None, name: str) -> Value:
    if shape is None:
        return run.emit(name, [tensor], [None])[0]
    if name == "T":
        return run.emit(name, [tensor], [shape[::-1]])[0]
    if len(shape) < 2:
        return unknown_result(run, tensor)
    return run.emit(name, [tensor], [(*shape[:-2], shape[-1], shape[-2])])[0]
