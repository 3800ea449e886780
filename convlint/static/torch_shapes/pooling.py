"""Pooling and unpooling, as functions and as layers."""

from __future__ import annotations

from convlint.analysis import ops
from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Shape, Tensor, Value
from convlint.static.torch_shapes.arguments import Attrs, fresh_sizes, is_sequence, size, sizes, unknown_result
from convlint.static.torch_shapes.registry import functional_layer, layer, operation
from convlint.static.torch_shapes.sizes import any_below, below, divided, plain, shape_of_rank, show
from convlint.static.torch_shapes.windows import at_least_one, grid, window_sizes

# --- pooling with a window


def _pool(run: Execution, op: str, spatial: int, input: Tensor, arguments: Attrs) -> Value:
    indices = arguments.get("return_indices") is True and not op.endswith("_with_indices")
    op = f"{op}_with_indices" if indices else op
    outputs = 2 if op.endswith("_with_indices") else 1
    window: Attrs = {"padding": 0, "dilation": 1} | arguments
    stride, ceil = arguments["stride"], arguments["ceil_mode"]
    if stride is None or (is_sequence(stride) and not stride):
        window["stride"] = window["kernel_size"]
    shape = shape_of_rank(run, input, spatial + 2)
    numbers = window_sizes(run, spatial, window)
    attrs = numbers | {"ceil_mode": ceil is not False and ceil != 0}
    if len(shape) not in (spatial + 1, spatial + 2):
        error: str | None = (
            f"{op}: Expected {spatial + 1}D or {spatial + 2}D input, but got {len(shape)}D: {show(shape)}"
        )
        return _one_or_all(run.emit(op, [input], [None] * outputs, attrs, error))
    image = shape[-spatial:]
    if type(ceil) is not bool:
        output = fresh_sizes(run, spatial)
    elif ceil:
        dims = zip(image, *numbers.values(), strict=True)
        output = tuple([_ceil_positions(run, *dim) for dim in dims])
    else:
        output = grid(image, numbers.values())
    error = _argument_error(op, attrs)
    if error is None and any_below(output, 1):
        error = (
            f"Given input size: {show(shape[-spatial - 1 :])}. Calculated output size: "
            f"{show((shape[-spatial - 1], *output))}. Output size is too small"
        )
    if error is None and op in ("avg_pool3d", "lp_pool3d"):
        error = _kernel_error(image, attrs["kernel_size"])
    if op == "lp_pool1d" and type(arguments["kernel_size"]) is tuple:
        error = error or "mul(): argument 'other' (position 1) must be Tensor, not tuple"
    output = output if error is None else at_least_one(output)
    return _one_or_all(run.emit(op, [input], [(*shape[:-spatial], *output)] * outputs, attrs, error))


def _kernel_error(image: Shape, kernel: Shape) -> str | None:
    """Return the error of an average over volumes, which disregards the padding."""
    for length, window in zip(image, kernel, strict=True):
        if type(length) is int and type(window) is int and length < window:
            return (
                f"input image (T: {image[0]} H: {image[1]} W: {image[2]}) smaller than kernel "
                f"size (kT: {kernel[0]} kH: {kernel[1]} kW: {kernel[2]})"
            )
    return None


def _one_or_all(results: tuple[Tensor, ...]) -> Value:
    return results[0] if len(results) == 1 else results


def _argument_error(op: str, attrs: Attrs) -> str | None:
    if any_below(attrs["kernel_size"], 1):
        return f"{op}: kernel_size must be greater than zero, but got {show(attrs['kernel_size'])}"
    if any_below(attrs["stride"], 1):
        return "stride should not be zero"
    if any_below(attrs["dilation"], 1):
        return "dilation should be greater than zero"
    for pad, kernel in zip(attrs["padding"], attrs["kernel_size"], strict=True):
        if below(pad, 0):
            return f"pad must be non-negative, but got pad: {pad}"
        if type(pad) is int and type(kernel) is int and pad > kernel // 2:
            return (
                f"pad should be at most half of effective kernel size, but got pad={pad}, "
                f"kernel_size={kernel} and dilation=1"
            )
    return None


