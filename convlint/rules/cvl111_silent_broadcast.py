from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node, Tensor
from convlint.rules.base import Rule, related_to


class SilentBroadcast(Rule):
    """Two feature maps of different shapes are added, and the smaller one is silently broadcast.

    ## Why is this bad?

    Adding (N, 64, 32, 32) and (N, 1, 32, 32) raises no error: the one channel is added to all 64. In a residual
    sum, a branch with the wrong `out_channels`, or one that was pooled to 1x1, goes unnoticed and the model trains
    badly.

    Products are not reported, because gates such as squeeze-and-excite multiply by a small map on purpose. Neither
    are parameters, nor maps that were explicitly brought to their shape: by indexing, `unsqueeze`, `view`, or a
    mean with `keepdim=True`.

    ## Use instead

    A branch with the channels and the size of the map that it is added to. If broadcasting is intended, make it
    explicit with `expand_as`.
    """

    code = "CVL111"
    name = "silent-broadcast"
    severity = "warning"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph.nodes:
            if node.op != "add" or node.error is not None or len(node.inputs) != 2:
                continue
            left, right = (graph.tensor(id) for id in node.inputs)
            for small, large in ((left, right), (right, left)):
                maker = _broadcast_source(graph, small, large)
                if maker is None:
                    continue
                is_of_size = graph.input_is_guessed and small.shape[1] == large.shape[1]
                yield self.finding(
                    f"{graph_queries.sizes(small.shape)} from {graph_queries.name(graph, maker)} is silently "
                    f"broadcast when it is added to {graph_queries.sizes(large.shape)}; use equal shapes, or "
                    f"expand_as if this is intended",
                    node.site,
                    module=node.module or None,
                    severity="info" if is_of_size else None,
                    confidence="medium",
                    related=related_to("this outputs the smaller map", graph.where(maker)),
                )


def _broadcast_source(graph: Graph, small: Tensor, large: Tensor) -> Node | None:
    """Return the layer whose output is broadcast in an addition, over channels or from one pixel; None if it is not."""
    if len(small.shape) != len(large.shape) or len(large.shape) < 4:
        return None
    if any(a not in (b, 1) for a, b in zip(small.shape, large.shape, strict=True)):
        return None
    channels = small.shape[1] == 1 < large.shape[1]
    pixels = small.shape[2:] != large.shape[2:] and set(small.shape[2:]) == {1}
    node: Node | None = graph.producer(small.id)
    while node is not None and (channels or pixels):
        if node.op in ops.ALL_CONVS:
            if channels or graph_queries.input_shape(graph, node)[2:] != node.outputs[0].shape[2:]:
                return node
        elif node.op in ops.POOLS and pixels:
            return node
        elif node.op not in _PASS_THROUGH:
            return None
        node = graph_queries.producer_of(graph, node)
    return None


_PASS_THROUGH = ops.ACTIVATIONS | ops.CHANNEL_NORMS | ops.POOLS | ops.COPIES
