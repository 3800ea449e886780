from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import contracts, graph_queries, ops
from convlint.ir import Finding, Graph, Node
from convlint.rules.base import Rule
from convlint.symbolic import text


class LatentGroups(Rule):
    """A convolution has one group per input channel, and its output channels are another parameter: only multiples
    work, and the class does not check it.

    ## Why is this bad?

    With `groups=in_planes` every group outputs `out_planes / in_planes` channels, which must be a whole number. The
    class works for `Block(32, 64)` and fails for `Block(64, 32)` and `Block(32, 48)`, with an error from inside
    PyTorch that does not mention the class.

    Nothing is reported if the class compares the two numbers, or requires the same in another way, or if the output
    channels are a multiple by construction (`groups * multiplier`).

    ## Use instead

    A check at the start of the constructor: `if out_planes % in_planes: raise ValueError(...)`. For any number of
    output channels, add a 1x1 convolution after a depthwise one.
    """

    code = "CVL202"
    name = "latent-groups"
    severity = "info"
    decided_by = ("source", "run")
    needs = "depthwise-of-parameters"

    def check(self, graph: Graph) -> Iterator[Finding]:
        comparisons = contracts.Comparisons(graph)
        for node in graph_queries.first_calls(graph, ops.ALL_CONVS):
            finding = self._finding(graph, node, comparisons)
            if finding is not None:
                yield finding

    def _finding(self, graph: Graph, conv: Node, comparisons: contracts.Comparisons) -> Finding | None:
        layer = graph.layer(conv.layer)
        if layer is None or conv.error or not graph_queries.is_depthwise(conv):
            return None
        numbers = [(layer, name) for name in ("out_channels", "groups", "in_channels")]
        comparison = comparisons.of(numbers, (conv,), _not_divisible)
        if comparison is None:
            return None
        out, groups, into = comparison.dims
        if not comparison.facts.equal(groups, into) or comparison.facts.divisible(out, groups):
            return None
        sites = (layer.site,) if layer.site else ()
        return self.finding(
            f"{graph_queries.name(graph, conv)} has `{text(groups)}` groups and `{text(out)}` output "
            f"channels: {comparison.kind} fails unless `{text(out % groups)} == 0` and does not check it; "
            f"add the check, or a 1x1 convolution after a depthwise one",
            layer.site,
            confidence="medium",
            module=conv.layer,
        ).with_(claim=contracts.claim(comparison, _not_divisible, sites, fails_in="constructor"))


def _not_divisible(numbers: tuple[int, ...]) -> bool:
    out, groups, _ = numbers
    return out % groups != 0