def _ceil_positions(run: Execution, length: Num, kernel: Num, stride: Num, padding: Num, dilation: Num) -> Num:
    """Return how many positions a window has along a dimension with ``ceil_mode``: the last window
    may reach over the edge if it starts inside; see ``nn.MaxPool2d``.
    """
    extent = ops.kernel_extent(kernel, dilation)
    room = plain(length + 2 * padding - extent)
    count = plain(divided(plain(room + stride - 1), stride) + 1)
    if all(type(value) is int for value in (count, length, padding, stride)):
        return plain(count - 1) if below(plain(length + padding - (count - 1) * stride), 1) else count
    # The last window starts inside whenever padding and stride are within the window.
    inside = plain(extent - padding - stride)
    return count if type(inside) is int and inside >= 0 else run.fresh("size")


def _construct(run: Execution, arguments: Attrs) -> Attrs:
    """Keep the arguments of a layer; its stride is the kernel size by default."""
    if arguments["stride"] is None:
        arguments["stride"] = arguments["kernel_size"]
    return arguments


_MAX = "kernel_size, stride=None, padding=0, dilation=1"
_AVERAGE = "kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True"
_POWER = "norm_type, kernel_size, stride=None, ceil_mode=False"
for _n in (1, 2, 3):
    _average = _AVERAGE if _n == 1 else f"{_AVERAGE}, divisor_override=None"
    _max = f"{_MAX}, ceil_mode=False"
    for _name, _parameters in (
        (f"max_pool{_n}d", _max),
        (f"F.max_pool{_n}d", f"{_max}, return_indices=False"),
        (f"F.max_pool{_n}d_with_indices", f"{_max}, return_indices=False"),
        (f"F.avg_pool{_n}d", _average),
        (f"F.lp_pool{_n}d", _POWER),
    ):
        _op = _name.removeprefix("F.")
        operation(_name, signature=f"input, {_parameters}", op=_op, spatial=_n)(_pool)
    _max = f"{_MAX}, return_indices=False, ceil_mode=False"
    functional_layer(f"MaxPool{_n}d", _max, f"F.max_pool{_n}d", _construct)
    functional_layer(f"AvgPool{_n}d", _average, f"F.avg_pool{_n}d", _construct)
    functional_layer(f"LPPool{_n}d", _POWER, f"F.lp_pool{_n}d")
operation("avg_pool1d", signature=f"input, {_AVERAGE}", op="avg_pool1d", spatial=1)(_pool)

# --- adaptive pooling


def _adaptive_pool(
    run: Execution, op: str, spatial: int, input: Tensor, output_size: Value, return_indices: Value
) -> Value:
    """Pool to a size; None in it keeps a dimension as it is."""
    outputs = 2 if return_indices is True else 1
    op = f"{op}_with_indices" if outputs == 2 and op.startswith("adaptive") else op
    shape = shape_of_rank(run, input, spatial + 2)
    attrs = {"output_size": tuple(output_size) if type(output_size) is list else output_size}
    if len(shape) >= spatial > 1 and "avg" in op and _is_global(output_size, spatial):
        result: Shape = (*shape[:-spatial], *(1,) * spatial)  # a mean, whatever the rank
        return run.emit(op, [input], [result], attrs)[0]
    if len(shape) not in (spatial + 1, spatial + 2):
        error: str | None = f"{op}(): Expected {spatial + 1}D or {spatial + 2}D tensor, but got {show(shape)}"
        return _one_or_all(run.emit(op, [input], [None] * outputs, attrs, error))
    wanted = output_size if is_sequence(output_size) else (output_size,) * spatial
    if len(wanted) == 1:
        wanted = tuple(wanted) * spatial
    error = None
    if len(wanted) != spatial:
        error = f"{op}: Expected output_size to have {spatial} elements"
        wanted = (wanted[0] if wanted else 1,) * spatial
    output = [
        length if item is None else size(run, item) for item, length in zip(wanted, shape[-spatial:], strict=True)
    ]
    if any_below(output, 0):
        error = f"{op}: elements of output_size must be greater than or equal to 0"
    result = (*shape[:-spatial], *output)
    return _one_or_all(run.emit(op, [input], [result] * outputs, attrs, error))


