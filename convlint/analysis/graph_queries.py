"""Questions that rules ask about a graph: which calls are convolutions, who reads a tensor, what
lies between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import isqrt, prod
from typing import TYPE_CHECKING

from convlint.analysis import ops

if TYPE_CHECKING:
    from convlint.ir import Graph, Node, Shape


def distinct(graph: Graph, ops: frozenset[str]) -> Iterator[Node]:
    """Calls of ``ops``: the first call of each layer, and every call that no layer owns.

    Layers whose constructor was refused are left out: their numbers are no basis for advice.
    """
    seen: set[str] = set()
    for node in graph.nodes:
        if node.op not in ops or node.layer in seen:
            continue
        layer = graph.layer(node.layer)
        if layer is not None:
            seen.add(layer.name)
        if layer is None or layer.error is None:
            yield node


def calls_of_same_layer(graph: Graph, node: Node) -> tuple[Node, ...]:
    """All calls with the weights of ``node``: those of its layer, or itself where no layer owns it."""
    if node.layer is None:
        return (node,)
    return tuple([other for other in graph.nodes_of(node.layer) if other.op == node.op])


def only_consumer(graph: Graph, node: Node) -> Node | None:
    """The one call that reads what ``node`` made, or None if there is not exactly one (the output
    counts as one).
    """
    if len(node.outputs) != 1:
        return None
    consumers = graph.consumers(node.outputs[0].id)
    return consumers[0] if len(consumers) == 1 else None


def source(graph: Graph, node: Node) -> Node | None:
    """The call that made the first input of ``node``, or None if it has none."""
    return graph.producer(node.inputs[0]) if node.inputs else None


def input_shape(graph: Graph, node: Node) -> Shape:
    """The shape of the first input of ``node``."""
    return graph.tensor(node.inputs[0]).shape


def kind(graph: Graph, node: Node) -> str:
    """What a reader calls a call: the class of its layer, else the function (``F.conv2d``)."""
    layer = graph.layer(node.layer)
    return f"F.{node.op}" if layer is None else layer.kind


def called(graph: Graph, node: Node) -> str:
    """The class of a call's layer with its module path, else the function: "BatchNorm2d `bn1`"."""
    return kind(graph, node) if node.layer is None else f"{kind(graph, node)} `{node.layer}`"


def by(sizes: Shape) -> str:
    """Sizes as a reader writes them: (3, 3) is "3x3", (7,) is "7"."""
    return "x".join(map(str, sizes))


def divisors(number: int) -> list[int]:
    """The divisors of a positive number, the smallest first; of one beyond all sizes those that are
    found soon.
    """
    low = [n for n in range(1, min(isqrt(number), 2**20) + 1) if number % n == 0]
    return sorted({*low, *(number // n for n in low)})


def conv_weights(into: int, out: int, kernel: Shape, groups: int = 1) -> int:
    """Weights of a convolution: ``out * (into / groups) * prod(kernel)``, without bias."""
    return out * (into // groups) * prod(kernel)


def is_depthwise(node: Node) -> bool:
    """Whether a convolution gives every input channel a filter of its own; one channel alone is not
    depthwise.
    """
    return bool(node.attrs["groups"] == node.attrs["in_channels"] > 1)


def maker(graph: Graph, node: Node) -> Node | None:
    """The layer's call that made what ``node`` reads first, behind activations, pooling and
    reshaping; None if it came from an input, or from several tensors.
    """
    before = source(graph, node)
    while before is not None and before.op not in _MAKERS:
        if len(before.inputs) != 1:
            return None
        before = source(graph, before)
    return before


_MAKERS = ops.PROJECTIONS | ops.CHANNEL_NORMS


def downstream(graph: Graph, nodes: Iterable[Node]) -> set[int]:
    """Ids of the tensors that ``nodes`` made, and of all that were made from them."""
    made = {tensor.id for node in nodes for tensor in node.outputs}
    for node in graph.nodes:
        if not made.isdisjoint(node.inputs):
            made.update(tensor.id for tensor in node.outputs)
    return made


_WIDTH = (
    r"(\w*_)?(channels?|planes|inplanes|outplanes|width|widths|features|filters|hidden|dims?|chs?)"
    r"(_\d+)?|growth(_rate)?|n[cgd]?f|(in|out|c)_?(ch|dim|c)?|num_classes|classes"
)


def is_width(name: str) -> bool:
    """Whether a parameter is named like a number of channels: ``in_channels``, ``planes``, ``ngf``."""
    return re.fullmatch(_WIDTH, name) is not None
