from __future__ import annotations

import ast
from collections.abc import Iterator

from convlint.analysis import diagnosis, ops
from convlint.analysis.constructor_calls import constructor_call
from convlint.ir import Finding, Fix, Graph
from convlint.rules.base import Rule

_REFUSING = {*ops.NORM_LAYERS["batch_norm"], *ops.NORM_LAYERS["instance_norm"]}


class NormChannels(Rule):
    """A BatchNorm or InstanceNorm expects a different number of channels than it receives.

    ## Why is this bad?

    The norm has a mean, a variance, a weight and a bias for every channel, so the forward raises an error. It is
    the most common mistake in a block of convolution, norm and activation: the norm gets the input channels of the
    convolution instead of its output channels.

    The layers around decide which of the two is reported: if the next layer expects the number of the norm, it is
    the convolution.

    ## Use instead

    The `out_channels` of the convolution before the norm. The line of the other layer is listed with the finding.

    ## Fix safety

    The fix is unsafe. The model fails before it and runs after it, but which of the two numbers was meant is
    inferred from the layers around. It is offered only for a number that is written in the norm's own call and is
    wrong for every layer that this call builds.
    """

    code = "CVL103"
    name = "norm-channels"
    decided_by = ("source", "run")
    needs = "failed-call"
    operators = ops.PER_CHANNEL_NORMS

    def check(self, graph: Graph) -> Iterator[Finding]:
        for finding in diagnosis.findings(self.finding, graph, self.operators):
            yield finding.with_(fix=_fix(graph, finding))
        for layer in graph.layers:
            if layer.error is not None and layer.base in _REFUSING:
                channels = layer.attrs.get("num_features")
                why = f" cannot be built with num_features={channels!r}: {layer.error}"
                yield self.constructor_finding(graph, layer, why)


def _fix(graph: Graph, finding: Finding) -> Fix | None:
    """Replace a number that is written in a norm's call with the one that the other layers agree on."""
    layers = [layer for layer in graph.layers if layer.site == finding.site]
    call = constructor_call(graph, layers[0]) if layers and layers[0].base in _REFUSING else None
    causes = [d for d in diagnosis.disagreements(graph) if d.site == finding.site]
    if call is None or len(causes) != 1:
        return None
    wrong = {graph.nodes[vote.node].layer: (vote.number, right) for vote, right in causes[0].wrong}
    numbers = set(wrong.values())
    written = call.argument("num_features", 0)
    if len(numbers) != 1 or not wrong.keys() >= {layer.name for layer in layers}:
        return None
    number, right = numbers.pop()
    if right is None or right.denominator != 1 or not isinstance(written, ast.Constant):
        return None
    if written.value != number:
        return None
    title = f"replace {number} with {right} (assumes the other layers are right)"
    return Fix(title, "unsafe", (call.replacing(written, str(right)),))
