from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node
from convlint.rules.base import Rule


class SharedNorm(Rule):
    """A norm with running statistics is called more than once in one forward.

    ## Why is this bad?

    BatchNorm has one running mean and one running variance per channel. Called on two different maps, it learns a
    mixture that matches neither. In training every call uses the statistics of its own map, in eval mode all calls
    use the mixture, so the model behaves differently. Each forward also updates the statistics several times, so
    the effective momentum differs from the argument.

    If a whole block is called again with the same shape (the two branches of a siamese network, a recurrent step),
    the inputs may be similar: that is reported as info.

    ## Use instead

    A norm for each call; convolutions may stay shared, as in the heads of EfficientDet. Or a norm without running
    statistics: GroupNorm, LayerNorm.

    ## References

    - Tan et al., [EfficientDet](https://arxiv.org/abs/1911.09070)
    """

    code = "CVL306"
    name = "shared-norm"
    severity = "warning"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph_queries.first_calls(graph, ops.PER_CHANNEL_NORMS):
            calls = graph_queries.calls_of_same_layer(graph, node)
            if len(calls) == 1 or not node.attrs["track_running_stats"]:
                continue
            shared_block = _is_in_shared_block(graph, calls)
            shapes = list(dict.fromkeys(graph_queries.sizes(graph_queries.input_shape(graph, call)) for call in calls))
            sizes = " and ".join(shapes) if len(shapes) > 1 else f"each {shapes[0]}"
            where, effect = (
                ("in a shared block", "mix all of them")
                if shared_block
                else ("on different inputs", "match none of them")
            )
            yield self.finding(
                f"this {graph_queries.kind_name(graph, node)} is called {len(calls)} times in one forward {where} "
                f"({sizes}), so its running statistics {effect}",
                graph.where(node),
                module=node.layer,
                severity="info" if shared_block and len(shapes) == 1 else None,
            )


def _is_in_shared_block(graph: Graph, calls: tuple[Node, ...]) -> bool:
    """Return whether the same layer outputs the norm's input in every call."""
    makers = {maker.layer if (maker := graph_queries.producer_of(graph, call)) else None for call in calls}
    return len(makers) == 1 and None not in makers
