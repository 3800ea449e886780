from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis, graph_queries
from convlint.ir import Finding, Graph, Layer
from convlint.rules.base import Rule


class NormGroups(Rule):
    """A GroupNorm, LayerNorm or PReLU does not fit the channels of its input: groups that do not divide them, or a
    different count.

    ## Why is this bad?

    GroupNorm splits the channels into groups of equal size, so the groups must divide the channels. 32 groups are
    the usual choice and do not divide 24 or 48 channels. LayerNorm normalizes over the given sizes, which must be
    the last ones of its input. PReLU has one slope, or one for every channel. PyTorch raises an error for each of
    them.

    ## Use instead

    Groups that divide the channels, for example `math.gcd(32, channels)`. For a LayerNorm over the channels of a
    feature map, permute the map to (N, H, W, C) first, or use `GroupNorm(1, C)`.
    """

    code = "CVL105"
    name = "norm-groups"
    decided_by = ("source", "run")
    needs = "failed-call"
    operators = frozenset({"group_norm", "layer_norm", "prelu"})

    def check(self, graph: Graph) -> Iterator[Finding]:
        yield from diagnosis.findings(self.finding, graph, self.operators)
        for layer in graph.layers:
            if layer.error is not None and layer.base == "GroupNorm":
                yield self.constructor_finding(graph, layer, _why(layer))
        for node in graph.nodes:
            shape = graph_queries.input_shape(graph, node) if node.inputs else ()
            if node.op == "group_norm" and node.error is not None and len(shape) > 1:
                groups, count = node.attrs.get("num_groups"), shape[1]
                owner = graph.layer(node.layer)
                is_called = owner is None or owner.base != "GroupNorm"
                if is_called and isinstance(groups, int) and count % max(1, groups):
                    yield self.finding(
                        f"F.group_norm: {count} channels are not divisible by num_groups={groups}",
                        node.site,
                        module=node.layer,
                        nodes=(node.id,),
                    )


def _why(layer: Layer) -> str:
    groups, count = layer.attrs.get("num_groups"), layer.attrs.get("num_channels")
    if not isinstance(groups, int) or not isinstance(count, int) or groups < 1 or count < 1:
        return f" cannot be built with num_groups={groups!r} and num_channels={count!r}: {layer.error}"
    nearest = sorted(sorted(graph_queries.divisors(count), key=lambda n: abs(n - groups))[:2])
    choices = " or ".join(map(str, nearest))
    return f": {count} channels are not divisible by num_groups={groups}; use {choices}"
