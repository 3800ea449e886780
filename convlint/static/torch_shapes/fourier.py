"""Fourier transforms, and complex tensors as pairs of real ones."""

from __future__ import annotations

from collections.abc import Sequence

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape, Tensor, Value, as_number
from convlint.static.torch_shapes.arguments import is_sequence, unknown_result
from convlint.static.torch_shapes.elementwise import elementwise, register_unary
from convlint.static.torch_shapes.registry import both, operation
from convlint.static.torch_shapes.sizes import axis, divided, plain, shape_of

_COMPLEX = "complex64"


def _dimensions(rank: int, dim: Value, count: int) -> list[int] | None:
    """Return the dimensions that are transformed: those given, or the last ``count``; None if one is not known."""
    given = range(-count, 0) if dim is None else dim if is_sequence(dim) else (dim,)
    found = [axis(each, rank) for each in given]
    return None if None in found else [each for each in found if each is not None]


def _transformed(run: Execution, op: str, input: Tensor, size: Value, dim: Value, half: str) -> Value:
    """Record a transform; ``half`` says whether its last dimension has only one half of the spectrum, or had it."""
    dtype = "float32" if half == "input" else _COMPLEX
    shape = shape_of(run, input)
    if shape is None:
        if size is None and not half:
            return run.emit(op, [input], [], like=input, dtype=dtype)[0]
        return run.emit(op, [input], [None], dtype=dtype)[0]
    sizes = None if size is None else list(size) if is_sequence(size) else [size]
    count = len(shape) if sizes is None else len(sizes)
    found = _dimensions(len(shape), dim, count)
    if not found or (sizes is not None and len(sizes) != len(found)):
        return run.emit(op, [input], [None], dtype=dtype)[0]
    result = _with_sizes(shape, found, sizes)
    if result is None:
        return run.emit(op, [input], [None], dtype=dtype)[0]
    last = found[-1]
    if half == "output":
        result[last] = plain(divided(result[last], 2) + 1)
    if half == "input" and (sizes is None or sizes[-1] == -1):
        result[last] = plain(2 * (shape[last] - 1))
    return run.emit(op, [input], [tuple(result)], dtype=dtype)[0]


def _with_sizes(shape: Shape, dims: Sequence[int], sizes: Sequence[Value] | None) -> list[Num] | None:
    """Return a shape with other sizes in some dimensions, where -1 keeps that of the input; None if one is unknown."""
    result = list(shape)
    for position, size in zip(dims, sizes or (), strict=False):
        number = as_number(size)
        if number is None:
            return None
        result[position] = result[position] if number == -1 else number
    return result


_HALVES = {"fft": "", "ifft": "", "rfft": "output", "irfft": "input"}


def _register(name: str, half: str) -> None:
    operation(f"fft.{name}", signature="input, n=None, dim=-1, norm=None, *, out=None", op=name, half=half)(_of_one)
    two = "input, s=None, dim=(-2, -1), norm=None, *, out=None"
    several = "input, s=None, dim=None, norm=None, *, out=None"
    operation(f"fft.{name}2", signature=two, op=f"{name}2", half=half)(_of_several)
    operation(f"fft.{name}n", signature=several, op=f"{name}n", half=half)(_of_several)


def _of_one(run: Execution, op: str, input: Tensor, n: Value, dim: Value, half: str) -> Value:
    return _transformed(run, op, input, n, dim, half)


def _of_several(run: Execution, op: str, input: Tensor, s: Value, dim: Value, half: str) -> Value:
    return _transformed(run, op, input, s, dim, half)


for _name, _half in _HALVES.items():
    _register(_name, _half)
register_unary("fftshift", "fft.fftshift", "fft.ifftshift", signature="input, dim=None")


# --- complex tensors


@operation("view_as_real")
def _view_as_real(run: Execution, input: Tensor) -> Value:
    shape = shape_of(run, input)
    return run.emit("view_as_real", [input], [None if shape is None else (*shape, 2)], dtype="float32")[0]


@operation("view_as_complex")
def _view_as_complex(run: Execution, input: Tensor) -> Value:
    shape = shape_of(run, input)
    error = None
    if shape and type(shape[-1]) is int and shape[-1] != 2:
        error = "Tensor must have a last dimension of size 2"
    return run.emit("view_as_complex", [input], [None if not shape else shape[:-1]], {}, error, dtype=_COMPLEX)[0]


@operation("polar", signature="abs, angle, *, out=None", op="polar")
@operation("complex", signature="real, imag, *, out=None", op="complex")
def _pair(run: Execution, op: str, arguments: dict[str, Value]) -> Value:
    parts = [value for name, value in arguments.items() if name in ("abs", "angle", "real", "imag")]
    if not all(type(part) is Tensor for part in parts):
        return unknown_result(run, *parts)
    return elementwise(run, op, tuple(parts))


for _name in ("real", "imag"):
    register_unary(_name, _name, dtype="float32")
register_unary("conj_physical", *both("conj_physical", "resolve_conj"))
