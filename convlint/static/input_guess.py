"""The input of a model whose text is followed: the channels that its first layer asks for, at a size that all layers
work with.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import dropwhile

from convlint.analysis import ops
from convlint.settings.input_shapes import InputSpec
from convlint.static.exploration.entry_points import ExecutionPath

SIZES = {
    1: (32, 64, 128, 224, 512, 1024, 4096, 16_000),
    2: (32, 64, 96, 128, 224, 256, 299, 384, 512, 28),
    3: (16, 32, 64, 112, 224),
}
"""Sizes of inputs that are tried, by the number of spatial dimensions: the first that is large enough is taken."""
_WIDE_ENOUGH = 7  # a map that ImageNet's models end with

Run = Callable[[tuple[InputSpec, ...]], ExecutionPath | None]


def fitting(path: ExecutionPath, run: Run) -> tuple[tuple[InputSpec, ...], str]:
    """The one input of a model, and why it is that; none where only a run can tell. ``way`` is the execution of its
    text with any input, ``run`` follows it with a given one.
    """
    asked = next((step.outputs[0] for step in path.execution.steps if step.op == "input"), None)
    shape = () if asked is None else tuple(path.execution.reduced(n) for n in asked.shape or ())
    spatial = len(shape) - 2
    if spatial not in SIZES or type(shape[1]) is not int:
        return (), ""
    channels = shape[1]

    def spec(size: int) -> InputSpec:
        return InputSpec((channels, *(size,) * spatial))

    smallest = {}  # of sizes that work, that of the smallest map a convolution makes
    for size in SIZES[spatial]:
        tried = run((spec(size),))
        if tried is not None and (found := _smallest_map(tried)):
            smallest[size] = found
    if not smallest:
        return (), ""
    if len(smallest) == 1:
        return (spec(*smallest),), "no other usual size works"
    enough = (size for size in smallest if smallest[size] >= _WIDE_ENOUGH)
    return (spec(next(enough, max(smallest))),), "other sizes work as well"


def _smallest_map(path: ExecutionPath) -> int:
    """The smallest size of a map that a convolution makes; 0 where something fails, or what becomes of the input is
    not known to the end: a model may insist on a size there.
    """
    if not path.complete or path.execution.gaps or any(step.error for step in path.execution.steps):
        return 0
    maps: list[int] = []
    for step in dropwhile(lambda step: step.op != "input", path.execution.steps):
        for tensor in step.outputs:
            if tensor.shape is None:
                return 0
            sizes = [path.execution.reduced(size) for size in tensor.shape]
            plain = [size for size in sizes if type(size) is int]
            if len(plain) < len(sizes):
                return 0
            if step.op in ops.ALL_CONVS:
                maps += plain[2:]
    return min(maps, default=0)
