from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from convlint.analysis import contracts, graph_queries, ops
from convlint.ir import Finding, Fix, Graph, Node, Related
from convlint.rules.base import Rule


class LatentNormChannels(Rule):
    """A normalisation is built for one parameter of its class and reads a layer that is built for
    another: the two are equal today, and nothing says that they stay so.

    ## Why is this bad?

    `BatchNorm2d(in_planes)` behind `Conv2d(in_planes, out_planes, 3)` works in every model that
    keeps the width. The first one that changes it fails, and the error names a shape, not the class
    that confused its two parameters.

    Every integer that a constructor receives is followed through the arithmetic of the real
    constructors, so the rule knows both channel counts as expressions over the parameters of the
    class. It reports the norm if other parameters, which the class accepts, would make them
    different. What the class asks of its parameters is taken as its contract: widths that it
    compares, both sides of a residual add, the channels that the next convolution reads. Where a
    number's origin was lost (`int(0.5 * planes)`, a config file) nothing is reported.

    ## What to do

    Build the norm for the expression that its producer was built for, `BatchNorm2d(out_planes)`. If
    the class is meant for equal widths only, take one parameter, or compare the two and raise.

    ## Fix safety

    The fix is safe: at today's numbers the model is the same. Where the expression cannot be
    written at the norm's line, because the names mean something else there, it is only shown.
    """

    code = "CVL201"
    name = "latent-norm-channels"
    family = "latent"
    severity = "warning"
    decided_by = ("source", "run")
    needs = "norm-of-parameters"

    def check(self, graph: Graph) -> Iterator[Finding]:
        meetings = contracts.Meetings(graph)
        found: list[Finding] = []
        for node in graph_queries.distinct(graph, ops.CHANNEL_NORMS):
            calls = graph_queries.calls_of_same_layer(graph, node)
            judged = (self._judged(graph, norm, meetings) for norm in calls)
            found += filter(None, [next(filter(None, judged), None)])
        for finding in found:
            fixes = {other.fix for other in found if other.site == finding.site}
            yield finding if len(fixes) == 1 else finding.with_(fix=_shown(finding.fix))

    def _judged(self, graph: Graph, norm: Node, meetings: contracts.Meetings) -> Finding | None:
        wide, maker = graph.layer(norm.layer), _maker(graph, norm)
        if wide is None or wide.site is None or wide.error or norm.error:
            return None
        asks = "num_features" if "num_features" in wide.exprs else "num_channels"
        made = graph.layer(maker.layer if maker else None)
        if maker is not None and made is not None and not made.error:
            gives = "out_features" if maker.op == "linear" else "out_channels"
            meeting = meetings.of(((wide, asks), (made, gives)), (maker, norm))
        else:
            meeting = meetings.arriving(norm, wide, asks)
        shape = graph_queries.input_shape(graph, norm)
        if meeting is None or meeting.now != shape[1:2] * 2:
            return None
        asked, given = meeting.dims
        # A run does not tell what the number of concatenated tensors depends on.
        needed = maker is None and graph.traced_by == "recorder"
        claim = contracts.claim(meeting, contracts.differ, (wide.site,), needed=needed)
        if claim is None and needed:
            return None
        end = made.site if made else None
        source = f" from {graph_queries.called(graph, maker)}" if maker else ""
        return self.finding(
            f"{graph_queries.called(graph, norm)} is built for `{asked}` channels, but `{given}` "
            f"arrive{source}: {meeting.equal_today}{meeting.kind} fails where they differ; "
            f"build it for `{given}`",
            wide.site,
            confidence="medium",
            module=norm.layer,
            related=(Related(f"the layer that gives `{given}` channels", end),) if end else (),
            fix=contracts.argument_fix(wide.site, meeting.scope, asked, given),
        ).with_(claim=claim)


def _maker(graph: Graph, norm: Node) -> Node | None:
    """The convolution (or linear layer) whose channels reach ``norm`` unchanged, and whose call and
    the norm's worked.
    """
    before = graph_queries.source(graph, norm)
    while before is not None and before.op in ops.CHANNEL_PRESERVING and len(before.inputs) == 1:
        before = graph_queries.source(graph, before)
    if before is None or before.op not in ops.PROJECTIONS or norm.error or before.error:
        return None
    rank = 2 if before.op == "linear" else 2 + ops.spatial_dims(before.op)  # with a batch dimension
    return before if len(before.outputs[0].shape) == rank else None


def _shown(fix: Fix | None) -> Fix | None:
    """A fix for people to judge: the call builds several layers, and each needs another one."""
    return fix and replace(fix, applicability="display", edits=())
