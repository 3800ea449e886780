"""Functions that take parts of a tensor, or put parts into one."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Num, Tensor, Value
from convlint.static.torch_shapes.elementwise import unary
from convlint.static.torch_shapes.registry import both, operation
from convlint.static.torch_shapes.sizing import (
    axis,
    divided,
    number,
    out_of_range,
    plain,
    product,
    shape_of,
    size,
    unseen,
)


def _along(
    run: Execution, op: str, x: Value, dim: Value, length: Num | None, error: str | None = None
) -> Value:
    """``x`` with another length along ``dim``; without that dimension for None."""
    if type(x) is not Tensor:
        return unseen(run, x)
    shape, attrs = shape_of(run, x), {"dim": dim}
    at = None if shape is None else axis(dim, len(shape))
    if shape is None or at is None or not shape:
        error = error or (None if shape is None else out_of_range(dim, len(shape)))
        return run.emit(op, [x], [None], attrs, error)[0]
    middle = () if length is None else (length,)
    return run.emit(op, [x], [(*shape[:at], *middle, *shape[at + 1 :])], attrs, error)[0]


def _length(run: Execution, x: Value, dim: Value) -> Num | None:
    """The size of ``x`` along ``dim``, None where it is not known."""
    shape = shape_of(run, x) if type(x) is Tensor else None
    at = None if shape is None else axis(dim, len(shape))
    return None if not shape or at is None else shape[at]


@operation(*both("narrow"))
def _narrow(run: Execution, input: Value, dim: Value, start: Value, length: Value) -> Value:
    whole, error = _length(run, input, dim), None
    if type(whole) is int and type(start) is int and type(length) is int:
        begin = start + whole if start < 0 else start
        if length < 0:
            error = "narrow(): length must be non-negative."
        elif not 0 <= begin <= whole:
            error = (
                f"start out of range (expected to be in range of [{-whole}, {whole}], "
                f"but got {start})"
            )
        elif begin + length > whole:
            error = f"start ({start}) + length ({length}) exceeds dimension size ({whole})."
    return _along(run, "narrow", input, dim, size(run, length), error)


@operation(*both("select"))
def _select(run: Execution, input: Value, dim: Value, index: Value) -> Value:
    whole, error = _length(run, input, dim), None
    if type(whole) is int and type(index) is int and not -whole <= index < whole:
        error = f"select(): index {index} out of range for tensor at dimension {dim}"
    return _along(run, "select", input, dim, None, error)


@operation(*both("index_select"))
def _index_select(
    run: Execution, input: Value, dim: Value, index: Value, *, out: Value = None
) -> Value:
    shape = shape_of(run, index) if type(index) is Tensor else None
    length = run.fresh("size") if shape is None else product(shape)
    return _along(run, "index_select", input, dim, length)


@operation(*both("gather", "take_along_dim"))
def _gather(
    run: Execution,
    input: Value,
    dim: Value,
    index: Value,
    *,
    sparse_grad: Value = False,
    out: Value = None,
) -> Value:
    if type(index) is not Tensor or type(input) is not Tensor:
        return unseen(run, input, index)
    return run.emit("gather", [input, index], [shape_of(run, index)])[0]


@operation(*both("diagonal"))
def _diagonal(
    run: Execution, input: Value, offset: Value = 0, dim1: Value = 0, dim2: Value = 1
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape = shape_of(run, input)
    one = None if shape is None else axis(dim1, len(shape))
    other = None if shape is None else axis(dim2, len(shape))
    if shape is None or one is None or other is None:
        return run.emit("diagonal", [input], [None])[0]
    rest = tuple([length for at, length in enumerate(shape) if at not in (one, other)])
    known = type(shape[one]) is type(shape[other]) is int and offset == 0
    longest: Num = min(shape[one], shape[other]) if known else run.fresh("size")  # type: ignore[type-var]
    return run.emit("diagonal", [input], [(*rest, longest)])[0]


@operation(".unfold")
def _unfold(run: Execution, self: Value, dimension: Value, size: Value, step: Value) -> Value:
    if type(self) is not Tensor:
        return unseen(run, self)
    shape = shape_of(run, self)
    at = None if shape is None else axis(dimension, len(shape))
    span, stride = number(size), number(step)
    if not shape or at is None or span is None or stride is None:
        error = None if shape is None else out_of_range(dimension, len(shape))
        return run.emit("unfold", [self], [None], {}, error)[0]
    error = None
    if type(shape[at]) is int and type(span) is int and span > shape[at]:  # type: ignore[operator]
        error = f"maximum size for tensor at dimension {at} is {shape[at]} but size is {span}"
    elif type(stride) is int and stride < 1:
        error = f"step is {stride} but must be > 0"
    if error is not None:
        return run.emit("unfold", [self], [None], {}, error)[0]
    places = plain(divided(plain(shape[at] - span), stride) + 1)
    result = (*shape[:at], places, *shape[at + 1 :], span)
    return run.emit("unfold", [self], [result], {"dimension": dimension})[0]


for _name in ("roll", "index_add", "index_copy", "index_fill", "scatter", "scatter_add", "rot90"):
    if _name != "rot90":
        operation(*both(_name), f".{_name}_")(unary(_name))
for _name in ("index_put", "masked_scatter"):
    operation(*both(_name), f".{_name}_")(unary(_name))


@operation(*both("rot90"))
def _rot90(run: Execution, input: Value, k: Value = 1, dims: Value = (0, 1)) -> Value:
    shape = shape_of(run, input) if type(input) is Tensor else None
    if shape is None or type(k) is not int or type(dims) not in (tuple, list) or len(dims) != 2:
        return unseen(run, input)
    one, other = axis(dims[0], len(shape)), axis(dims[1], len(shape))
    result: list[Num] | None = list(shape)
    if one is None or other is None:
        result = None
    elif k % 2 and result is not None:
        result[one], result[other] = result[other], result[one]
    return run.emit("rot90", [input], [None if result is None else tuple(result)])[0]


# --- what is asked of a tensor


@operation(".size")
def _size(run: Execution, self: Value, dim: Value = None) -> Value:
    shape = shape_of(run, self) if type(self) is Tensor else None
    if shape is None:
        return UNKNOWN
    if dim is None:
        return shape
    at = axis(dim, len(shape))
    return UNKNOWN if at is None or not shape else shape[at]


@operation(".dim", ".ndimension")
def _dim(run: Execution, self: Value) -> Value:
    shape = shape_of(run, self) if type(self) is Tensor else None
    return UNKNOWN if shape is None else len(shape)


@operation(".numel", ".nelement", "numel")
def _numel(run: Execution, self: Value) -> Value:
    shape = shape_of(run, self) if type(self) is Tensor else None
    return UNKNOWN if shape is None else product(shape)


@operation(
    *(".item", ".tolist", ".numpy", ".is_contiguous", ".is_floating_point", ".stride", ".equal"),
    *(".get_device", ".element_size", ".backward", ".register_hook", ".storage", ".data_ptr"),
    *(".is_complex", ".dense_dim", ".allclose", ".retain_grad", "equal", "allclose"),
)
def _told(run: Execution, *args: Value, **kwargs: Value) -> Value:
    return UNKNOWN
