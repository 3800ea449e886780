from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node, Related, Tensor
from convlint.rules.base import Rule


class SilentBroadcast(Rule):
    """Two feature maps of different shapes are added, and the smaller one is silently copied to fit.

    ## Why is this bad?

    An addition of (N, 64, 32, 32) and (N, 1, 32, 32) does not fail: the one channel is added to all
    64. Where a residual sum was meant, a branch with the wrong `out_channels`, or one that was
    pooled to 1x1, goes unnoticed and the model trains badly.

    Products are exempt, since gates such as squeeze-and-excite multiply by a small map on purpose.
    So are parameters, and maps that were brought to that shape explicitly: by indexing,
    `unsqueeze`, `view`, or a mean with `keepdim=True`.

    ## What to do

    Give the branch the channels and the size of the map it is added to. Where the copy is meant,
    say so with `expand_as`.
    """

    code = "CVL111"
    name = "silent-broadcast"
    family = "invalid"
    severity = "warning"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph.nodes:
            if node.op != "add" or node.error is not None or len(node.inputs) != 2:
                continue
            left, right = (graph.tensor(id) for id in node.inputs)
            for small, large in ((left, right), (right, left)):
                maker = _stretched_from(graph, small, large)
                if maker is None:
                    continue
                where = graph.where(maker)
                yield self.finding(
                    f"{graph_queries.by(small.shape)} is added to {graph_queries.by(large.shape)} and "
                    f"silently copied to fit; it comes from {graph_queries.called(graph, maker)}",
                    node.site,
                    module=node.module or None,
                    confidence="medium",
                    related=(Related("this makes the smaller map", where),) if where else (),
                )


def _stretched_from(graph: Graph, small: Tensor, large: Tensor) -> Node | None:
    """The layer that made a map which is stretched in an addition: in channels or to one pixel."""
    if len(small.shape) != len(large.shape) or len(large.shape) < 4:
        return None
    if any(a not in (b, 1) for a, b in zip(small.shape, large.shape, strict=True)):
        return None
    channels = small.shape[1] == 1 < large.shape[1]
    pixels = small.shape[2:] != large.shape[2:] and set(small.shape[2:]) == {1}
    node: Node | None = graph.producer(small.id)
    while node is not None and (channels or pixels):
        if node.op in ops.ALL_CONVS:
            before = graph_queries.input_shape(graph, node)
            if channels or before[2:] != node.outputs[0].shape[2:]:
                return node
        elif node.op in ops.POOLS and pixels:
            return node
        elif node.op not in _KEEPING:
            return None
        node = graph_queries.source(graph, node)
    return None


_KEEPING = ops.ACTIVATIONS | ops.CHANNEL_NORMS | ops.POOLS | ops.COPIES
