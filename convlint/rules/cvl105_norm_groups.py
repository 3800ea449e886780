from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis, graph_queries
from convlint.ir import Finding, Graph, Layer
from convlint.rules.base import Rule


class NormGroups(Rule):
    """A GroupNorm, LayerNorm or PReLU does not fit the channels: groups that do not divide them, or
    another count than the one that arrives.

    ## Why is this bad?

    GroupNorm shares the channels out among its groups, so the groups must divide them. 32 groups
    are the usual choice and do not divide 24 or 48 channels. LayerNorm normalises over the sizes
    that it is given, which must be the last ones of its input. PReLU has one slope, or one for
    every channel. PyTorch raises for each of them.

    ## What to do

    Take groups that divide the channels, for example `math.gcd(32, channels)`. For LayerNorm over
    the channels of a feature map, permute the map to (N, H, W, C) first, or use `GroupNorm(1, C)`.
    """

    code = "CVL105"
    name = "norm-groups"
    family = "invalid"
    severity = "error"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        yield from diagnosis.findings(self.finding, graph, ("group_norm", "layer_norm", "prelu"))
        for layer in graph.layers:
            if layer.error is not None and layer.base == "GroupNorm":
                failed = [node.id for node in graph.nodes_of(layer.name) if node.error]
                yield self.finding(_why(layer), layer.site, module=layer.name, nodes=tuple(failed))
        for node in graph.nodes:
            shape = graph_queries.input_shape(graph, node) if node.inputs else ()
            if node.op == "group_norm" and node.error is not None and len(shape) > 1:
                groups, count = node.attrs["num_groups"], shape[1]
                owner = graph.layer(node.layer)
                if (owner is None or owner.base != "GroupNorm") and count % max(1, groups):
                    yield self.finding(
                        f"F.group_norm: {count} channels cannot be shared out among {groups} groups",
                        node.site,
                        module=node.layer,
                        nodes=(node.id,),
                    )


def _why(layer: Layer) -> str:
    groups, count = layer.attrs.get("num_groups"), layer.attrs.get("num_channels")
    name = f"GroupNorm `{layer.name}`"
    if not isinstance(groups, int) or not isinstance(count, int) or groups < 1 or count < 1:
        return (
            f"{name} cannot be built with {groups!r} groups for {count!r} channels: {layer.error}"
        )
    nearest = sorted(sorted(graph_queries.divisors(count), key=lambda n: abs(n - groups))[:3])
    return (
        f"{name}: {count} channels cannot be shared out among {groups} groups "
        f"({count} = {count // groups}*{groups} + {count % groups}); "
        f"{', '.join(map(str, nearest))} groups would fit"
    )
