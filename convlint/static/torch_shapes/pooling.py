"""Pooling, as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convlint.analysis import ops
from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Handler, Num, Shape, Tensor, Value
from convlint.static.torch_shapes.convolution import window
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizing import (
    below,
    divided,
    plain,
    shape_of,
    show,
    size,
    sizes,
    unseen,
)


def pooled(
    run: Execution, op: str, x: Value, spatial: int, numbers: dict[str, Value], outputs: int = 1
) -> Value:
    """Pool with a window. ``numbers``: ``kernel_size``, ``stride``, ``padding``, ``dilation`` and
    ``ceil_mode``; with two ``outputs`` the places of the maxima come along.
    """
    if type(x) is not Tensor:
        return unseen(run, x)
    shape = shape_of(run, x, spatial + 2) or ()
    kernel = sizes(run, numbers["kernel_size"], spatial, "kernel")
    stride = numbers["stride"]
    attrs: dict[str, Any] = {
        "kernel_size": kernel,
        "stride": kernel
        if stride is None or (type(stride) in (tuple, list) and not stride)
        else sizes(run, stride, spatial, "stride"),
        "padding": sizes(run, numbers["padding"], spatial, "padding"),
        "dilation": sizes(run, numbers["dilation"], spatial, "dilation"),
        "ceil_mode": numbers["ceil_mode"] is not False and numbers["ceil_mode"] != 0,
    }
    if len(shape) not in (spatial + 1, spatial + 2):
        told = (
            f"{op}: Expected {spatial + 1}D or {spatial + 2}D input, but got {len(shape)}D: "
            f"{show(shape)}"
        )
        return _several(run.emit(op, [x], [None] * outputs, attrs, told))
    around = shape[-spatial:]
    error = _bad_argument(op, attrs)
    if type(numbers["ceil_mode"]) is not bool:
        moved: Shape = tuple([run.fresh("size") for _ in range(spatial)])
    else:
        moved = tuple(
            [
                _places(run, *one, ceil=attrs["ceil_mode"])
                for one in zip(
                    around,
                    kernel,
                    attrs["stride"],
                    attrs["padding"],
                    attrs["dilation"],
                    strict=True,
                )
            ]
        )
    if error is None and any(below(one, 1) for one in moved):
        error = (
            f"Given input size: {show(shape[-spatial - 1 :])}. Calculated output size: "
            f"{show((shape[-spatial - 1], *moved))}. Output size is too small"
        )
    if error is None and op in ("avg_pool3d", "lp_pool3d"):
        error = _smaller_than_kernel(around, kernel)
    if op == "lp_pool1d" and type(numbers["kernel_size"]) is tuple:
        error = error or "mul(): argument 'other' (position 1) must be Tensor, not tuple"
    if error is not None:
        moved = tuple([1 if below(one, 1) else one for one in moved])
    result = (*shape[:-spatial], *moved)
    return _several(run.emit(op, [x], [result] * outputs, attrs, error))


def _smaller_than_kernel(around: Shape, kernel: Shape) -> str | None:
    """What the average over volumes says, padded or not."""
    for one, k in zip(around, kernel, strict=True):
        if type(one) is int and type(k) is int and one < k:
            return (
                f"input image (T: {around[0]} H: {around[1]} W: {around[2]}) smaller than kernel "
                f"size (kT: {kernel[0]} kH: {kernel[1]} kW: {kernel[2]})"
            )
    return None


def _several(results: tuple[Tensor, ...]) -> Value:
    return results[0] if len(results) == 1 else results


def _bad_argument(op: str, attrs: dict[str, Any]) -> str | None:
    if any(below(one, 1) for one in attrs["kernel_size"]):
        return f"{op}: kernel_size must be greater than zero, but got {show(attrs['kernel_size'])}"
    if any(below(one, 1) for one in attrs["stride"]):
        return "stride should not be zero"
    if any(below(one, 1) for one in attrs["dilation"]):
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


def _places(
    run: Execution, one: Num, kernel: Num, step: Num, pad: Num, spread: Num, *, ceil: bool
) -> Num:
    """How many places a window has along a dimension. With ``ceil`` the last one may reach over the
    edge, if it starts inside.
    """
    if not ceil:
        return window(one, kernel, step, pad, spread)
    span = plain(one + 2 * pad - ops.kernel_extent(kernel, spread))
    count = plain(divided(plain(span + step - 1), step) + 1)
    if all(type(value) is int for value in (count, one, pad, step)):
        return plain(count - 1) if below(plain(one + pad - (count - 1) * step), 1) else count
    # The last window starts inside whenever padding and stride are within the window.
    room = plain(ops.kernel_extent(kernel, spread) - pad - step)
    return count if type(room) is int and room >= 0 else run.fresh("size")


# --- functions


def _max(spatial: int) -> Callable[..., Value]:
    def max_pool(
        run: Execution,
        input: Value,
        kernel_size: Value,
        stride: Value = None,
        padding: Value = 0,
        dilation: Value = 1,
        ceil_mode: Value = False,
        return_indices: Value = False,
    ) -> Value:
        numbers = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "ceil_mode": ceil_mode,
        }
        if return_indices is True:
            return pooled(run, f"max_pool{spatial}d_with_indices", input, spatial, numbers, 2)
        return pooled(run, f"max_pool{spatial}d", input, spatial, numbers)

    return max_pool


def _max_with_indices(spatial: int) -> Handler:
    plain_form = _max(spatial)

    def max_pool(
        run: Execution,
        input: Value,
        kernel_size: Value,
        stride: Value = None,
        padding: Value = 0,
        dilation: Value = 1,
        ceil_mode: Value = False,
        return_indices: Value = True,
    ) -> Value:
        return plain_form(run, input, kernel_size, stride, padding, dilation, ceil_mode, True)

    return max_pool


def _average(spatial: int) -> Callable[..., Value]:
    def avg_pool(
        run: Execution,
        input: Value,
        kernel_size: Value,
        stride: Value = None,
        padding: Value = 0,
        ceil_mode: Value = False,
        count_include_pad: Value = True,
        divisor_override: Value = None,
    ) -> Value:
        numbers = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": 1,
            "ceil_mode": ceil_mode,
        }
        return pooled(run, f"avg_pool{spatial}d", input, spatial, numbers)

    return avg_pool


def _power(spatial: int) -> Callable[..., Value]:
    def lp_pool(
        run: Execution,
        input: Value,
        norm_type: Value,
        kernel_size: Value,
        stride: Value = None,
        ceil_mode: Value = False,
    ) -> Value:
        numbers = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": 0,
            "dilation": 1,
            "ceil_mode": ceil_mode,
        }
        return pooled(run, f"lp_pool{spatial}d", input, spatial, numbers)

    return lp_pool


def adaptive(
    run: Execution, op: str, x: Value, spatial: int, output_size: Value, outputs: int = 1
) -> Value:
    """Pool to a size that is asked for; None keeps a dimension as it is."""
    if type(x) is not Tensor:
        return unseen(run, x)
    shape = shape_of(run, x, spatial + 2) or ()
    attrs = {"output_size": tuple(output_size) if type(output_size) is list else output_size}
    if len(shape) >= spatial > 1 and "avg" in op and _all_ones(output_size, spatial):
        result: Shape = (*shape[:-spatial], *(1,) * spatial)  # a mean, whatever the rank
        return run.emit(op, [x], [result], attrs)[0]
    if len(shape) not in (spatial + 1, spatial + 2):
        told = f"{op}(): Expected {spatial + 1}D or {spatial + 2}D tensor, but got {show(shape)}"
        return _several(run.emit(op, [x], [None] * outputs, attrs, told))
    wanted = output_size if type(output_size) in (tuple, list) else (output_size,) * spatial
    if len(wanted) == 1:
        wanted = tuple(wanted) * spatial
    error = None
    if len(wanted) != spatial:
        error = f"{op}: Expected output_size to have {spatial} elements"
        wanted = (wanted[0] if wanted else 1,) * spatial
    given = [
        have if one is None else size(run, one)
        for one, have in zip(wanted, shape[-spatial:], strict=True)
    ]
    if any(below(one, 0) for one in given):
        error = f"{op}: elements of output_size must be greater than or equal to 0"
    result = (*shape[:-spatial], *given)
    return _several(run.emit(op, [x], [result] * outputs, attrs, error))


def _all_ones(output_size: Value, spatial: int) -> bool:
    return output_size == 1 or (
        type(output_size) in (tuple, list) and list(output_size) == [1] * spatial
    )


def _adaptive_average(spatial: int) -> Handler:
    def pool(run: Execution, input: Value, output_size: Value) -> Value:
        return adaptive(run, f"adaptive_avg_pool{spatial}d", input, spatial, output_size)

    return pool


def _adaptive_max(spatial: int) -> Handler:
    def pool(
        run: Execution, input: Value, output_size: Value, return_indices: Value = False
    ) -> Value:
        outputs = 2 if return_indices is True else 1
        op = f"adaptive_max_pool{spatial}d" + ("_with_indices" if outputs == 2 else "")
        return adaptive(run, op, input, spatial, output_size, outputs)

    return pool


MAX = {n: _max(n) for n in (1, 2, 3)}
AVERAGE = {n: _average(n) for n in (1, 2, 3)}
POWER = {n: _power(n) for n in (1, 2, 3)}
ADAPTIVE_AVERAGE = {n: _adaptive_average(n) for n in (1, 2, 3)}
ADAPTIVE_MAX = {n: _adaptive_max(n) for n in (1, 2, 3)}
for _n in (1, 2, 3):
    operation(f"F.max_pool{_n}d", f"max_pool{_n}d")(MAX[_n])
    operation(f"F.max_pool{_n}d_with_indices")(_max_with_indices(_n))
    operation(f"F.avg_pool{_n}d", f"avg_pool{_n}d")(AVERAGE[_n])
    operation(f"F.lp_pool{_n}d")(POWER[_n])
    operation(f"F.adaptive_avg_pool{_n}d", f"adaptive_avg_pool{_n}d")(ADAPTIVE_AVERAGE[_n])
    operation(f"F.adaptive_max_pool{_n}d")(ADAPTIVE_MAX[_n])
