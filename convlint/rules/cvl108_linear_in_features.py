from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis
from convlint.ir import Finding, Graph
from convlint.rules.base import Example, Rule


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

    bad = (
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(16 * 32 * 32, 64)  # CVL108
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.pool(self.stem(x).relu()).flatten(1)
        return self.head(self.hidden(x).relu())
"""
        ),
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2)
        self.head = nn.Linear(16 * 15 * 15, 10)

    def forward(self, x):
        x = self.stem(x).relu()
        x = x.view(x.size(0), 16 * 16 * 16)  # CVL108
        return self.head(x[:, :3600])
"""
        ),
    )
    good = (
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.head = nn.Linear(16 * 4 * 4, 10)

    def forward(self, x):
        return self.head(self.pool(self.stem(x).relu()).flatten(1))
"""
        ),
    )

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
