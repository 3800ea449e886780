"""Reordering of the channels of a convolution, together with the state of its neighbors.

A model computes the same values if the channels between two layers are reordered in both layers, and in every layer
between them with parameters or buffers per channel. The functions list that state, or return None where a reordering
cannot be shown to be harmless.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from convlint.analysis import graph_queries, ops
from convlint.ir import ReorderedState

if TYPE_CHECKING:
    from convlint.ir import Graph, Layer, Node, Shape


def input_order(graph: Graph, layer_name: str) -> tuple[ReorderedState, ...] | None:
    """State to reorder with the input channels of a dense convolution, in order of execution; without its own weight.

    Another dense convolution must produce them through channelwise operations, without other readers between the two.
    None: the channels have to keep their order.
    """
    conv = _dense(graph, layer_name)
    if conv is None:
        return None
    found: list[ReorderedState] = []
    reader, step = conv, graph_queries.producer_of(graph, conv)
    while step is not None and graph_queries.only_consumer(graph, step) is reader:
        if step.op in ops.CONVS:
            if step.layer is None or _dense(graph, step.layer) is not step:
                return None
            return (ReorderedState(step.layer, ("weight", "bias")), *reversed(found))
        through = _through(graph, step)
        if through is None:
            return None
        found += through
        reader, step = step, graph_queries.producer_of(graph, step)
    return None


def output_order(graph: Graph, layer_name: str) -> tuple[ReorderedState, ...] | None:
    """State to reorder with the output channels of a dense convolution; without its own weight and bias.

    Their readers, after channelwise operations, must be dense convolutions, or linear layers with one feature per
    channel. None: the channels have to keep their order.
    """
    conv = _dense(graph, layer_name)
    return None if conv is None else _by_readers(graph, conv)


def _by_readers(graph: Graph, node: Node) -> tuple[ReorderedState, ...] | None:
    """State to reorder with the output channels of ``node``, in all their readers."""
    found: list[ReorderedState] = []
    readers = graph.consumers(node.outputs[0].id)
    for reader in readers:
        state = _by_reader(graph, reader)
        if state is None:
            return None
        found += state
    # Without a recorded reader, something that was not recorded may read them.
    return tuple(found) if readers else None


def _by_reader(graph: Graph, node: Node) -> tuple[ReorderedState, ...] | None:
    """The same, in one reader and in the readers of its output."""
    if node.layer is not None and _has_columns(graph, node, node.layer):
        return (ReorderedState(node.layer, ("weight",), dim=1),)
    through = _through(graph, node)
    if through is None:
        return None
    rest = _by_readers(graph, node)
    return None if rest is None else (*through, *rest)


def _has_columns(graph: Graph, node: Node, layer: str) -> bool:
    """Return whether the weight of a call's layer has one column, along dim 1, per input channel."""
    if node.op in ops.CONVS:
        return _dense(graph, layer) is node
    if node.op != "linear" or len(graph_queries.input_shape(graph, node)) != 2:
        return False
    return _only_call(graph, layer, ("Linear",)) is node


_POINTWISE = ops.ACTIVATIONS | ops.SHRINKING | ops.COPIES | {"detach", "interpolate"}


def _through(graph: Graph, node: Node) -> tuple[ReorderedState, ...] | None:
    """State to reorder in ``node``; None unless it treats each channel (dimension 1) separately."""
    if len(node.inputs) != 1 or len(node.outputs) != 1:
        return None
    into, out = graph_queries.input_shape(graph, node), node.outputs[0].shape
    if into[:2] != out[:2]:
        return None
    if node.op in ops.CHANNEL_NORMS:
        return _through_norm(graph, node, into[1])
    if node.op == "prelu":
        return () if node.attrs["num_parameters"] == 1 else _layer_state(graph, node, ("PReLU",))
    return () if node.op in _POINTWISE or _is_spatial(node, len(into)) else None


def _through_norm(graph: Graph, node: Node, width: int) -> tuple[ReorderedState, ...] | None:
    if node.op == "group_norm" and node.attrs["num_groups"] not in (1, width):
        return None  # other channels would share a group
    tracked = node.attrs.get("track_running_stats", False)
    if not node.attrs["affine"] and not tracked:
        return ()
    return _layer_state(graph, node, ops.NORM_LAYERS[node.op], ("running_mean", "running_var") if tracked else ())


