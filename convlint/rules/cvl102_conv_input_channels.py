from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis, ops
from convlint.ir import Finding, Graph
from convlint.rules.base import Rule


class ConvInputChannels(Rule):
    """A convolution takes another number of channels than the one that arrives.

    ## Why is this bad?

    The forward raises at this layer. PyTorch names two numbers and one layer, and the layer that
    it names is as often right as wrong: the mistake may stand in the line that built the layer
    before.

    convlint lets all layers vote that read or make the same channels. Where a norm, a later layer
    and a shortcut agree on 64 and one convolution says 32, that convolution is reported, whichever
    end of the call it stands at. The other ends are listed with it.

    ## What to do

    Change the number that is reported, or all of those that it disagrees with. Better, write both
    as one name, so that they cannot differ again.
    """

    code = "CVL102"
    name = "conv-input-channels"
    family = "invalid"
    severity = "error"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        yield from diagnosis.findings(self.finding, graph, ops.ALL_CONVS)
