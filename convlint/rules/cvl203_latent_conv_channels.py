from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import contracts, graph_queries, ops
from convlint.ir import Finding, Graph, Layer, Node, Related, Site
from convlint.rules.base import Rule

_READS = {**dict.fromkeys(ops.ALL_CONVS, "in_channels"), "linear": "in_features"}


class LatentConvChannels(Rule):
    """A convolution or linear layer is built for one parameter of its class and reads what is built
    for another: the two are equal today, and nothing says that they stay so.

    ## Why is this bad?

    `Conv2d(in_planes, out_planes, 3)` behind `Conv2d(in_planes, hidden, 3)` works in every model
    that keeps the width. The first one with another `hidden` fails, with an error that names a shape
    and not the class that confused its parameters.

    Channels are followed as expressions over the parameters of the class, through activations, norms
    and pooling, additions and concatenations. What the class asks of its parameters in any other
    place is taken as its contract: widths that it compares, both sides of a residual add, what
    another layer reads. Where a number's origin was lost nothing is reported. Where the layers do
    not stand in one class, or tensors are concatenated, nothing is reported without a witness: other
    numbers with which the class really failed.

    ## What to do

    Build the layer for the expression that arrives, `Conv2d(hidden, out_planes, 3)`. If the class is
    meant for equal widths only, take one parameter, or compare the two and raise.

    ## Fix safety

    The fix is safe: at today's numbers the model is the same. Where the expression cannot be
    written at the layer's line, because the names mean something else there, it is only shown.
    """

    code = "CVL203"
    name = "latent-conv-channels"
    family = "latent"
    severity = "warning"
    decided_by = ("source", "run")
    needs = "layer-of-parameters"

    def check(self, graph: Graph) -> Iterator[Finding]:
        meetings = contracts.Meetings(graph)
        for node in graph_queries.distinct(graph, ops.PROJECTIONS):
            layer = graph.layer(node.layer)
            if layer is not None and layer.site is not None and not node.error:
                yield from self._judged(graph, node, layer, layer.site, meetings)

    def _judged(
        self, graph: Graph, node: Node, layer: Layer, site: Site, meetings: contracts.Meetings
    ) -> Iterator[Finding]:
        name = _READS[node.op]
        meeting = meetings.arriving(node, layer, name)
        if meeting is None or meeting.now != (layer.attrs.get(name),) * 2:
            return
        asked, given = meeting.dims
        makers = list(_makers(graph, node))
        ends = [layer, *(made for m in makers if (made := graph.layer(m.layer)) is not None)]
        # A run does not tell what the number of concatenated tensors depends on.
        counted = len(makers) > 1 and graph.traced_by == "recorder"
        needed = counted or any(end.scope != meeting.scope.id for end in ends)
        sites = (site, *_sites_of_norms(graph, node))
        claim = contracts.claim(meeting, contracts.differ, sites, needed=needed)
        if claim is None and needed:
            return
        source = f" from {graph_queries.called(graph, makers[0])}" if len(makers) == 1 else ""
        place = _place(layer, site, meeting)
        yield self.finding(
            f"{graph_queries.called(graph, node)} is built for `{asked}` channels, but `{given}` "
            f"arrive{source}: {meeting.equal_today}{meeting.kind} fails where they differ; "
            f"build it for `{given}`",
            place,
            confidence="medium",
            module=node.layer,
            related=tuple(
                Related("a layer that gives these channels", end.site)
                for end in ends[1:5]
                if end.site
            ),
            fix=contracts.argument_fix(place, meeting.scope, asked, given),
        ).with_(claim=claim)


def _place(layer: Layer, site: Site, meeting: contracts.Meeting) -> Site:
    """Where the class passes the number on: the layer's constructor, or that of a part around it."""
    if layer.scope == meeting.scope.id:
        return site
    inside = f"{meeting.scope.kind}.__init__"
    return next((s for s in (site, *layer.chain) if s.function == inside), site)


def _makers(graph: Graph, node: Node) -> Iterator[Node]:
    """The nearest calls before ``node`` that have channels of their own."""
    pending = [graph.producer(id) for id in node.inputs[:1]]
    seen: set[int] = set()
    while pending:
        before = pending.pop()
        if before.id in seen:
            continue
        seen.add(before.id)
        if before.op in ops.PROJECTIONS:
            yield before
        else:
            pending += [graph.producer(id) for id in before.inputs]


def _sites_of_norms(graph: Graph, node: Node) -> Iterator[Site]:
    """Norms between: they refuse the channels before the layer does where they are built for the same."""
    before = graph_queries.source(graph, node)
    while before is not None and before.op in ops.CHANNEL_PRESERVING:
        norm = graph.layer(before.layer)
        if norm is not None and norm.site is not None and before.op.endswith("norm"):
            yield norm.site
        before = graph_queries.source(graph, before)
