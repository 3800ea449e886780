"""Cutting maps into overlapping blocks, and putting blocks together."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Shape, Tensor, Value
from convlint.static.torch_shapes.convolution import window
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizing import (
    below,
    divided,
    plain,
    product,
    remainder,
    shape_of,
    show,
    sizes,
    unseen,
)


@operation("F.unfold")
def unfold(
    run: Execution,
    input: Value,
    kernel_size: Value,
    dilation: Value = 1,
    padding: Value = 0,
    stride: Value = 1,
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape = shape_of(run, input, 4) or ()
    kernel = sizes(run, kernel_size, 2, "kernel")
    pad = sizes(run, padding, 2, "padding")
    spread, step = sizes(run, dilation, 2, "dilation"), sizes(run, stride, 2, "stride")
    if len(shape) not in (3, 4):
        told = f"Expected 3D or 4D input to unfold, but got {len(shape)}D"
        return run.emit("unfold", [input], [None], {}, told)[0]
    blocks = [
        window(one, k, s, p, d)
        for one, k, s, p, d in zip(shape[-2:], kernel, step, pad, spread, strict=True)
    ]
    error = _bad_window(kernel, spread, pad, step)
    if error is None and any(below(one, 1) for one in blocks):
        error = (
            f"Given input with spatial size {show(shape[-2:])}, kernel_size={show(kernel)}, "
            f"calculated shape of the array of sliding blocks as {show(blocks)}, but its "
            "components must be at least one."
        )
    result = (*shape[:-3], plain(shape[-3] * product(kernel)), product(blocks))
    return run.emit("unfold", [input], [result], {}, error)[0]


def _bad_window(kernel: Shape, spread: Shape, pad: Shape, step: Shape) -> str | None:
    for name, numbers, least in (
        ("kernel size", kernel, 1),
        ("dilation", spread, 1),
        ("padding", pad, 0),
        ("stride", step, 1),
    ):
        if any(below(one, least) for one in numbers):
            return f"{name} should be at least {least}, but got {show(numbers)}"
    return None


@operation("F.fold")
def fold(
    run: Execution,
    input: Value,
    output_size: Value,
    kernel_size: Value,
    dilation: Value = 1,
    padding: Value = 0,
    stride: Value = 1,
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape = shape_of(run, input, 3) or ()
    wanted, kernel = sizes(run, output_size, 2), sizes(run, kernel_size, 2, "kernel")
    pad = sizes(run, padding, 2, "padding")
    spread, step = sizes(run, dilation, 2, "dilation"), sizes(run, stride, 2, "stride")
    if len(shape) not in (2, 3):
        told = f"Expected 2D or 3D input to fold, but got {len(shape)}D"
        return run.emit("fold", [input], [None], {}, told)[0]
    error = _bad_window(kernel, spread, pad, step)
    area = product(kernel)
    blocks = [
        window(one, k, s, p, d)
        for one, k, s, p, d in zip(wanted, kernel, step, pad, spread, strict=True)
    ]
    if error is None and not run.demand(remainder(shape[-2], area), 0):
        error = (
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={shape[-2]} and kernel_size={show(kernel)}."
        )
    if error is None and (
        any(below(one, 1) for one in blocks) or not run.demand(shape[-1], product(blocks))
    ):
        error = (
            f"Given output_size={show(wanted)}, kernel_size={show(kernel)}, expected size of "
            f"input's dimension 2 to match the calculated number of sliding blocks "
            f"{show(blocks)}, but got input.size(2)={shape[-1]}."
        )
    result = (*shape[:-2], divided(shape[-2], area), *wanted)
    return run.emit("fold", [input], [result], {}, error)[0]
