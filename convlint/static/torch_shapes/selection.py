"""Selecting parts of a tensor, and writing parts into one."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Tensor, Value, as_number
from convlint.static.torch_shapes.arguments import Attrs, unknown_result
from convlint.static.torch_shapes.arguments import size as size_of
from convlint.static.torch_shapes.elementwise import register_unary
from convlint.static.torch_shapes.registry import FUNCTIONS, both, operation
from convlint.static.torch_shapes.sizes import divided, locate, plain, product, replaced, shape_of


def _along(run: Execution, op: str, x: Tensor, dim: Value, length: Num | None, error: str | None = None) -> Value:
    """Record ``x`` with another length along ``dim``, or without that dimension for None."""
    attrs = {"dim": dim}
    shape, position, range_error = locate(run, x, dim)
    if position is None or not shape:
        return run.emit(op, [x], [None], attrs, error or range_error)[0]
    lengths = () if length is None else (length,)
    return run.emit(op, [x], [replaced(shape, position, *lengths)], attrs, error)[0]


def _length(run: Execution, x: Tensor, dim: Value) -> Num | None:
    """Return the size of ``x`` along ``dim``, None if it is unknown."""
    shape, position, _ = locate(run, x, dim)
    return None if not shape or position is None else shape[position]


@operation(*both("narrow"))
def _narrow(run: Execution, input: Tensor, dim: Value, start: Value, length: Value) -> Value:
    whole, error = _length(run, input, dim), None
    if type(whole) is int and type(start) is int and type(length) is int:
        begin = start + whole if start < 0 else start
        if length < 0:
            error = "narrow(): length must be non-negative."
        elif not 0 <= begin <= whole:
            error = f"start out of range (expected to be in range of [{-whole}, {whole}], but got {start})"
        elif begin + length > whole:
            error = f"start ({start}) + length ({length}) exceeds dimension size ({whole})."
    return _along(run, "narrow", input, dim, size_of(run, length), error)


@operation(*both("select"))
def _select(run: Execution, input: Tensor, dim: Value, index: Value) -> Value:
    whole, error = _length(run, input, dim), None
    if type(whole) is int and type(index) is int and not -whole <= index < whole:
        error = f"select(): index {index} out of range for tensor at dimension {dim}"
    return _along(run, "select", input, dim, None, error)


@operation(*both("index_select"), signature="input, dim, index, *, out=None")
def _index_select(run: Execution, input: Tensor, dim: Value, index: Value) -> Value:
    shape = shape_of(run, index) if type(index) is Tensor else None
    return _along(run, "index_select", input, dim, run.fresh("size") if shape is None else product(shape))


@operation(*both("gather"), signature="input, dim, index, *, sparse_grad=False, out=None")
def _gather(run: Execution, input: Tensor, index: Tensor) -> Value:
    return run.emit("gather", [input, index], [shape_of(run, index)])[0]


@operation(*both("take_along_dim"), signature="input, indices, dim=None, *, out=None")
def _take_along_dim(run: Execution, input: Tensor, indices: Tensor) -> Value:
    return unknown_result(run, input, indices)


@operation(*both("diagonal"), signature="input, offset=0, dim1=0, dim2=1")
def _diagonal(run: Execution, input: Tensor, offset: Value, dim1: Value, dim2: Value) -> Value:
    shape, first, _ = locate(run, input, dim1)
    _, second, _ = locate(run, input, dim2)
    if shape is None or first is None or second is None:
        return run.emit("diagonal", [input], [None])[0]
    rest = tuple([size for at, size in enumerate(shape) if at not in (first, second)])
    rows, columns = shape[first], shape[second]
    length: Num = run.fresh("size")
    if isinstance(rows, int) and isinstance(columns, int) and offset == 0:
        length = min(rows, columns)
    return run.emit("diagonal", [input], [(*rest, length)])[0]


@operation(".unfold")
def _unfold(run: Execution, input: Tensor, dimension: Value, size: Value, step: Value) -> Value:
    shape, position, error = locate(run, input, dimension)
    window, stride = as_number(size), as_number(step)
    if not shape or position is None or window is None or stride is None:
        return run.emit("unfold", [input], [None], {}, error)[0]
    length = shape[position]
    if isinstance(length, int) and isinstance(window, int) and window > length:
        error = f"maximum size for tensor at dimension {position} is {length} but size is {window}"
    elif type(stride) is int and stride < 1:
        error = f"step is {stride} but must be > 0"
    if error is not None:
        return run.emit("unfold", [input], [None], {}, error)[0]
    windows = plain(divided(plain(length - window), stride) + 1)
    return run.emit("unfold", [input], [(*replaced(shape, position, windows), window)], {"dimension": dimension})[0]


@operation(*both("multinomial"), signature="input, num_samples, replacement=False, *, generator=None, out=None")
def _multinomial(run: Execution, input: Tensor, num_samples: Value, replacement: Value) -> Value:
    shape = shape_of(run, input)
    result = None if not shape else (*shape[:-1], size_of(run, num_samples))
    error = None
    if shape and type(shape[-1]) is type(num_samples) is int and num_samples > shape[-1] and replacement is False:
        error = "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
    return run.emit("multinomial", [input], [result], {}, error, dtype="int64")[0]


@operation("unique", signature="*args, **kwargs")
def _unique_values(run: Execution, args: tuple[Value, ...], kwargs: Attrs) -> Value:
    return FUNCTIONS[".unique"](run, *args, **kwargs)


@operation(".unique", signature="input, sorted=True, return_inverse=False, return_counts=False, dim=None")
def _unique(run: Execution, input: Tensor, return_inverse: Value, return_counts: Value, dim: Value) -> Value:
    """Return as many distinct values as there are, where each value of the input is among them, and how often."""
    if type(return_inverse) is not bool or type(return_counts) is not bool or dim is not None:
        return unknown_result(run, input)
    length = run.fresh("size")
    shapes = [(length,), *([shape_of(run, input)] if return_inverse else []), *([(length,)] if return_counts else [])]
    results = run.emit("unique", [input], shapes)
    return results if len(shapes) > 1 else results[0]


register_unary("roll", *both("roll"))
_WRITES = "index_add index_copy index_fill index_put masked_scatter scatter scatter_add"
for _name in _WRITES.split():
    register_unary(_name, *both(_name), f".{_name}_")
