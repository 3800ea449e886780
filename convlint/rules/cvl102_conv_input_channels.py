from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import diagnosis, ops
from convlint.ir import Finding, Graph
from convlint.rules.base import Example, Rule


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

    bad = (
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.body = nn.Conv2d(32, 64, 3)  # CVL102

    def forward(self, x):
        return self.body(self.norm(self.stem(x)).relu())
"""
        ),
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3)  # CVL102
        self.left = nn.Conv2d(16, 8, 1)
        self.right = nn.ConvTranspose2d(16, 8, 1)

    def forward(self, x):
        x = self.stem(x).relu()
        return self.left(x) + self.right(x)
"""
        ),
        Example(
            """\
import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 5, 3))

    def forward(self, x):
        return F.conv1d(x, self.weight)
""".replace("class Net(nn.Module):", "class Kernel(nn.Module):")
            + """\


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = Kernel()  # CVL102

    def forward(self, x):
        return self.kernel(x)
""",
            input=("4,100",),
        ),
    )
    good = (
        Example(
            """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = nn.Conv2d(3, 16, 3, padding=1)
        self.right = nn.Conv2d(3, 48, 3, padding=1)
        self.body = nn.Conv2d(64, 8, 1)

    def forward(self, x):
        return self.body(torch.cat([self.left(x), self.right(x)], 1).relu())
"""
        ),
    )

    def check(self, graph: Graph) -> Iterator[Finding]:
        yield from diagnosis.findings(self.finding, graph, ops.ALL_CONVS)
