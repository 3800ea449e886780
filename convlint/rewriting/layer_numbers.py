"""The numbers of a convolution or linear layer, as its constructor was given them, and its calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from convlint.analysis import cost
from convlint.ir import Costs, Graph, Layer, Node, Shape, Tensor

STEM_CHANNELS = 4
"""Layers with no more input channels than this read an image (RGB, or one channel more), and stay as they are."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """``in_channels`` and ``out_channels`` are the features of a linear layer, whose kernel is 1 x 1."""

    in_channels: int
    out_channels: int
    kernel_size: Shape = (1, 1)
    stride: Shape = (1, 1)
    padding: Shape | str = (0, 0)
    dilation: Shape = (1, 1)
    groups: int = 1
    bias: bool = True
    padding_mode: str = "zeros"

    @property
    def window(self) -> int:
        """Values of one kernel in one channel."""
        return prod(self.kernel_size)

    @property
    def is_dense(self) -> bool:
        """Whether every output value is a sum over all channels of a window of several pixels."""
        return self.groups == 1 and self.window > 1

    @property
    def is_stem(self) -> bool:
        return self.in_channels <= STEM_CHANNELS


def numbers(attrs: Mapping[str, Any]) -> Numbers:
    """From the attributes of a ``model.Layer`` or ``model.Built``. Raises KeyError."""
    bias = bool(attrs.get("bias"))
    if "in_features" in attrs:
        return Numbers(int(attrs["in_features"]), int(attrs["out_features"]), bias=bias)
    padding = attrs["padding"]
    return Numbers(
        int(attrs["in_channels"]),
        int(attrs["out_channels"]),
        tuple(attrs["kernel_size"]),
        tuple(attrs["stride"]),
        padding if isinstance(padding, str) else tuple(padding),
        tuple(attrs["dilation"]),
        int(attrs["groups"]),
        bias,
        str(attrs.get("padding_mode", "zeros")),
    )


@dataclass(frozen=True, slots=True)
class Use:
    """A layer in a recorded model: its numbers, what it took, and the tensors of each of its calls."""

    layer: Layer
    numbers: Numbers
    before: Costs
    calls: tuple[tuple[Tensor, Tensor], ...]


def use(graph: Graph, layer: Layer) -> Use:
    """How a layer was used. Bytes of maps are those that came out of its calls."""
    nodes = graph.nodes_of(layer.name) or _of_the_model_itself(graph, layer)
    calls = tuple(
        (graph.tensor(node.inputs[0]), node.outputs[0])
        for node in nodes
        if node.op in ("conv2d", "linear") and node.inputs and node.outputs
    )
    before = Costs(
        layer.params,
        sum(cost.macs(graph, node) or 0 for node in nodes),
        sum(out.nbytes for _, out in calls),
        layer.saved_bytes,
    )
    return Use(layer, numbers(layer.attrs), before, calls)


def _of_the_model_itself(graph: Graph, layer: Layer) -> tuple[Node, ...]:
    """The calls where the model is a single layer."""
    return () if layer.name else tuple(node for node in graph.nodes if not node.module)