def _layer_state(
    graph: Graph, node: Node, bases: tuple[str, ...], buffers: tuple[str, ...] = ()
) -> tuple[ReorderedState, ...] | None:
    """The state of a call's layer, if its class is one of ``bases`` and nothing else reads the state."""
    if node.layer is None or _only_call(graph, node.layer, bases) is not node:
        return None
    return (ReorderedState(node.layer, ("weight", "bias", *buffers)),)


def _is_spatial(node: Node, rank: int) -> bool:
    """Return whether a call that keeps the first two sizes pools, pads, reduces or flattens each map separately."""
    if node.op in ops.POOLS:
        return ops.spatial_dims(node.op) == rank - 2  # MaxPool2d takes 3 dimensions for (C, H, W)
    if node.op == "pad":
        return 0 < len(node.attrs.get("pad", ())) <= 2 * (rank - 2)
    if node.op in ops.REDUCTIONS:
        dim = node.attrs.get("dim", 0)
        return {d % rank for d in ((dim,) if isinstance(dim, int) else dim)}.isdisjoint((0, 1))
    return node.op in ops.FLATTENING or node.op == "squeeze"


def _dense(graph: Graph, layer_name: str) -> Node | None:
    """The only call of a dense convolution, if its input has a batch dimension."""
    node = _only_call(graph, layer_name, ("Conv1d", "Conv2d", "Conv3d"))
    if node is None or node.attrs["groups"] != 1:
        return None
    return node if len(graph_queries.input_shape(graph, node)) == len(node.attrs["kernel_size"]) + 2 else None


def _only_call(graph: Graph, layer_name: str, bases: tuple[str, ...]) -> Node | None:
    """The only call that reads the state of a layer of a class in ``bases``, in a model that ran without errors."""
    layer = graph.layer(layer_name)
    if layer is None or layer.base not in bases or layer.aliases:
        return None
    if graph.status != "complete" or layer.error or any(node.error for node in graph.nodes):
        return None
    nodes = [node for node in graph.nodes_of(layer_name) if node.op in ops.WITH_WEIGHTS]
    if len(graph.calls_of(layer_name)) != 1 or len(nodes) != 1:
        return None
    (node,) = nodes
    if len(node.inputs) != 1:  # a computed weight is an input too
        return None
    if (weight := _weight(node)) is not None and weight != dict(layer.parameters).get("weight"):
        return None
    return node if _is_private(graph, layer) else None


def _weight(node: Node) -> Shape | None:
    """The shape of the weight that a call reads; None if it reads none."""
    attrs = node.attrs
    if node.op in ops.CONVS:
        per_group = attrs["in_channels"] // attrs["groups"]
        return (attrs["out_channels"], per_group, *attrs["kernel_size"])
    if node.op in ops.TRANSPOSED_CONVS:
        per_group = attrs["out_channels"] // attrs["groups"]
        return (attrs["in_channels"], per_group, *attrs["kernel_size"])
    if node.op == "linear":
        return (attrs["out_features"], attrs["in_features"])
    if node.op == "prelu":
        return (attrs["num_parameters"],)
    if node.op not in ops.WITH_WEIGHTS or not attrs["affine"]:
        return None
    return attrs["normalized_shape"] if node.op == "layer_norm" else (attrs["num_features"],)


def _is_private(graph: Graph, layer: Layer) -> bool:
    """Return whether only a layer's own calls read its parameters."""
    # The graph does not record which parameter a function reads, so one of the same shape counts.
    shapes = _shapes(layer)
    for other in graph.layers:
        registered = sum(prod(shape) for _, shape in other.parameters)
        if other.params != registered and _shapes(other) & shapes:
            return False  # they are shared, or not registered
    return not any(_reads_from_outside(graph, node, shapes) for node in graph.nodes)


def _reads_from_outside(graph: Graph, node: Node, shapes: set[Shape]) -> bool:
    """Return whether a call reads a parameter of one of ``shapes`` that is not its own layer's."""
    if node.op == "parameter":
        return node.outputs[0].shape in shapes
    weight, layer = _weight(node), graph.layer(node.layer)
    return weight in shapes and (layer is None or weight not in _shapes(layer))


def _shapes(layer: Layer) -> set[Shape]:
    return {shape for _, shape in layer.parameters}
