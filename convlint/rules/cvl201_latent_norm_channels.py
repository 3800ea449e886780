from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import contracts, graph_queries, ops
from convlint.ir import Finding, Fix, Graph, Node
from convlint.rules.base import Rule, related_to
from convlint.support.dataclass import replace


class LatentNormChannels(Rule):
    """A norm is sized by one parameter of its class and receives channels that are sized by another: the two are equal
    now, and nothing ensures that they stay equal.

    ## Why is this bad?

    `BatchNorm2d(in_planes)` after `Conv2d(in_planes, out_planes, 3)` works in every model that keeps the width. The
    first one that changes it fails, and the error names a shape, not the class that confused its two parameters.

    convlint traces every integer that a constructor receives through the arithmetic of the constructors, so both
    channel counts are known as expressions over the parameters of the class. The norm is reported if other
    arguments, which the class accepts, make them different. What the class requires of its parameters counts as its
    contract: widths that it compares, both sides of a residual add, the channels that the next convolution reads.
    Nothing is reported about a number whose origin is unknown (`int(0.5 * planes)`, a config file).

    ## Use instead

    The expression that sizes the layer before, `BatchNorm2d(out_planes)`. If the class is meant for equal widths
    only, give it one parameter, or compare the two and raise an error.

    ## Fix safety

    The fix is safe: for the current arguments the model stays the same. It is only displayed if the expression
    cannot be written at the norm's line because its names have another meaning there.
    """

    code = "CVL201"
    name = "latent-norm-channels"
    severity = "warning"
    decided_by = ("source", "run")
    needs = "norm-of-parameters"

    def check(self, graph: Graph) -> Iterator[Finding]:
        comparisons = contracts.Comparisons(graph)
        findings: list[Finding] = []
        for node in graph_queries.first_calls(graph, ops.CHANNEL_NORMS):
            calls = graph_queries.calls_of_same_layer(graph, node)
            of_calls = (self._finding(graph, norm, comparisons) for norm in calls)
            findings += [f for f in of_calls if f is not None][:1]
        for finding in findings:
            fixes = {other.fix for other in findings if other.site == finding.site}
            yield finding if len(fixes) == 1 else finding.with_(fix=_display_only(finding.fix))

    def _finding(self, graph: Graph, norm: Node, comparisons: contracts.Comparisons) -> Finding | None:
        layer, maker = graph.layer(norm.layer), _maker(graph, norm)
        if layer is None or layer.site is None or layer.error or norm.error:
            return None
        width = "num_features" if "num_features" in layer.exprs else "num_channels"
        before = graph.layer(maker.layer if maker else None)
        if maker is not None and before is not None and not before.error:
            output = "out_features" if maker.op == "linear" else "out_channels"
            comparison = comparisons.of(((layer, width), (before, output)), (maker, norm))
        else:
            comparison = comparisons.with_input(norm, layer, width)
        if comparison is None or comparison.current != graph_queries.input_shape(graph, norm)[1:2] * 2:
            return None
        expected, received = comparison.dims
        # A run does not show what the number of concatenated tensors depends on.
        needed = maker is None and graph.traced_by == "recorder"
        claim = contracts.claim(comparison, contracts.differ, (layer.site,), needed=needed)
        if claim is None and needed:
            return None
        source = f" from {graph_queries.name(graph, maker)}" if maker else ""
        return self.finding(
            f"{graph_queries.name(graph, norm)} is sized by `{expected}`, but its input{source} has "
            f"`{received}` channels: {comparison.equal_in_run}{comparison.kind} fails unless they are equal; "
            f"use `{received}`",
            layer.site,
            confidence="medium",
            module=norm.layer,
            related=related_to(f"this layer outputs `{received}` channels", before.site if before else None),
            fix=contracts.argument_fix(layer.site, comparison.scope, expected, received, graph.texts),
        ).with_(claim=claim)


def _maker(graph: Graph, norm: Node) -> Node | None:
    """Return the convolution or linear layer whose channels reach ``norm`` unchanged, if both calls succeeded."""
    calls = graph_queries.producers(graph, norm)
    before = next((n for n in calls if n.op not in ops.CHANNEL_PRESERVING or len(n.inputs) != 1), None)
    if before is None or before.op not in ops.PROJECTIONS or norm.error or before.error:
        return None
    rank = 2 if before.op == "linear" else 2 + ops.spatial_dims(before.op)  # with a batch dimension
    return before if len(before.outputs[0].shape) == rank else None


def _display_only(fix: Fix | None) -> Fix | None:
    """Return the fix for display only: the call builds several layers that need different ones."""
    return fix and replace(fix, applicability="display", edits=())
