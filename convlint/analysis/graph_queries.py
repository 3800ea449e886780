"""Queries that rules share: calls of one kind, the call that reads or outputs a tensor, names for messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isqrt, prod
from typing import TYPE_CHECKING

from convlint.analysis import ops

if TYPE_CHECKING:
    from convlint.ir import Graph, Node, Shape, Tensor


def first_calls(graph: Graph, operators: frozenset[str]) -> Iterator[Node]:
    """Find calls of ``operators``: the first call of each layer, and every call outside of layers.

    Layers whose constructor raised are left out, because their numbers have to change anyway.
    """
    seen: set[str] = set()
    for node in graph.nodes:
        if node.op not in operators or node.layer in seen:
            continue
        layer = graph.layer(node.layer)
        if layer is not None:
            seen.add(layer.name)
        if layer is None or layer.error is None:
            yield node


def calls_of_same_layer(graph: Graph, node: Node) -> tuple[Node, ...]:
    """All calls of the layer of ``node``, or ``node`` itself if it is outside of layers."""
    if node.layer is None:
        return (node,)
    return tuple([other for other in graph.nodes_of(node.layer) if other.op == node.op])


def readers(graph: Graph, tensor_id: int) -> list[Node]:
    """The calls that read the values of a tensor, the model's output included; not those that read its shape only."""
    return [node for node in graph.consumers(tensor_id) if not _reads_shape_only(node, tensor_id)]


def _reads_shape_only(node: Node, tensor_id: int) -> bool:
    if node.op in ops.OF_SHAPE:
        return True
    return node.op in ops.OF_OTHER_SHAPE and tensor_id not in node.inputs[:1]


def only_consumer(graph: Graph, node: Node) -> Node | None:
    """The one call that reads the output of ``node``, the model's output included; None for none or several."""
    if len(node.outputs) != 1:
        return None
    consumers = readers(graph, node.outputs[0].id)
    return consumers[0] if len(consumers) == 1 else None


def producer_of(graph: Graph, node: Node) -> Node | None:
    """The call whose output is the first input of ``node``, or None without inputs."""
    return graph.producer(node.inputs[0]) if node.inputs else None


def producers(graph: Graph, node: Node) -> Iterator[Node]:
    """The call whose output is the first input of ``node``, the call before that one, and so on."""
    while (before := producer_of(graph, node)) is not None:
        yield before
        node = before


def input_shape(graph: Graph, node: Node) -> Shape:
    return graph.tensor(node.inputs[0]).shape


def kind_name(graph: Graph, node: Node) -> str:
    """The class of a call's layer, else the function: "BatchNorm2d", "F.conv2d"."""
    layer = graph.layer(node.layer)
    return f"F.{node.op}" if layer is None else layer.kind


def name(graph: Graph, node: Node) -> str:
    """The class of a call's layer with its module path, else the function: "BatchNorm2d `bn1`"."""
    kind = kind_name(graph, node)
    return kind if node.layer is None else f"{kind} `{node.layer}`"


def sizes(shape: Shape) -> str:
    """Sizes as text: (3, 3) is "3x3", (7,) is "7"."""
    return "x".join(map(str, shape))


def shape_text(tensor: Tensor, start: int = 0) -> str:
    """A shape as text, from a dimension on, with letters for sizes that are not known: "Nx64xHxW"."""
    unknown = dict(tensor.unknown)
    return "x".join([unknown.get(dim, str(size)) for dim, size in enumerate(tensor.shape) if dim >= start])


def divisors(number: int) -> list[int]:
    """The divisors of a positive number in increasing order; of a huge number only those below 2**20 and their
    counterparts.
    """
    low = [n for n in range(1, min(isqrt(number), 2**20) + 1) if number % n == 0]
    return sorted({*low, *(number // n for n in low)})


def conv_weights(in_channels: int, out_channels: int, kernel: Shape, groups: int = 1) -> int:
    """The weights of a convolution: ``out_channels * (in_channels / groups) * prod(kernel)``, without bias."""
    return out_channels * (in_channels // groups) * prod(kernel)


def is_depthwise(node: Node) -> bool:
    """Check whether each of several input channels of a convolution has filters of its own."""
    return bool(node.attrs["groups"] == node.attrs["in_channels"] > 1)


def source_layer(graph: Graph, node: Node) -> Node | None:
    """The call of a layer with weights that the input of ``node`` comes from, before activations, pools and reshapes.

    None if it comes from an input of the model or from several tensors.
    """
    before = producer_of(graph, node)
    return None if before is None else source_of(graph, before)


def source_of(graph: Graph, node: Node) -> Node | None:
    """The same for the output of ``node``, which may be such a call itself."""
    while node.op not in _SOURCES:
        if len(node.inputs) != 1:
            return None
        node = graph.producer(node.inputs[0])
    return node


_SOURCES = ops.PROJECTIONS | ops.CHANNEL_NORMS


def concatenation_before(graph: Graph, node: Node) -> Node | None:
    """The concatenation of channels or features that a layer reads, before activations and pools; None without one."""
    passed = _PASSED | (_REDUCING if node.op == "linear" else frozenset())
    before = next((n for n in producers(graph, node) if n.op not in passed or len(n.inputs) != 1), None)
    if before is None or before.op != "cat" or before.error is not None or len(before.inputs) < 2:
        return None
    shape, read, along = before.outputs[0].shape, input_shape(graph, node), before.attrs.get("dim", 0)
    if not shape or not read or not isinstance(along, int):
        return None
    if node.op in ops.ALL_CONVS:
        dim = -ops.spatial_dims(node.op) - 1
    else:
        dim = -1 if node.op == "linear" and len(read) == len(shape) else 1
    is_read = (along - dim) % len(shape) == 0
    return before if is_read and (node.op != "linear" or shape[along] == read[-1]) else None


_REDUCING = ops.REDUCTIONS | ops.FLATTENING | {"squeeze"}
_PASSED = ops.ACTIVATIONS | ops.POOLS | ops.COPIES | {"interpolate"}


def maker_of_channels(graph: Graph, tensor: int) -> Node:
    """The call that a tensor has its channels or features from, before calls that keep them."""
    maker = graph.producer(tensor)
    while len(maker.inputs) == 1 and maker.op in ops.CHANNEL_PRESERVING:
        maker = graph.producer(maker.inputs[0])
    return maker


def downstream_tensors(graph: Graph, nodes: Iterable[Node]) -> set[int]:
    """Ids of the outputs of ``nodes``, and of all tensors computed from them."""
    reached = {tensor.id for node in nodes for tensor in node.outputs}
    for node in graph.nodes:
        if not reached.isdisjoint(node.inputs):
            reached.update(tensor.id for tensor in node.outputs)
    return reached
