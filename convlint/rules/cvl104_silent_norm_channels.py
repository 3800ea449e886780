from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis, graph_queries, ops
from convlint.ir import Finding, Graph
from convlint.rules.base import Rule, related_to


class SilentNormChannels(Rule):
    """A norm without weights and running statistics is built for a different number of channels than it receives, and
    no error is raised.

    ## Why is this bad?

    `InstanceNorm2d(16)` has neither weights nor running statistics, and neither has `BatchNorm2d(16, affine=False,
    track_running_stats=False)`. Nothing in them depends on the number, so they accept any input. The model runs,
    but it differs from what its author believed: that there are 16 channels. It breaks on the day when
    `affine=True` is added.

    No exception shows this bug, so convlint reports it as an error.

    ## Use instead

    The number of channels that the norm receives, or a previous layer that outputs the expected number.
    """

    code = "CVL104"
    name = "silent-norm-channels"

    def check(self, graph: Graph) -> Iterator[Finding]:
        reported = {
            vote.node
            for cause in diagnosis.disagreements(graph)
            for vote in (*cause.others, *(vote for vote, _ in cause.wrong))
        }
        for node in graph_queries.first_calls(graph, ops.PER_CHANNEL_NORMS):
            layer = graph.layer(node.layer)
            if layer is None or node.error is not None or node.id in reported:
                continue
            if layer.parameters:
                continue  # a forward of its own, which reads a part of them: that of a norm would have raised
            expected = layer.attrs.get("num_features")
            shape = graph_queries.input_shape(graph, node)
            unbatched = layer.base[:-2] == "InstanceNorm" and len(shape) == int(layer.base[-2]) + 1
            received = shape[0 if unbatched else 1]
            if expected is None or expected == received or not layer.base.endswith("d"):
                continue
            producer = graph_queries.source_layer(graph, node)
            name = None if producer is None else graph_queries.name(graph, producer)
            site = None if producer is None else graph.where(producer)
            yield self.finding(
                f"{graph_queries.name(graph, node)} expects {expected} channels but receives {received}"
                f"{f' from {name}' if name else ''}; it has no weights and statistics, so no error is raised; "
                f"use num_features={received}",
                graph.where(node),
                module=node.layer,
                related=related_to(f"{name} outputs {received} channels", site),
            )
