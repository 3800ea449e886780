"""Sizes that are computed for other inputs and arguments, compared with what PyTorch computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from convlint.analysis.size_flow import flow
from convlint.analysis.working_sizes import working_sizes

if TYPE_CHECKING:
    from torch import nn

    from convlint.ir import Graph


def graph_of(model: nn.Module, *shape: int) -> Graph:
    import torch

    from convlint.runtime.record.record import record

    return record(model, (torch.zeros(shape),)).graph()


def output_of(model: nn.Module, *shape: int) -> tuple[int, ...] | None:
    """The shape of the output; None if PyTorch raises."""
    import torch

    with torch.no_grad():
        try:
            return tuple(model.eval()(torch.zeros(shape)).shape)
        except RuntimeError:
            return None


def models() -> dict[str, Any]:
    from torch import nn

    return {
        "strides and paddings": nn.Sequential(nn.Conv2d(3, 4, 5, (2, 1), 1), nn.ReLU(), nn.Conv2d(4, 2, 3, dilation=2)),
        "same padding": nn.Conv2d(3, 4, 3, padding="same", dilation=3),
        "a pool that rounds up": nn.Sequential(nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(2, ceil_mode=True)),
        "transposed": nn.ConvTranspose2d(3, 4, 3, 2, 1, output_padding=1, dilation=2),
        "an adaptive pool": nn.Sequential(nn.AdaptiveAvgPool2d((None, 5)), nn.Flatten(), nn.LazyLinear(2)),
        "flattened": nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 18 * 22, 3)),
        "enlarged": nn.Sequential(nn.Upsample(scale_factor=1.5), nn.PixelUnshuffle(2), nn.PixelShuffle(2)),
        "padded": nn.Sequential(nn.ZeroPad2d((1, 2, 3, 4)), nn.ReflectionPad2d(2)),
        "a large kernel": nn.Conv2d(3, 2, 19),
    }


@pytest.mark.parametrize("name", models())
@pytest.mark.parametrize("size", [(20, 24), (21, 25), (16, 40), (18, 18)])
def test_other_inputs(name: str, size: tuple[int, int]) -> None:
    model = models()[name]
    graph = graph_of(model, 1, 3, 20, 24)
    (image,) = (tensor.id for node in graph.nodes if node.op == "input" for tensor in node.outputs)
    result = flow(graph, {image: (1, 3, *size)})
    expected = output_of(model, 1, 3, *size)
    (last,) = (node.inputs[0] for node in graph.nodes if node.op == "output")
    if expected is None:
        assert result.failed or not result.is_certain
    elif result.is_certain:
        assert not result.failed
        assert result.shapes[last] == expected
    else:  # a size that is not known is no failure
        assert not result.failed


@pytest.mark.parametrize(
    ("name", "value"), [("stride", (2, 2)), ("padding", (3, 3)), ("kernel_size", (5, 5)), ("output_padding", (1, 1))]
)
def test_other_arguments(name: str, value: tuple[int, int]) -> None:
    from torch import nn

    written = {"stride": (2, 2), "padding": (1, 1), "kernel_size": (3, 3)}
    graph = graph_of(nn.ConvTranspose2d(3, 4, **written), 1, 3, 9, 11)
    (node,) = (node for node in graph.nodes if node.op == "conv_transpose2d")
    expected = output_of(nn.ConvTranspose2d(3, 4, **(written | {name: value})), 1, 3, 9, 11)
    assert flow(graph, {}, {node.id: {name: value}}).shapes[node.outputs[0].id] == expected


def test_working_sizes_are_those_that_pytorch_accepts() -> None:
    from torch import Tensor, nn

    class Skip(nn.Module):
        def __init__(self, depth: int) -> None:
            super().__init__()
            self.down = nn.MaxPool2d(2)
            self.inner = Skip(depth - 1) if depth > 1 else nn.Identity()
            self.up = nn.Upsample(scale_factor=2)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.up(self.inner(self.down(x)))

    for depth in (1, 2, 3):
        model = Skip(depth)
        graph = graph_of(model, 1, 3, 37, 41)
        assert working_sizes(graph) == f"heights and widths divisible by {2**depth}"
        assert all(output_of(model, 1, 3, n * 2**depth, (n + 1) * 2**depth) for n in (1, 3, 4))


def test_sizes_that_never_fit_have_no_rule() -> None:
    import torch
    from torch import Tensor, nn

    class Uneven(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x, self.conv(x)])

    assert working_sizes(graph_of(Uneven(), 1, 3, 16, 16)) is None
