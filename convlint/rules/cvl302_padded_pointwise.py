from __future__ import annotations

from collections.abc import Iterator
from math import prod

from convlint import flow
from convlint.model import Finding, Graph
from convlint.rule import Example, Rule


class PaddedPointwise(Rule):
    """A convolution is padded in a direction in which its kernel is 1: the outer pixels of its
    output see no input.

    ## Why is this bad?

    A 1x1 kernel reads one pixel. With `padding=1` the outer ring of the output reads only zeros, so
    it holds the bias and nothing else. The map grows by two in each direction, every layer behind
    it pays for that, and a norm takes the ring into its statistics. It is mostly a leftover from a
    3x3 layer that was copied.

    The same holds for one direction: a 1x7 kernel needs `padding=(0, 3)`, and `padding=3` pads the
    rows too.

    ## What to do

    Write `padding=0`, or pad only the directions in which the kernel is larger than 1.

    ## Fix safety

    The change is unsafe: the output becomes smaller, and sizes that were written down for the
    layers behind it change.
    """

    code = "CVL302"
    name = "padded-pointwise"
    severity = "warning"

    bad = (
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.pointwise = nn.Conv2d(3, 16, 1, padding=1)  # CVL302

    def forward(self, x):
        return self.pointwise(x)
"""
        ),
        Example(
            """\
from torch import nn


def Net():
    return nn.Conv2d(3, 16, (1, 7), padding=3)  # CVL302
"""
        ),
    )
    good = (
        Example(
            """\
from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 1),
        nn.ReLU(),
        nn.Conv2d(16, 16, (1, 7), padding=(0, 3)),
        nn.ReLU(),
        nn.Conv2d(16, 16, 1, padding="same"),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 16, 1, padding=1),  # here padding cuts off
    )
"""
        ),
    )

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in flow.distinct(graph, flow.CONVS):
            layer = graph.layer(node.layer)
            mode = "zeros" if layer is None else layer.attrs.get("padding_mode", "zeros")
            kernel, padding = node.attrs["kernel_size"], node.attrs["padding"]
            if mode != "zeros" or isinstance(padding, str):
                continue
            if not any(
                size == 1 and around > 0 for size, around in zip(kernel, padding, strict=True)
            ):
                continue
            into = flow.input_shape(graph, node)[-len(kernel) :]
            output = node.outputs[0].shape[-len(kernel) :]
            seeing = [
                _seeing(size, outputs, stride, around) if k == 1 else outputs
                for size, outputs, k, stride, around in zip(
                    into, output, kernel, node.attrs["stride"], padding, strict=True
                )
            ]
            blind = prod(output) - prod(seeing)
            wanted = tuple(
                [0 if k == 1 else around for k, around in zip(kernel, padding, strict=True)]
            )
            yield self.finding(
                f"padding {flow.by(padding)} around a {flow.by(kernel)} kernel: {blind:,} of "
                f"{prod(output):,} output pixels see no input"
                f"{' but the bias' if node.attrs['bias'] else ''}; use padding={_argument(wanted)}",
                graph.where(node),
                module=node.layer,
            )


def _seeing(size: int, outputs: int, stride: int, padding: int) -> int:
    """How many outputs of a kernel of 1 read a pixel in ``0 .. size-1``."""
    return sum(0 <= position * stride - padding < size for position in range(outputs))


def _argument(padding: tuple[int, ...]) -> str:
    return str(padding[0]) if len(set(padding)) == 1 else str(padding)
