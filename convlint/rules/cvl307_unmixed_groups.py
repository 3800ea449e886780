from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node, Related
from convlint.rules.base import Rule


class UnmixedGroups(Rule):
    """Grouped convolutions follow each other with the same groups, and nothing mixes the groups
    between them.

    ## Why is this bad?

    A grouped convolution reads only its own group. Two in a row with the same groups are so many
    separate narrow networks: an output of the second depends on one group of the input, however
    many layers follow. ShuffleNet measured it (Table 3): at 8 groups the top-1 error is 37.6 %
    without a channel shuffle and 32.4 % with one.

    Depthwise layers are not reported, but neither do they mix anything: one between two grouped
    layers changes nothing.

    ## What to do

    Put `nn.ChannelShuffle(groups)` or a dense 1x1 convolution between the two, or give the second
    another number of groups.

    ## References

    - Zhang et al., [ShuffleNet](https://arxiv.org/abs/1707.01083), section 3.1 and Table 3
    """

    code = "CVL307"
    name = "unmixed-groups"
    family = "advice"
    severity = "warning"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph_queries.distinct(graph, ops.CONVS):
            if not _is_grouped(node):
                continue
            before = _grouped_before(graph, node)
            if before is None:
                continue
            groups, site = node.attrs["groups"], graph.where(before)
            yield self.finding(
                f"{graph_queries.called(graph, before)} and this {graph_queries.kind(graph, node)} both "
                f"have groups={groups}, and nothing between mixes them: each output sees 1/{groups} of the channels; "
                f"shuffle the channels between the two or use a dense 1x1",
                graph.where(node),
                module=node.layer,
                related=(Related(f"the layer before with groups={groups}", site),) if site else (),
            )


def _is_grouped(node: Node) -> bool:
    return node.attrs["groups"] > 1 and not graph_queries.is_depthwise(node) and node.error is None


def _grouped_before(graph: Graph, node: Node) -> Node | None:
    """The grouped convolution with the same groups that ``node`` reads, with nothing between that
    mixes channels.
    """
    groups = node.attrs["groups"]
    step = graph_queries.source(graph, node)
    while step is not None and _keeps_groups(step, groups):
        step = graph_queries.source(graph, step)
    if step is None or step.op not in ops.CONVS:
        return None
    return step if _is_grouped(step) and step.attrs["groups"] == groups else None


def _keeps_groups(node: Node, groups: int) -> bool:
    """Whether a call leaves each of ``groups`` runs of channels to itself, and is not itself a
    grouped convolution.
    """
    if node.op in ops.CONVS:
        return graph_queries.is_depthwise(node) and node.error is None
    if node.op == "group_norm":
        return bool(node.attrs["num_groups"] % groups == 0)
    return node.op in ops.CHANNELWISE
