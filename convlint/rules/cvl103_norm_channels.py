from __future__ import annotations

from collections.abc import Iterator

from convlint import channels
from convlint.model import Finding, Graph
from convlint.rule import Example, Rule

_REFUSING = frozenset({"BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"}) | frozenset(
    {"InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"}
)


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
    """

    code = "CVL103"
    name = "norm-channels"
    severity = "error"

    bad = (
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 32, 3, bias=False)
        self.norm = nn.BatchNorm2d(16)  # CVL103
        self.head = nn.Conv2d(32, 10, 1)

    def forward(self, x):
        return self.head(self.norm(self.body(x)).relu())
"""
        ),
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 24, 3, bias=False)  # CVL103
        self.norm = nn.BatchNorm2d(32)
        self.head = nn.Conv2d(32, 10, 1)

    def forward(self, x):
        return self.head(self.norm(self.body(x)).relu())
"""
        ),
        Example(
            """\
from torch import nn


class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(into)  # CVL103

    def forward(self, x):
        return self.norm(self.conv(x)).relu()


def Net():
    return nn.Sequential(Block(3, 16), Block(16, 16), Block(16, 32))
"""
        ),
    )
    good = (
        Example(
            """\
from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 8, 3, bias=False),
        nn.InstanceNorm2d(8, affine=True),
    )
"""
        ),
    )

    def check(self, graph: Graph) -> Iterator[Finding]:
        yield from channels.findings(self.finding, graph, ("batch_norm", "instance_norm"))
        for layer in graph.layers:
            if layer.error is not None and layer.base in _REFUSING:
                asked = layer.attrs.get("num_features")
                yield self.finding(
                    f"{layer.kind} `{layer.name}` cannot be built for {asked!r} channels: {layer.error}",
                    layer.site,
                    module=layer.name,
                    nodes=tuple([node.id for node in graph.nodes_of(layer.name) if node.error]),
                )
