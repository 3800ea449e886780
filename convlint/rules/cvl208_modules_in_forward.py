from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Finding, Graph
from convlint.rules.base import Rule


class ModulesInForward(Rule):
    """A layer with parameters is built inside `forward`, or in a method that it calls.

    ## Why is this bad?

    Every call creates the layer again, with new random weights. The optimizer never sees them, so they are not
    trained, and the output of the model is different at every call. Nor are they saved, or moved to another device.

    A layer that is built once and kept is not reported: `if self.head is None: self.head = nn.Conv2d(...)`. Neither
    are layers without parameters, such as `nn.ReLU()`, nor those whose weights are set after they were built.

    ## Use instead

    The layer in `__init__`, as an attribute of the module; `nn.LazyConv2d` where its input channels are not known
    there.
    """

    code = "CVL208"
    name = "modules-in-forward"
    severity = "warning"
    decided_by = ("source", "run")
    needs = "modules-in-forward"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for kind, site in graph.rebuilt_layers:
            yield self.finding(
                f"`{site.function}` builds this {kind} at every call: its weights are new and never trained; "
                f"build it in `__init__`",
                site,
            )
