from __future__ import annotations

import ast
from collections.abc import Iterator

from convlint.analysis import diagnosis, ops
from convlint.analysis.constructor_calls import constructor_call
from convlint.ir import Finding, Fix, Graph
from convlint.rules.base import Rule

_REFUSING = {*ops.NORM_LAYERS["batch_norm"], *ops.NORM_LAYERS["instance_norm"]}


class NormChannels(Rule):
    """A BatchNorm or InstanceNorm is built for another number of channels than the one that arrives.

    ## Why is this bad?

    The norm keeps a mean, a variance, a weight and a bias for every channel, so the forward raises.
    It is the commonest mistake in a block of convolution, norm and activation: the norm was given
    the channels that go into the convolution, not those that come out.

    Which of the two is wrong is decided by the layers around: where the next layer takes what the
    norm says, the convolution is reported.

    ## What to do

    Give the norm the `out_channels` of the convolution in front of it. The line of the other end is
    listed with the finding.

    ## Fix safety

    The fix is unsafe: the model cannot run before it and can afterwards, but which of two numbers
    was meant is judged by a vote of the layers around. It is offered only for a number that is
    written in the norm's own call and is wrong for every layer which that call builds, and is
    only right as long as the producer keeps its width.
    """

    code = "CVL103"
    name = "norm-channels"
    family = "invalid"
    severity = "error"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for finding in diagnosis.findings(self.finding, graph, ops.PER_CHANNEL_NORMS):
            yield finding.with_(fix=_fix(graph, finding))
        for layer in graph.layers:
            if layer.error is not None and layer.base in _REFUSING:
                asked = layer.attrs.get("num_features")
                yield self.finding(
                    f"{layer.kind} `{layer.name}` cannot be built for {asked!r} channels: {layer.error}",
                    layer.site,
                    module=layer.name,
                    nodes=tuple([node.id for node in graph.nodes_of(layer.name) if node.error]),
                )


def _fix(graph: Graph, finding: Finding) -> Fix | None:
    """The number that the others agree on, where it stands for one that is written in a norm's call."""
    built = [layer for layer in graph.layers if layer.site == finding.site]
    call = constructor_call(built[0]) if built and built[0].base in _REFUSING else None
    found = [one for one in diagnosis.disagreements(graph) if one.site == finding.site]
    if call is None or len(found) != 1:
        return None
    wrong = {graph.nodes[vote.node].layer: (vote.number, right) for vote, right in found[0].wrong}
    numbers = set(wrong.values())
    written = call.given("num_features", 0)
    if len(numbers) != 1 or not wrong.keys() >= {layer.name for layer in built}:
        return None
    number, right = numbers.pop()
    if right is None or right.denominator != 1 or not isinstance(written, ast.Constant):
        return None
    if written.value != number:
        return None
    title = f"write {right} for {number} (that the others are right is a guess)"
    return Fix(title, "unsafe", (call.replaced(written, str(right)),))