def _is_global(output_size: Value, spatial: int) -> bool:
    return output_size == 1 or (is_sequence(output_size) and list(output_size) == [1] * spatial)


def _fractional_pool(run: Execution, layer: Instance, input: Tensor, spatial: int) -> Value:
    wanted = layer.attrs["output_size"]
    if wanted is None:
        wanted = fresh_sizes(run, spatial)
    op = f"fractional_max_pool{spatial}d"
    return _adaptive_pool(run, op, spatial, input, wanted, layer.attrs["return_indices"])


_FRACTIONAL = "kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None"
for _n in (1, 2, 3):
    _op, _fixed = f"adaptive_avg_pool{_n}d", {"spatial": _n, "return_indices": False}
    _names = [f"F.{_op}", "adaptive_avg_pool1d"][: 2 if _n == 1 else 1]
    operation(*_names, signature="input, output_size", op=_op, **_fixed)(_adaptive_pool)
    functional_layer(f"AdaptiveAvgPool{_n}d", "output_size", f"F.{_op}")
    _op, _signature = f"adaptive_max_pool{_n}d", "output_size, return_indices=False"
    operation(f"F.{_op}", signature=f"input, {_signature}", op=_op, spatial=_n)(_adaptive_pool)
    functional_layer(f"AdaptiveMaxPool{_n}d", _signature, f"F.{_op}")
    if _n > 1:
        layer(f"FractionalMaxPool{_n}d", _FRACTIONAL, _fractional_pool, spatial=_n)

# --- unpooling


def _unpool(run: Execution, spatial: int, input: Value, indices: Value, arguments: Attrs) -> Value:
    if type(input) is not Tensor:
        return unknown_result(run, input, indices)
    op, shape = f"max_unpool{spatial}d", shape_of_rank(run, input, spatial + 2)
    if len(shape) not in (spatial + 1, spatial + 2):
        return run.emit(op, [input], [None])[0]
    wanted = arguments["output_size"]
    if wanted is not None:
        is_full = is_sequence(wanted) and len(wanted) > spatial
        output = sizes(run, wanted[-spatial:] if is_full else wanted, spatial)
    else:
        if arguments["stride"] is None:
            arguments["stride"] = arguments["kernel_size"]
        window = window_sizes(run, spatial, arguments, ("stride", "padding", "kernel_size"))
        windows = zip(shape[-spatial:], *window.values(), strict=True)
        output = tuple([plain((size - 1) * s - 2 * p + k) for size, s, p, k in windows])
    return run.emit(op, [input], [(*shape[:-spatial], *output)])[0]


def _forward_unpool(
    run: Execution, layer: Instance, input: Value, indices: Value, spatial: int, output_size: Value
) -> Value:
    window = {name: layer.attrs[name] for name in ("kernel_size", "stride", "padding")}
    return _unpool(run, spatial, input, indices, window | {"output_size": output_size})


_WINDOW = "kernel_size, stride=None, padding=0"
for _n in (1, 2, 3):
    _signature = f"input, indices, {_WINDOW}, output_size=None"
    operation(f"F.max_unpool{_n}d", signature=_signature, spatial=_n)(_unpool)
    _inputs = "input, indices, output_size=None"
    layer(f"MaxUnpool{_n}d", _WINDOW, _forward_unpool, _construct, _inputs, spatial=_n)
