"""The window of a convolution or pool: its sizes, and the positions that it has in an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from convlint import symbolic
from convlint.analysis import ops
from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape, Value
from convlint.static.torch_shapes.arguments import Attrs, sizes
from convlint.static.torch_shapes.sizes import below, plain

WINDOW = ("kernel_size", "stride", "padding", "dilation")


def window_sizes(run: Execution, spatial: int, arguments: Mapping[str, Value], names: Iterable[str] = WINDOW) -> Attrs:
    """Return arguments of a window with one number for each spatial dimension."""
    return {name: sizes(run, arguments[name], spatial, name) for name in names}


def grid(image: Shape, window: Iterable[Shape]) -> tuple[Num, ...]:
    """Return the positions in each dimension of an image of a window: kernel, stride, padding, dilation."""
    return tuple([positions(*numbers) for numbers in zip(image, *window, strict=True)])


def positions(size: Num, kernel: Num, stride: Num, padding: Num, dilation: Num) -> Num:
    """Return how many positions a window has along a dimension; unknown if the stride is 0."""
    is_still = type(stride) is int and stride == 0
    return symbolic.UNKNOWN if is_still else plain(ops.output_size(size, kernel, stride, padding, dilation))


def at_least_one(sizes: Iterable[Num]) -> tuple[Num, ...]:
    """Return the sizes of a stand-in for a result that PyTorch refuses."""
    return tuple([1 if below(size, 1) else size for size in sizes])
