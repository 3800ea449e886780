from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import contracts, graph_queries, ops
from convlint.ir import Finding, Graph, Node
from convlint.rules.base import Rule
from convlint.symbolic import text


class LatentGroups(Rule):
    """A convolution has one group per input channel, and its output channels come from another
    parameter: only multiples work, and nothing says so.

    ## Why is this bad?

    With `groups=in_planes` every group makes `out_planes / in_planes` channels, which must be a
    whole number. The class works for `Block(32, 64)` and raises for `Block(64, 32)` and for
    `Block(32, 48)`, from inside PyTorch and without a word about the class.

    The rule is silent where the class compares the two numbers, or asks for the same in another
    way, and where the output channels are a multiple by construction (`groups * multiplier`).

    ## What to do

    State the condition where the class begins: `if out_planes % in_planes: raise ValueError(...)`.
    For any number of output channels, put a 1x1 convolution behind a depthwise one.
    """

    code = "CVL202"
    name = "latent-groups"
    family = "latent"
    severity = "info"
    decided_by = ("source", "run")
    needs = "depthwise-of-parameters"

    def check(self, graph: Graph) -> Iterator[Finding]:
        meetings = contracts.Meetings(graph)
        for node in graph_queries.distinct(graph, ops.ALL_CONVS):
            found = self._judged(graph, node, meetings)
            if found is not None:
                yield found

    def _judged(self, graph: Graph, conv: Node, meetings: contracts.Meetings) -> Finding | None:
        layer = graph.layer(conv.layer)
        if layer is None or conv.error or not graph_queries.is_depthwise(conv):
            return None
        numbers = [(layer, name) for name in ("out_channels", "groups", "in_channels")]
        meeting = meetings.of(numbers, (conv,), _leaves_a_rest)
        if meeting is None:
            return None
        out, groups, into = meeting.dims
        if not meeting.facts.equal(groups, into) or meeting.facts.divisible(out, groups):
            return None
        sites = (layer.site,) if layer.site else ()
        return self.finding(
            f"{graph_queries.called(graph, conv)} has `{text(groups)}` groups and `{text(out)}` output "
            f"channels: {meeting.kind} works only where `{text(out % groups)} == 0` "
            f"and does not say so; state the condition, or put a 1x1 convolution behind a "
            f"depthwise one",
            layer.site,
            confidence="medium",
            module=conv.layer,
        ).with_(claim=contracts.claim(meeting, _leaves_a_rest, sites, fails_in="constructor"))


def _leaves_a_rest(numbers: tuple[int, ...]) -> bool:
    out, groups, _ = numbers
    return out % groups != 0
