from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis, ops
from convlint.ir import Finding, Graph
from convlint.rules.base import Rule


class ConvInputChannels(Rule):
    """A convolution expects a different number of channels than it receives.

    ## Why is this bad?

    The forward raises an error at this layer. PyTorch names two numbers and one layer, and that layer is as often
    right as wrong: the mistake may be in the line that builds the layer before.

    convlint compares all layers that read or output the same channels. If a norm, a later layer and a shortcut
    agree on 64 and one convolution says 32, that convolution is reported, whether it reads the channels or outputs
    them. The other layers are listed with the finding.

    ## Use instead

    The number that the other layers agree on. It is safer to write both numbers as one variable, so that they
    cannot differ again.
    """

    code = "CVL102"
    name = "conv-input-channels"
    decided_by = ("source", "run")
    needs = "failed-call"
    operators = ops.ALL_CONVS

    def check(self, graph: Graph) -> Iterator[Finding]:
        yield from diagnosis.findings(self.finding, graph, self.operators)
