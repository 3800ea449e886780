from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis
from convlint.ir import Finding, Graph
from convlint.rules.base import Rule


class LinearInFeatures(Rule):
    """A linear layer takes another number of features than the one that arrives.

    ## Why is this bad?

    The forward raises "mat1 and mat2 shapes cannot be multiplied". Behind a flattened map the right
    number is C*H*W, and H and W follow from the size of the input and every padding, stride and
    pooling on the way. The message does that arithmetic.

    ## What to do

    Write the number that arrives. Where the input may have several sizes, put
    `nn.AdaptiveAvgPool2d` in front of the flattening, or let `nn.LazyLinear` find the number.
    """

    code = "CVL108"
    name = "linear-in-features"
    family = "invalid"
    severity = "error"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        yield from diagnosis.findings(
            self.finding, graph, ("linear", "reshape", "flatten", "unflatten")
        )
        for layer in graph.layers:
            if layer.error is not None and layer.base == "Linear":
                asked = (layer.attrs.get("in_features"), layer.attrs.get("out_features"))
                yield self.finding(
                    f"{layer.kind} `{layer.name}` cannot be built from {asked[0]!r} to {asked[1]!r} "
                    f"features: {layer.error}",
                    layer.site,
                    module=layer.name,
                    nodes=tuple([node.id for node in graph.nodes_of(layer.name) if node.error]),
                )
