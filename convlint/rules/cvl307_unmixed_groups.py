from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Graph, Node
from convlint.rules.base import Rule, related_to


class UnmixedGroups(Rule):
    """Grouped convolutions with the same groups follow each other, and nothing mixes the groups between them.

    ## Why is this bad?

    A grouped convolution reads only its own group. Two in a row with the same groups are separate narrow networks:
    an output of the second depends on one group of the input, however many layers follow. ShuffleNet measured the
    effect (Table 3): with 8 groups the top-1 error is 37.6 % without a channel shuffle and 32.4 % with one.

    Depthwise layers are not reported. They do not mix channels either, so one between two grouped layers changes
    nothing.

    ## Use instead

    `nn.ChannelShuffle(groups)` or a dense 1x1 convolution between the two, or a different number of groups in the
    second.

    ## References

    - Zhang et al., [ShuffleNet](https://arxiv.org/abs/1707.01083), section 3.1 and Table 3
    """

    code = "CVL307"
    name = "unmixed-groups"
    severity = "warning"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in graph_queries.first_calls(graph, ops.CONVS):
            if not _is_grouped(node):
                continue
            before = _grouped_before(graph, node)
            if before is None:
                continue
            groups = node.attrs["groups"]
            yield self.finding(
                f"{graph_queries.name(graph, before)} and this {graph_queries.kind_name(graph, node)} both "
                f"have groups={groups}, and nothing between them mixes the groups: each output depends on "
                f"1/{groups} of the channels; add a channel shuffle or a dense 1x1 convolution between them",
                graph.where(node),
                module=node.layer,
                related=related_to(f"the layer before with groups={groups}", graph.where(before)),
            )


def _is_grouped(node: Node) -> bool:
    return node.attrs["groups"] > 1 and not graph_queries.is_depthwise(node) and node.error is None


def _grouped_before(graph: Graph, node: Node) -> Node | None:
    """Return the grouped convolution with the same groups before ``node``, if nothing between mixes channels."""
    groups = node.attrs["groups"]
    before = next((n for n in graph_queries.producers(graph, node) if not _keeps_groups(n, groups)), None)
    if before is None or before.op not in ops.CONVS:
        return None
    return before if _is_grouped(before) and before.attrs["groups"] == groups else None


def _keeps_groups(node: Node, groups: int) -> bool:
    """Return whether a call mixes no channels of different groups, and is not a grouped convolution itself."""
    if node.op in ops.CONVS:
        return graph_queries.is_depthwise(node) and node.error is None
    if node.op == "group_norm":
        return bool(node.attrs["num_groups"] % groups == 0)
    return node.op in ops.CHANNELWISE
