"""Constructor arguments of a convolution or linear layer, and its use in a recorded model."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from convlint.analysis import cost, ops
from convlint.ir import Costs, Graph, Layer, Shape, Tensor
from convlint.support.dataclass import dataclass

_OPERATORS = frozenset({*ops.CONVS, *ops.TRANSPOSED_CONVS, "linear"})
STEM_CHANNELS = 4  # layers with at most these input channels read an image, and are not rewritten


@dataclass(frozen=True, slots=True)
class LayerArguments:
    """Arguments of a layer; a linear layer has its features as channels, and a 1 x 1 kernel."""

    in_channels: int
    out_channels: int
    kernel_size: Shape = (1, 1)
    stride: Shape = (1, 1)
    padding: Shape | str = (0, 0)
    dilation: Shape = (1, 1)
    groups: int = 1
    bias: bool = True
    padding_mode: str = "zeros"
    transposed: bool = False
    output_padding: Shape = ()

    @property
    def window(self) -> int:
        """Values of one kernel in one channel."""
        return prod(self.kernel_size)

    @property
    def is_dense(self) -> bool:
        """Return whether each output value is a sum over all channels and several pixels."""
        return self.groups == 1 and self.window > 1

    @property
    def is_stem(self) -> bool:
        return self.in_channels <= STEM_CHANNELS


def layer_arguments(attrs: Mapping[str, Any], base: str = "Conv2d") -> LayerArguments:
    """The arguments in the attributes of a ``Layer`` or ``BuiltLayer`` of a class. Raises KeyError."""
    bias = bool(attrs.get("bias"))
    if "in_features" in attrs:
        return LayerArguments(int(attrs["in_features"]), int(attrs["out_features"]), bias=bias)
    padding = attrs["padding"]
    return LayerArguments(
        int(attrs["in_channels"]),
        int(attrs["out_channels"]),
        tuple(attrs["kernel_size"]),
        tuple(attrs["stride"]),
        padding if isinstance(padding, str) else tuple(padding),
        tuple(attrs["dilation"]),
        int(attrs["groups"]),
        bias,
        str(attrs.get("padding_mode", "zeros")),
        base.startswith("ConvTranspose"),
        tuple(attrs.get("output_padding", ())),
    )


@dataclass(frozen=True, slots=True)
class LayerUse:
    """A layer in a recorded model: its arguments, its costs, and the input and output of each call."""

    layer: Layer
    arguments: LayerArguments
    before: Costs
    calls: tuple[tuple[Tensor, Tensor], ...]


def layer_use(graph: Graph, layer: Layer) -> LayerUse:
    """The use of a layer; ``output_bytes`` are those of the outputs of its calls."""
    nodes = graph.nodes_of(layer.name)
    if not nodes and not layer.name:  # the model is a single layer
        nodes = tuple(node for node in graph.nodes if not node.module)
    calls = tuple(
        (graph.tensor(node.inputs[0]), node.outputs[0])
        for node in nodes
        if node.op in _OPERATORS and node.inputs and node.outputs
    )
    before = Costs(
        layer.params,
        sum(cost.macs(graph, node) or 0 for node in nodes),
        sum(out.nbytes for _, out in calls),
        layer.saved_bytes,
    )
    return LayerUse(layer, layer_arguments(layer.attrs, layer.base), before, calls)
