"""Subscripts, loops and attributes of tensors."""

from __future__ import annotations

from typing import Any

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Num, Shape, Tensor, Value
from convlint.static.torch_shapes.sizing import divided, number, plain, shape_of, unseen
from convlint.static.torch_shapes.splitting import unbind
from convlint.symbolic import Dim


def index(run: Execution, tensor: Tensor, key: Value) -> Value:
    """``tensor[key]``."""
    shape = shape_of(run, tensor)
    keys = key if type(key) is tuple else (key,)
    if shape is None:
        return run.emit("getitem", [tensor], [None])[0]
    result, error = _taken(run, shape, keys)
    inputs = [tensor, *[one for one in keys if type(one) is Tensor]]
    return run.emit("getitem", inputs, [result], {}, error)[0]


def _taken(
    run: Execution, shape: Shape, keys: tuple[Value, ...]
) -> tuple[Shape | None, str | None]:
    """The shape of what keys take out of a tensor, and what PyTorch says if they do not fit."""
    if not all(one is None or one is Ellipsis or type(one) in (slice, int, Dim) for one in keys):
        return None, None
    used = sum(1 for one in keys if one is not None and one is not Ellipsis)
    if used > len(shape):
        return None, f"too many indices for tensor of dimension {len(shape)}"
    dots = sum(1 for one in keys if one is Ellipsis)
    if dots > 1:
        return None, "an index can only have a single ellipsis ('...')"
    result: list[Num] = []
    at = 0
    for one in keys:
        if one is None:
            result.append(1)
        elif one is Ellipsis:
            skipped = len(shape) - used
            result += shape[at : at + skipped]
            at += skipped
        elif type(one) is slice:
            if type(one.step) is int and one.step <= 0:
                return None, "step must be greater than zero"
            result.append(_sliced(run, shape[at], one))
            at += 1
        else:
            size = shape[at]
            if type(one) is int and type(size) is int and not -size <= one < size:
                rest = (*result, *shape[at + 1 :])
                return rest, (f"index {one} is out of bounds for dimension {at} with size {size}")
            at += 1
    return (*result, *shape[at:]), None


def _sliced(run: Execution, size: Num, key: slice) -> Num:
    """The length of a slice of a dimension."""
    start, stop, step = key.start, key.stop, 1 if key.step is None else key.step
    if start is None and stop is None and step == 1:
        return size
    if all(part is None or type(part) is int for part in (start, stop)) and type(step) is int:
        if type(size) is int:
            return len(range(*slice(start, stop, step).indices(size)))
        if (start is None or start >= 0) and stop is None:  # x[:, a:], with a inside
            return plain(divided(plain(size - (start or 0) + step - 1), step))
        if stop is not None and stop < 0 and (start is None or start >= 0):  # x[:, a:-b]
            return plain(divided(plain(size + stop - (start or 0) + step - 1), step))
        return run.fresh("size")
    first, last = 0 if start is None else number(start), size if stop is None else number(stop)
    if first is None or last is None or type(step) is not int:
        return run.fresh("size")
    if _negative(first):
        first = plain(size + first)
    if _negative(last):
        last = plain(size + last)
    if type(size) is int and type(last) is int and last > size:
        last = size
    return _within(run, first, last, size, step)


def _negative(value: Num) -> bool:
    """Whether a bound counts from the end: ``-1``, ``-n``."""
    if not isinstance(value, Dim):
        return value < 0
    return bool(value.terms) and all(factor < 0 for _, factor in value.terms or ())


def _within(run: Execution, first: Num, last: Num, size: Num, step: int) -> Num:
    """The length from ``first`` to ``last``, which are taken to lie inside of ``size``."""
    length = plain(last - first)
    if type(length) is int and length < 0:
        return 0
    if type(first) is int and first == 0 and type(last) is Dim and last != size:
        # x[:, :n]: n may be longer than the tensor; a proof that it is not is seldom at hand
        inside = run.reduced(size - last)
        if type(inside) is int and inside < 0:
            return size
    return length if step == 1 else plain(divided(plain(length + step - 1), step))


def iterate(run: Execution, tensor: Tensor) -> list[Value] | None:
    """What a loop over a tensor gives; None where its length is not known."""
    shape = shape_of(run, tensor)
    if not shape or type(shape[0]) is not int or shape[0] > 256:
        return None
    return list(unbind(run, tensor)) if shape[0] else []


_THE_SAME = frozenset({"data", "real", "imag", "grad_fn"})
_WORDS = {"is_cuda": False, "requires_grad": UNKNOWN, "is_sparse": False, "is_quantized": False}


def attribute(run: Execution, tensor: Tensor, name: str) -> Value:
    """``tensor.name`` of what is no method."""
    shape = shape_of(run, tensor)
    if name == "shape":
        return UNKNOWN if shape is None else shape
    if name == "ndim":
        return UNKNOWN if shape is None else len(shape)
    if name == "data":
        return tensor
    if name in ("T", "mT", "H", "mH"):
        return _turned(run, tensor, shape, name)
    return _WORDS.get(name, UNKNOWN)


def _turned(run: Execution, tensor: Tensor, shape: Shape | None, name: str) -> Value:
    attrs: dict[str, Any] = {}
    if shape is None:
        return run.emit(name, [tensor], [None], attrs)[0]
    if name == "T":
        return run.emit(name, [tensor], [shape[::-1]], attrs)[0]
    if len(shape) < 2:
        return unseen(run, tensor)
    return run.emit(name, [tensor], [(*shape[:-2], shape[-1], shape[-2])], attrs)[0]
