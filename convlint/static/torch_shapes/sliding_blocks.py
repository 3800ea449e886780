"""Sliding blocks of images: ``F.unfold``, which extracts them, ``F.fold``, and their layers."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Tensor, Value
from convlint.static.torch_shapes.arguments import Attrs, sizes
from convlint.static.torch_shapes.registry import functional_layer, operation
from convlint.static.torch_shapes.sizes import any_below, divided, plain, product, remainder, shape_of_rank, show
from convlint.static.torch_shapes.windows import grid, window_sizes


def _window_error(window: Attrs) -> str | None:
    for name, least in (("kernel_size", 1), ("dilation", 1), ("padding", 0), ("stride", 1)):
        if any_below(window[name], least):
            text = name.replace("_", " ")
            return f"{text} should be at least {least}, but got {show(window[name])}"
    return None


_WINDOW = "kernel_size, dilation=1, padding=0, stride=1"


@operation("F.unfold", signature=f"input, {_WINDOW}")
def _unfold(run: Execution, input: Tensor, arguments: Attrs) -> Value:
    shape, window = shape_of_rank(run, input, 4), window_sizes(run, 2, arguments)
    if len(shape) not in (3, 4):
        error: str | None = f"Expected 3D or 4D input to unfold, but got {len(shape)}D"
        return run.emit("unfold", [input], [None], {}, error)[0]
    kernel, blocks = window["kernel_size"], grid(shape[-2:], window.values())
    error = _window_error(window)
    if error is None and any_below(blocks, 1):
        error = (
            f"Given input with spatial size {show(shape[-2:])}, kernel_size={show(kernel)}, calculated shape of the "
            f"array of sliding blocks as {show(blocks)}, but its components must be at least one."
        )
    result = (*shape[:-3], plain(shape[-3] * product(kernel)), product(blocks))
    return run.emit("unfold", [input], [result], {}, error)[0]


@operation("F.fold", signature=f"input, output_size, {_WINDOW}")
def _fold(run: Execution, input: Tensor, arguments: Attrs) -> Value:
    shape, window = shape_of_rank(run, input, 3), window_sizes(run, 2, arguments)
    if len(shape) not in (2, 3):
        error: str | None = f"Expected 2D or 3D input to fold, but got {len(shape)}D"
        return run.emit("fold", [input], [None], {}, error)[0]
    kernel, output = window["kernel_size"], sizes(run, arguments["output_size"], 2)
    error = _window_error(window)
    area, blocks = product(kernel), grid(output, window.values())
    if error is None and not run.demand(remainder(shape[-2], area), 0):
        error = (
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={shape[-2]} and kernel_size={show(kernel)}."
        )
    if error is None and (any_below(blocks, 1) or not run.demand(shape[-1], product(blocks))):
        error = (
            f"Given output_size={show(output)}, kernel_size={show(kernel)}, expected size of input's dimension 2 to "
            f"match the calculated number of sliding blocks {show(blocks)}, but got input.size(2)={shape[-1]}."
        )
    return run.emit("fold", [input], [(*shape[:-2], divided(shape[-2], area), *output)], {}, error)[0]


functional_layer("Unfold", _WINDOW, "F.unfold")
functional_layer("Fold", f"output_size, {_WINDOW}", "F.fold")
