from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node, Related
from convlint.rules.base import Rule


class UnbatchedInput(Rule):
    """A tensor without a batch dimension reaches a convolution, which takes it as a single sample.

    ## Why is this bad?

    Since PyTorch 1.11 a Conv2d takes (C, H, W) as well as (N, C, H, W). A `squeeze()` that removes
    a batch of one, or an index such as `x[0]`, goes unnoticed: what was the batch is gone, or the
    channels take its place. Everything works at batch 1 and fails, or mixes samples, at batch 2.

    ## What to do

    Name the dimension to squeeze, `x.squeeze(-1)`, or keep it: `x[0:1]`.
    """

    code = "CVL112"
    name = "unbatched-input"
    family = "invalid"
    severity = "warning"
    decided_by = ("source", "run")
    needs = "unbatched-conv"

    def check(self, graph: Graph) -> Iterator[Finding]:
        unbatched = [
            node
            for node in graph_queries.distinct(graph, ops.ALL_CONVS)
            if node.error is None
            and len(graph_queries.input_shape(graph, node)) == ops.spatial_dims(node.op) + 1
        ]
        below: set[int] = set()
        for node in unbatched:
            if not below.isdisjoint(node.inputs):
                continue  # the convolution before it is reported
            below |= graph_queries.downstream(graph, [node])
            shape = graph_queries.input_shape(graph, node)
            dropping = _dropping(graph, node)
            where = None if dropping is None else dropping.site
            yield self.finding(
                f"{graph_queries.called(graph, node)} takes the {len(shape)}-D tensor {graph_queries.by(shape)} as one "
                f"sample of {shape[0]} channels: it has no batch dimension"
                + (f" since {dropping.op}" if dropping is not None else ""),
                graph.where(node),
                module=node.layer,
                related=(Related(f"{dropping.op} makes the {graph_queries.by(shape)}", where),)
                if dropping is not None and where is not None
                else (),
            )


def _dropping(graph: Graph, node: Node) -> Node | None:
    """The call that took the batch dimension away."""
    rank = len(graph_queries.input_shape(graph, node))
    before = graph_queries.source(graph, node)
    while before is not None and before.inputs:
        if len(graph_queries.input_shape(graph, before)) > rank:
            return before
        before = graph_queries.source(graph, before)
    return None
