from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node
from convlint.rules.base import Rule


class SharedNorm(Rule):
    """A norm that keeps running statistics is called more than once in one forward.

    ## Why is this bad?

    BatchNorm has one running mean and one running variance per channel. Called on two different
    maps, it learns a mixture that fits neither; in training every call uses the statistics of its
    own map, in eval mode all use the mixture, so the model behaves differently there. Each forward
    also updates the statistics several times, so the effective momentum is another than the one
    written down.

    Where a whole block is called again with the same shape (the two arms of a siamese network, a
    recurrent step), the inputs may well be alike: this is reported as info.

    ## What to do

    Give each place a norm of its own; convolutions may stay shared (EfficientDet does this in its
    heads). Or use a norm without state: GroupNorm, LayerNorm.

    ## References

    - Tan et al., [EfficientDet](https://arxiv.org/abs/1911.09070)
    """

    code = "CVL306"
    name = "shared-norm"
    family = "advice"
    severity = "warning"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph_queries.distinct(graph, ops.PER_CHANNEL_NORMS):
            calls = graph_queries.calls_of_same_layer(graph, node)
            if len(calls) == 1 or not node.attrs["track_running_stats"]:
                continue
            again = _is_block_called_again(graph, calls)
            shapes = list(
                dict.fromkeys(
                    graph_queries.by(graph_queries.input_shape(graph, call)) for call in calls
                )
            )
            on = (
                f"on maps of {' and '.join(shapes)}"
                if len(shapes) > 1
                else f"each time on {shapes[0]}"
            )
            yield self.finding(
                f"one {graph_queries.kind(graph, node)} is called {len(calls)} times in a forward, {on}: "
                + (
                    "its block is shared, and its running statistics mix what the calls see"
                    if again
                    else "its running statistics mix what the calls see and fit none of them"
                ),
                graph.where(node),
                module=node.layer,
                severity="info" if again and len(shapes) == 1 else None,
            )


def _is_block_called_again(graph: Graph, calls: tuple[Node, ...]) -> bool:
    """Whether the same layer made the norm's input every time."""
    makers = {
        maker.layer if (maker := graph_queries.source(graph, call)) else None for call in calls
    }
    return len(makers) == 1 and None not in makers
