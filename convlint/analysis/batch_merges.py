"""Reshapes that merge the batch with the features of its samples, so that a later layer fails."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from convlint.analysis import graph_queries, ops
from convlint.ir import Graph, MergedBatch, Node
from convlint.support.dataclass import dataclass

_MOST_STEPS = 200  # calls that are followed back from one failure


@dataclass(frozen=True, slots=True)
class _Cause:
    """A reshape that merges samples, and the call that fails because of it."""

    reshape: Node
    failing: Node


def merged_batches(graph: Graph) -> tuple[MergedBatch, ...]:
    """The reshapes of a graph that merge a batch of several samples and make a later layer fail, each once."""
    found: dict[int, MergedBatch] = {}
    for cause in causes(graph):
        known = found.get(cause.reshape.id)
        nodes = (*(known.nodes if known else ()), cause.failing.id)
        found[cause.reshape.id] = _described(graph, cause, nodes)
    return tuple(found.values())


def calls_of_merged_batches(graph: Graph) -> frozenset[int]:
    """The ids of the calls that fail because a reshape merged their batch."""
    return frozenset([cause.failing.id for cause in causes(graph)])


def causes(graph: Graph) -> Iterator[_Cause]:
    """The failing linear layers whose features are those of a whole batch, each with the reshape that merged them."""
    for node in graph.nodes:
        if node.error is not None and node.op == "linear" and node.inputs:
            reshape = _merging_reshape(graph, node)
            if reshape is not None:
                yield _Cause(reshape, node)


def _merging_reshape(graph: Graph, node: Node) -> Node | None:
    """The reshape before a layer that turned a batch of maps into one vector; None without one."""
    pending, seen = list(node.inputs), 0
    while pending and seen < _MOST_STEPS:
        maker = graph.producer(pending.pop(0))
        seen += 1
        if maker.op in ops.FLATTENING and maker.inputs:
            return maker if _merges(graph, maker, node.attrs.get("in_features")) else None
        if maker.op not in ops.PROJECTIONS:
            pending += maker.inputs
    return None


def _merges(graph: Graph, reshape: Node, expected: object) -> bool:
    """Check whether a reshape leaves one row of a batch of several samples, or rows of several expected samples.

    Or several rows of one expected sample.
    """
    before, after = graph.tensor(reshape.inputs[0]).shape, reshape.outputs[0].shape
    if reshape.error is not None or len(before) < 2 or not after or before[0] != _batch_size(graph):
        return False
    sample = prod(before[1:])
    if len(after) == 2 and sample == expected and after[-1] < sample and sample % after[-1] == 0:
        return True
    if before[0] < 2:
        return False
    return after[-1] == prod(before) or (sample == expected and after[-1] > sample and after[-1] % sample == 0)


def _batch_size(graph: Graph) -> int | None:
    """The first size of the first tensor that the model is called with."""
    passed = [id for call in graph.calls if not call.layer for id in call.inputs]
    passed += [tensor.id for node in graph.nodes if node.op == "input" for tensor in node.outputs]
    return next((shape[0] for id in passed if (shape := graph.tensor(id).shape)), None)


def _described(graph: Graph, cause: _Cause, nodes: tuple[int, ...]) -> MergedBatch:
    before = graph.tensor(cause.reshape.inputs[0]).shape
    layer = graph.layer(cause.reshape.layer)
    return MergedBatch(
        site=layer.site if layer is not None and layer.base == "Flatten" else cause.reshape.site,
        module=cause.reshape.module,
        before=before,
        after=cause.reshape.outputs[0].shape,
        reader=graph_queries.name(graph, cause.failing),
        expected=cause.failing.attrs["in_features"],
        received=graph_queries.input_shape(graph, cause.failing)[-1],
        reader_site=graph.where(cause.failing),
        nodes=nodes,
    )


# --- samples that are split, which raises nothing


def split_samples(graph: Graph) -> Iterator[Node]:
    """The reshapes of maps to ``(-1, n)`` that split each sample into rows of mixed channels and pixels, up to the end.

    Rows that consist of whole dimensions are meant, such as the channels of a pixel after ``permute``, and so are rows
    that are joined again.
    """
    if any(node.error for node in graph.nodes):
        return
    for node in graph.nodes:
        if node.op != "reshape" or not node.inputs or graph.tensor(node.inputs[0]).unknown:
            continue
        before, after = graph.tensor(node.inputs[0]).shape, node.outputs[0].shape
        if len(before) < 3 or len(after) != 2 or node.attrs.get("shape", ())[:1] != (-1,):
            continue
        rows = [prod(before[start:]) for start in range(1, len(before))]
        if after[0] > before[0] == _batch_size(graph) and after[1] not in rows and _is_kept(graph, node, after[0]):
            yield node


def _is_kept(graph: Graph, node: Node, rows: int) -> bool:
    """Check whether a linear layer reads the rows, and the model returns as many."""
    pending, reached, has_linear = [node], {node.id}, False
    while pending:
        current = pending.pop()
        readers = [reader for tensor in current.outputs for reader in graph.consumers(tensor.id)]
        if any(tensor.shape[:1] != (rows,) for tensor in current.outputs):
            return False
        has_linear |= current.op == "linear"
        for reader in readers:
            if reader.op != "output" and reader.id not in reached:
                reached.add(reader.id)
                pending.append(reader)
    return has_linear
