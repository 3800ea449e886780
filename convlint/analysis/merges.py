"""Merges of tensors that fail: what differs, where the sizes part, and the block that adds its input to its output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from convlint.analysis import graph_queries, ops
from convlint.support.dataclass import dataclass

if TYPE_CHECKING:
    from convlint.ir import Call, Graph, Layer, Node, Shape

MERGES = ops.ELEMENTWISE | {"cat", "stack"}
_OF_CHANNELS = ops.ALL_CONVS | ops.POOLS | ops.CHANNEL_NORMS
_OF_FEATURES = frozenset({"linear", "layer_norm"})


def differing(graph: Graph, node: Node) -> tuple[int, ...]:
    """The dimensions, counted from the front of the result, in which the operands of a merge do not fit."""
    shapes = [graph.tensor(id).shape for id in node.inputs]
    rank = max(map(len, shapes), default=0)
    if node.op not in ops.ELEMENTWISE and len({len(shape) for shape in shapes}) > 1:
        return ()
    along = node.attrs.get("dim", 0) if node.op == "cat" else None
    found = []
    for dim in range(-rank, 0):
        sizes = {shape[dim] for shape in shapes if -dim <= len(shape)}
        if node.op in ops.ELEMENTWISE:
            sizes.discard(1)  # stretched
        if len(sizes) > 1 and not (isinstance(along, int) and along in (dim, dim + rank)):
            found.append(dim + rank)
    return tuple(found)


def channel_dim(graph: Graph, node: Node) -> int | None:
    """The dimension of the channels or features in the operands of a merge; None if it is not known."""
    rank = max((len(graph.tensor(id).shape) for id in node.inputs), default=0)
    if rank != 3:
        return 1 if rank in (2, 4, 5) else None
    makers = {graph_queries.maker_of_channels(graph, id).op for id in node.inputs}
    if makers & _OF_CHANNELS:
        return 1
    return 2 if makers & _OF_FEATURES else None


def differs_in_channels(graph: Graph, node: Node) -> bool:
    """Check whether the operands of a merge differ in their channels or features only."""
    return differing(graph, node) == (channel_dim(graph, node),)


def differs_in_size(graph: Graph, node: Node) -> bool:
    """Check whether the operands of a merge differ in the height, width, length or depth of their maps."""
    channels = channel_dim(graph, node)
    return channels == 1 and any(dim > 1 for dim in differing(graph, node))


# --- where the sizes part


def paths(graph: Graph, node: Node) -> list[list[Node]]:
    """The calls that lead to each operand of a merge from the last tensor that all of them come from, in order."""
    chains = [list(_chain(graph, id)) for id in node.inputs]
    shared = set.intersection(*[{call.id for call in chain} for chain in chains]) if chains else set()
    found = []
    for chain in chains:
        own = []
        for call in chain:
            if call.id in shared:
                break
            own.append(call)
        found.append(own[::-1])
    return found


def _chain(graph: Graph, tensor: int) -> Iterator[Node]:
    """The call that made a tensor, the one that made its first input, and so on."""
    maker = graph.producer(tensor)
    yield maker
    yield from graph_queries.producers(graph, maker)


def size_steps(graph: Graph, path: Sequence[Node]) -> list[Node]:
    """The calls of a path that change the size of a map."""
    return [node for node in path if node.inputs and len(_size_before(graph, node)) and _changes_size(graph, node)]


def _changes_size(graph: Graph, node: Node) -> bool:
    before, after = _size_before(graph, node), node.outputs[0].shape[2:]
    return len(before) == len(after) and before != after


def _size_before(graph: Graph, node: Node) -> Shape:
    return graph_queries.input_shape(graph, node)[2:]


def parting_steps(graph: Graph, node: Node) -> list[Node]:
    """The calls that explain why the operands of a merge have different sizes: those after the last common size."""
    every = [size_steps(graph, path) for path in paths(graph, node)]
    finals = [graph.tensor(id).shape[2:] for id in node.inputs]
    for at, steps in enumerate(every):
        others = {shape for shape in finals if shape != finals[at]}
        leaving = next((i for i in reversed(range(len(steps))) if _size_before(graph, steps[i]) in others), None)
        if leaving is not None:
            return steps[leaving:]
    differing = [steps for steps, shape in zip(every, finals, strict=True) if shape != finals[0]]
    return [steps[-1] for steps in [*every[:1], *differing] if steps]


# --- blocks that add their input to their output


@dataclass(frozen=True, slots=True)
class Block:
    """A module that adds its input to its output, and therefore needs as many channels in both.

    ``failing`` and ``working`` are the modules of its class, and those that its sum does not fit.
    """

    layer: Layer
    failing: tuple[Layer, ...]
    working: tuple[Layer, ...]


def block_of(graph: Graph, node: Node) -> Block | None:
    """The block whose sum of input and output fails for its widths or sizes; None for other calls."""
    if node.error is None or node.op not in ("add", "sub"):
        return None
    call = next((call for call in _calls_around(graph, node) if _has_shortcut(graph, node, call)), None)
    layer = None if call is None else graph.layer(call.layer)
    if layer is None or not layer.name:
        return None
    failed = {
        inner.layer
        for other in graph.nodes
        if other.error is not None and other.site == node.site and other.op == node.op
        for inner in _calls_around(graph, other)
    }
    alike = [other for other in graph.layers if other.kind == layer.kind and graph.calls_of(other.name)]
    failing = tuple([other for other in alike if other.name in failed])
    return Block(layer, failing, tuple([other for other in alike if other.name not in failed]))


def _calls_around(graph: Graph, node: Node) -> list[Call]:
    """The calls of modules that a call ran in, innermost first."""
    around = [call for call in graph.calls if call.start <= node.id < call.stop]
    return sorted(around, key=lambda call: call.start - call.stop, reverse=True)


def _has_shortcut(graph: Graph, node: Node, call: Call) -> bool:
    """Check whether one operand is the input of a module, unprojected, and another one is not."""
    unprojected = [_is_unprojected(graph, id, call) for id in node.inputs]
    return any(unprojected) and not all(unprojected)


def _is_unprojected(graph: Graph, tensor: int, call: Call) -> bool:
    while tensor not in call.inputs:
        maker = graph.producer(tensor)
        if maker.id < call.start or len(maker.inputs) != 1 or maker.op not in ops.CHANNEL_PRESERVING:
            return False
        tensor = maker.inputs[0]
    return True
