from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node, Related
from convlint.rules.base import Rule, related_to


class UnbatchedInput(Rule):
    """A convolution receives a tensor without a batch dimension and treats it as a single sample.

    ## Why is this bad?

    Since PyTorch 1.11 a Conv2d accepts (C, H, W) as well as (N, C, H, W). A `squeeze()` that removes a batch of
    one, or an index such as `x[0]`, goes unnoticed: the batch is gone, or the channels take its place. It works for
    batch size 1 and fails, or mixes samples, for batch size 2.

    ## Use instead

    `squeeze` with a dimension, `x.squeeze(-1)`, or a slice that keeps the dimension, `x[0:1]`.
    """

    code = "CVL112"
    name = "unbatched-input"
    severity = "warning"
    decided_by = ("source", "run")
    needs = "unbatched-conv"

    def check(self, graph: Graph) -> Iterator[Finding]:
        unbatched = [
            node
            for node in graph_queries.first_calls(graph, ops.ALL_CONVS)
            if node.error is None and len(graph_queries.input_shape(graph, node)) == ops.spatial_dims(node.op) + 1
        ]
        below: set[int] = set()
        for node in unbatched:
            if not below.isdisjoint(node.inputs):
                continue  # the convolution before it is reported
            below |= graph_queries.downstream_tensors(graph, [node])
            shape = graph_queries.input_shape(graph, node)
            dropping = _dropping(graph, node)
            reason = "it has no batch dimension"
            related: tuple[Related, ...] = ()
            if dropping is not None:
                reason = f"`{dropping.op}` removed the batch dimension"
                related = related_to(f"{dropping.op} outputs {graph_queries.sizes(shape)}", dropping.site)
            yield self.finding(
                f"{graph_queries.name(graph, node)} treats the {len(shape)}-D tensor "
                f"{graph_queries.sizes(shape)} as one sample: {reason}",
                graph.where(node),
                module=node.layer,
                severity="info" if graph.input_is_guessed else None,
                related=related,
            )


def _dropping(graph: Graph, node: Node) -> Node | None:
    rank = len(graph_queries.input_shape(graph, node))
    calls = (call for call in graph_queries.producers(graph, node) if call.inputs)
    return next((call for call in calls if len(graph_queries.input_shape(graph, call)) > rank), None)
