"""Guess the input of a model from its execution: the channels of its first layer, at a size that works."""

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
"""Sizes to try, by the number of spatial dimensions: the first that is large enough is taken."""
_LARGE_ENOUGH = 7  # the size of the smallest map; models for ImageNet end with 7x7

Run = Callable[[tuple[InputSpec, ...]], ExecutionPath | None]


def guess_input(path: ExecutionPath, run: Run) -> tuple[tuple[InputSpec, ...], str]:
    """Guess the single input of a model.

    ``path`` is its execution on an input of unknown shape; ``run`` executes it on a given input.
    Returns the input and the reason for its size; no input if only a real run can determine it.
    """
    execution = path.execution
    inputs = [step for step in execution.steps if step.op == "input"]
    if any("part" in step.attrs for step in inputs):
        return (), ""  # a dict of tensors
    first = next((step.outputs[0] for step in inputs), None)
    shape = () if first is None else tuple(execution.reduced(n) for n in first.shape or ())
    spatial = len(shape) - 2
    if spatial not in SIZES or type(shape[1]) is not int:
        return (), ""
    channels = shape[1]

    def spec(size: int) -> InputSpec:
        return InputSpec((channels, *(size,) * spatial))

    smallest = {}  # the size of the smallest output of a convolution, for each input size that works
    for size in SIZES[spatial]:
        attempt = run((spec(size),))
        if attempt is not None and (map_size := _smallest_map(attempt)):
            smallest[size] = map_size
    if not smallest:
        return (), ""
    if len(smallest) == 1:
        return (spec(*smallest),), "no other usual size works"
    large = (size for size in smallest if smallest[size] >= _LARGE_ENOUGH)
    return (spec(next(large, max(smallest))),), "other sizes work as well"


def _smallest_map(path: ExecutionPath) -> int:
    """Return the smallest spatial size of an output of a convolution; 0 if a call fails or a shape is not known."""
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
