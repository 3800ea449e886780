from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis, graph_queries, ops
from convlint.ir import Finding, Graph, Related
from convlint.rules.base import Rule


class SilentNormChannels(Rule):
    """A norm without weights and statistics is built for another number of channels than the one that
    arrives, and nothing raises.

    ## Why is this bad?

    `InstanceNorm2d(16)` has neither weights nor running statistics, and so has
    `BatchNorm2d(16, affine=False, track_running_stats=False)`. Nothing in them depends on the
    number, and any input passes. The model runs, but it is not the model that was written down:
    somebody took the channels to be 16 there. On the day that `affine=True` is added, it breaks.

    No exception will ever show it, so it is an error here.

    ## What to do

    Give the norm the number of channels that arrives, or mend the layer in front of it.
    """

    code = "CVL104"
    name = "silent-norm-channels"
    family = "invalid"
    severity = "error"

    def check(self, graph: Graph) -> Iterator[Finding]:
        told = {
            vote.node
            for found in diagnosis.disagreements(graph)
            for vote in (*found.others, *(vote for vote, _ in found.wrong))
        }
        for node in graph_queries.distinct(graph, ops.PER_CHANNEL_NORMS):
            layer = graph.layer(node.layer)
            if layer is None or node.error is not None or node.id in told:
                continue
            asked, shape = layer.attrs.get("num_features"), graph_queries.input_shape(graph, node)
            unbatched = layer.base[:-2] == "InstanceNorm" and len(shape) == int(layer.base[-2]) + 1
            arrives = shape[0 if unbatched else 1]
            if asked is None or asked == arrives or not layer.base.endswith("d"):
                continue
            producer = graph_queries.maker(graph, node)
            where = None if producer is None else graph.where(producer)
            yield self.finding(
                f"{graph_queries.called(graph, node)} is built for {asked} channels, but {arrives} arrive; "
                f"without weights and statistics it takes any number and never raises",
                graph.where(node),
                module=node.layer,
                related=(
                    Related(f"{graph_queries.called(graph, producer)} gives {arrives}", where),
                )
                if producer is not None and where is not None
                else (),
            )
