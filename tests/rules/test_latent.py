"""CVL201 and CVL202 on classes as people write them: what must be found, and what only looks like it.

Each class that must be reported is shown to deserve it: built with other numbers, PyTorch refuses
it; and with the fix that the report offers, PyTorch accepts those numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from convlint.ir import Edit, Finding, Graph
from convlint.rules.cvl201_latent_norm_channels import LatentNormChannels
from convlint.rules.cvl202_latent_groups import LatentGroups

if TYPE_CHECKING:
    import torch

HEAD = "import math\nfrom functools import partial\nimport torch\nfrom torch import nn\n"


@dataclass(frozen=True)
class Bad:
    """A source whose marked lines are reported for ``works``, and whose ``fails`` PyTorch refuses."""

    source: str
    works: str
    fails: str
    channels: tuple[int, int] = (16, 16)  # of the input, for works and for fails
    rank: int = 4
    fixed: bool = True  # the fix is an edit, not only shown


@dataclass(frozen=True)
class Good:
    """A source that nothing is reported of."""

    source: str
    works: str
    channels: int = 16


BAD = {
    "plain": Bad(
        """
class Block(nn.Module):
    def __init__(self, in_planes, out_planes):
        super().__init__()
        self.conv = nn.Conv2d(in_planes, out_planes, 3)
        self.norm = nn.BatchNorm2d(in_planes)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
        "Block(16, 24)",
    ),
    "by keyword": Bad(
        """
class Block(nn.Module):
    def __init__(self, *, into, out):
        super().__init__()
        self.conv = nn.Conv2d(in_channels=into, out_channels=out, kernel_size=3)
        self.norm = nn.BatchNorm2d(momentum=0.1, num_features=into)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(into=16, out=16)",
        "Block(into=16, out=24)",
    ),
    "a sequential inside": Bad(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(into, out, 1),
            nn.BatchNorm2d(into),  # CVL201
            nn.ReLU(),
        )
    def forward(self, x):
        return self.body(x)
""",
        "Block(16, 16)",
        "Block(16, 24)",
    ),
    "a subclass of Sequential": Bad(
        """
class Block(nn.Sequential):
    def __init__(self, into, out, kernel=3):
        layers = [nn.Conv2d(into, out, kernel)]
        layers.append(nn.GroupNorm(4, into))  # CVL201
        super().__init__(*layers)
""",
        "Block(16, 16)",
        "Block(16, 24)",
    ),
    "a helper makes the convolution": Bad(
        """
def conv3x3(into, out, stride=1):
    return nn.Conv2d(into, out, kernel_size=3, stride=stride, padding=1, bias=False)
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = conv3x3(into, out)
        self.norm = nn.BatchNorm2d(into)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
        "Block(16, 24)",
    ),
    "a helper makes both": Bad(
        """
def conv_norm(into, out):
    return nn.Sequential(
        nn.Conv2d(into, out, 1),
        nn.BatchNorm2d(into),  # CVL201
    )
class Net(nn.Module):
    def __init__(self, narrow, wide):
        super().__init__()
        self.body = conv_norm(narrow, wide)
    def forward(self, x):
        return self.body(x)
""",
        "Net(16, 16)",
        "Net(16, 24)",
        fixed=False,  # narrow and wide mean nothing at the norm's line
    ),
    "the conv comes from a base class": Bad(
        """
class Base(nn.Module):
    def __init__(self, planes):
        super().__init__()
        self.conv = nn.Conv2d(planes, planes, 3)
class Block(Base):
    def __init__(self, into, out):
        super().__init__(into)
        self.norm = nn.BatchNorm2d(out)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
        "Block(16, 24)",
    ),
    "a default and a literal": Bad(
        """
class Stem(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.conv = nn.Conv2d(16, width, 3)
        self.norm = nn.BatchNorm2d(64)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Stem()",
        "Stem(32)",
    ),
    "a partial norm": Bad(
        """
class Block(nn.Module):
    def __init__(self, into, out, norm=partial(nn.BatchNorm2d, eps=1e-3)):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3)
        self.norm = norm(into)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
        "Block(16, 24)",
    ),
    "norm_layer=None": Bad(
        """
class Block(nn.Module):
    def __init__(self, inplanes, planes, stride=1, norm_layer=None):
        super().__init__()
        if norm_layer is None:
            norm_layer = nn.BatchNorm2d
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride)
        self.bn1 = norm_layer(inplanes)  # CVL201
        self.relu = nn.ReLU(inplace=True)
    def forward(self, x):
        return self.relu(self.bn1(self.conv1(x)))
""",
        "Block(16, 16)",
        "Block(16, 24)",
    ),
    "an expansion factor": Bad(
        """
class Bottleneck(nn.Module):
    def __init__(self, into, planes, expansion=1):
        super().__init__()
        self.conv = nn.Conv2d(into, planes * expansion, 1)
        self.norm = nn.BatchNorm2d(planes)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Bottleneck(16, 8)",
        "Bottleneck(16, 8, expansion=4)",
    ),
    "arithmetic": Bad(
        """
class Grow(nn.Module):
    def __init__(self, width, growth):
        super().__init__()
        wide = width + growth
        self.conv = nn.Conv2d(width, wide, 1)
        self.norm = nn.BatchNorm2d(2 * width)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Grow(16, 16)",
        "Grow(16, 8)",
    ),
    "halves of an odd number": Bad(
        """
class Halves(nn.Module):
    def __init__(self, width):
        super().__init__()
        half = width // 2
        self.conv = nn.Conv2d(width, 2 * half, 1)
        self.norm = nn.BatchNorm2d(width)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Halves(16)",
        "Halves(15)",
        (16, 15),
    ),
    "a loop": Bad(
        """
class Stack(nn.Module):
    def __init__(self, width, hidden, depth):
        super().__init__()
        layers = []
        for _ in range(depth):
            layers += [
                nn.Conv2d(width, hidden, 1),
                nn.BatchNorm2d(width),  # CVL201
                nn.Conv2d(hidden, width, 1),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers)
    def forward(self, x):
        return self.body(x)
""",
        "Stack(16, 16, 3)",
        "Stack(16, 32, 3)",
    ),
    "a loop, and every norm needs another width": Bad(
        """
class Stack(nn.Module):
    def __init__(self, width, one, other):
        super().__init__()
        layers = []
        for hidden in (one, other):
            layers += [
                nn.Conv2d(width, hidden, 1),
                nn.BatchNorm2d(width),  # CVL201
                nn.Conv2d(hidden, width, 1),
            ]
        self.body = nn.Sequential(*layers)
    def forward(self, x):
        return self.body(x)
""",
        "Stack(16, 16, 16)",
        "Stack(16, 16, 24)",
        fixed=False,
    ),
    "depthwise separable": Bad(
        """
class Separable(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.depthwise = nn.Conv2d(into, into, 3, groups=into)
        self.norm1 = nn.BatchNorm2d(into)
        self.pointwise = nn.Conv2d(into, out, 1)
        self.norm2 = nn.BatchNorm2d(into)  # CVL201
    def forward(self, x):
        x = torch.relu(self.norm1(self.depthwise(x)))
        return torch.relu(self.norm2(self.pointwise(x)))
""",
        "Separable(16, 16)",
        "Separable(16, 24)",
    ),
    "activation and pooling between": Bad(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3)
        self.pool = nn.MaxPool2d(2)
        self.norm = nn.BatchNorm2d(into)  # CVL201
    def forward(self, x):
        return self.norm(self.pool(torch.relu(self.conv(x))))
""",
        "Block(16, 16)",
        "Block(16, 24)",
    ),
    "a second norm": Bad(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3)
        self.norm1 = nn.BatchNorm2d(out)
        self.norm2 = nn.InstanceNorm2d(into, affine=True)  # CVL201
    def forward(self, x):
        return self.norm2(self.norm1(self.conv(x)).relu())
""",
        "Block(16, 16)",
        "Block(16, 24)",
    ),
    "transposed": Bad(
        """
class Up(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.up = nn.ConvTranspose2d(into, out, 2, stride=2)
        self.norm = nn.BatchNorm2d(into)  # CVL201
    def forward(self, x):
        return self.norm(self.up(x))
""",
        "Up(16, 16)",
        "Up(16, 24)",
    ),
    "one dimension": Bad(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv1d(into, out, 3)
        self.norm = nn.BatchNorm1d(into)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
        "Block(16, 24)",
        rank=3,
    ),
    "a linear layer": Bad(
        """
class Head(nn.Module):
    def __init__(self, into, hidden):
        super().__init__()
        self.linear = nn.Linear(into, hidden)
        self.norm = nn.BatchNorm1d(into)  # CVL201
    def forward(self, x):
        return self.norm(self.linear(x)).relu()
""",
        "Head(16, 16)",
        "Head(16, 24)",
        rank=2,
    ),
    "two classes that meet in a third": Bad(
        """
class Conv(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.inner = nn.Conv2d(into, out, 3, bias=False)
    def forward(self, x):
        return self.inner(x)
class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.BatchNorm2d(width)  # CVL201
    def forward(self, x):
        return self.inner(x).relu()
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = Conv(into, out)
        self.norm = Norm(into)
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
        "Block(16, 24)",
        fixed=False,  # the mistake is in the call of Norm
    ),
    "deep inside a network, twice": Bad(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3)
        self.norm = nn.BatchNorm2d(into)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x)).relu()
class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.stem = nn.Conv2d(16, 32, 3)
        self.blocks = nn.Sequential(Block(32, width), Block(width, 32))
    def forward(self, x):
        return self.blocks(self.stem(x))
""",
        "Net()",
        "Net(24)",
    ),
    "a residual add around the class": Bad(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 1)
        self.norm = nn.BatchNorm2d(into)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x)).relu()
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block(16, 16)
    def forward(self, x):
        return x + self.block(x)
""",
        "Net()",
        "Block(16, 24)",
    ),
    "items of a list": Bad(
        """
class Net(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.conv = nn.Conv2d(16, widths[0], 3)
        self.norm = nn.BatchNorm2d(widths[1])  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Net([8, 8])",
        "Net([8, 4])",
        fixed=False,
    ),
    "read from the wrong end of the conv": Bad(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3)
        self.norm = nn.BatchNorm2d(self.conv.in_channels)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
        "Block(16, 24)",
        fixed=False,
    ),
    "a parameter that was changed": Bad(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        out = 2 * out
        self.conv = nn.Conv2d(into, out, 3)
        self.norm = nn.BatchNorm2d(into)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 8)",
        "Block(16, 16)",
        fixed=False,  # "2 * out" would double it again
    ),
    "other numbers are compared": Bad(
        """
class Block(nn.Module):
    def __init__(self, into, out, stride=1, groups=1):
        super().__init__()
        assert stride in (1, 2) and into % groups == 0
        self.conv = nn.Conv2d(into, out, 3, stride, groups=groups)
        self.norm = nn.BatchNorm2d(into)  # CVL201
    def forward(self, x):
        assert x.shape[1] == self.conv.in_channels
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
        "Block(16, 24)",
    ),
    "one group a channel": Bad(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, groups=into)  # CVL202
        self.norm = nn.BatchNorm2d(out)
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 32)",
        "Block(16, 24)",
    ),
    "the global depthwise convolution": Bad(
        """
class GDConv(nn.Module):
    def __init__(self, into, out, kernel):
        super().__init__()
        self.conv = nn.Conv2d(into, out, kernel, groups=into)  # CVL202
        self.norm = nn.BatchNorm2d(into)  # CVL201
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "GDConv(16, 16, 8)",
        "GDConv(16, 32, 8)",
    ),
}

GOOD = {
    "as it should be": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out, kernel=3):
        super().__init__()
        self.conv = nn.Conv2d(into, out, kernel, bias=False)
        self.norm = nn.BatchNorm2d(out)
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
    ),
    "a residual": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(into, out, 1), nn.BatchNorm2d(into))
    def forward(self, x):
        return (x + self.body(x)).relu()
""",
        "Block(16, 16)",
    ),
    "a gate": Good(
        """
class Gate(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(into, out, 1), nn.BatchNorm2d(into)
    def forward(self, x):
        return x * self.norm(self.conv(x)).sigmoid()
""",
        "Gate(16, 16)",
    ),
    "compared, and refused": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        if into != out:
            raise ValueError("this block keeps the width")
        self.conv, self.norm = nn.Conv2d(into, out, 1), nn.BatchNorm2d(into)
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
    ),
    "compared in the forward": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.into, self.out = into, out
        self.conv = nn.Conv2d(into, out, 1)
        self.same, self.other = nn.BatchNorm2d(into), nn.BatchNorm2d(out)
    def forward(self, x):
        norm = self.same if self.into == self.out else self.other
        return norm(self.conv(x))
""",
        "Block(16, 16)",
    ),
    "compared in another class": Good(
        """
class Same(nn.Module):
    def __init__(self, one, other):
        super().__init__()
        assert one == other
    def forward(self, x):
        return x
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.same = Same(into, out)
        self.conv, self.norm = nn.Conv2d(into, out, 1), nn.BatchNorm2d(into)
    def forward(self, x):
        return self.same(self.norm(self.conv(x)))
""",
        "Block(16, 16)",
    ),
    "one of a set": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        assert len({into, out}) == 1
        self.conv, self.norm = nn.Conv2d(into, out, 1), nn.BatchNorm2d(into)
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
    ),
    "the larger of two": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, max(into, out), 1)
        self.norm = nn.BatchNorm2d(max(out, into))
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16)",
    ),
    "the next convolution reads as many": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(into, out, 1), nn.BatchNorm2d(into)
        self.conv2 = nn.Conv2d(into, out, 1)
    def forward(self, x):
        return self.conv2(self.norm(self.conv1(x)).relu())
""",
        "Block(16, 16)",
    ),
    "the linear layer behind it reads as many": Good(
        """
class Net(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(into, out, 1), nn.BatchNorm2d(into)
        self.pool, self.linear = nn.AdaptiveAvgPool2d(1), nn.Linear(into, 10)
    def forward(self, x):
        return self.linear(self.pool(self.norm(self.conv(x))).flatten(1))
""",
        "Net(16, 16)",
    ),
    "through a float": Good(
        """
class Block(nn.Module):
    def __init__(self, into, ratio=0.5):
        super().__init__()
        self.conv = nn.Conv2d(into, int(into * ratio), 1)
        self.norm = nn.BatchNorm2d(into // 2)
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16)",
    ),
    "make_divisible": Good(
        """
def make_divisible(value, divisor=8):
    new = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return new + divisor if new < 0.9 * value else new
class Block(nn.Module):
    def __init__(self, into, out, factor=1.0):
        super().__init__()
        self.conv = nn.Conv2d(into, make_divisible(out * factor), 1)
        self.norm = nn.BatchNorm2d(make_divisible(out * factor))
        self.last = nn.Conv2d(make_divisible(out * factor), make_divisible(out), 1)
        self.end = nn.BatchNorm2d(make_divisible(out))
    def forward(self, x):
        return self.end(self.last(self.norm(self.conv(x))))
""",
        "Block(16, 16)",
    ),
    "loops over a configuration": Good(
        """
class Net(nn.Module):
    def __init__(self, widths=(16, "M", 16, 32), into=16):
        super().__init__()
        layers = []
        for width in widths:
            if width == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(into, width, 3, padding=1), nn.BatchNorm2d(width)]
                into = width
        self.body = nn.Sequential(*layers)
    def forward(self, x):
        return self.body(x)
""",
        "Net()",
    ),
    "pairs of a configuration": Good(
        """
class Net(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.body = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 1), nn.BatchNorm2d(b))
            for a, b in zip(widths[:-1], widths[1:])
        )
    def forward(self, x):
        for part in self.body:
            x = part(x)
        return x
""",
        "Net([16, 16, 16])",
    ),
    "a configuration object": Good(
        """
class Config:
    stem, width = 16, 16
class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(16, config.stem, 1), nn.BatchNorm2d(config.width)
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Net(Config())",
    ),
    "depthwise separable": Good(
        """
class Separable(nn.Sequential):
    def __init__(self, into, out, norm_layer=None):
        norm_layer = norm_layer or partial(nn.BatchNorm2d, eps=1e-3)
        super().__init__(
            nn.Conv2d(into, into, 3, padding=1, groups=into), norm_layer(into), nn.ReLU6(True),
            nn.Conv2d(into, out, 1), norm_layer(out),
        )
""",
        "Separable(16, 16)",
    ),
    "a residual network": Good(
        """
class Block(nn.Module):
    expansion = 1
    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes * self.expansion, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes * self.expansion)
        self.downsample = downsample
    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()
class Net(nn.Module):
    def __init__(self, block, depths, width=16):
        super().__init__()
        self.inplanes = width
        self.stem = nn.Sequential(nn.Conv2d(16, self.inplanes, 3), nn.BatchNorm2d(self.inplanes))
        self.layer1 = self.make(block, width, depths[0])
        self.layer2 = self.make(block, 2 * width, depths[1], 2)
    def make(self, block, planes, depth, stride=1):
        down = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            down = nn.Sequential(
                nn.Conv2d(self.inplanes, planes * block.expansion, 1, stride, bias=False),
                nn.BatchNorm2d(planes * block.expansion),
            )
        layers = [block(self.inplanes, planes, stride, down)]
        self.inplanes = planes * block.expansion
        layers += [block(self.inplanes, planes) for _ in range(1, depth)]
        return nn.Sequential(*layers)
    def forward(self, x):
        return self.layer2(self.layer1(self.stem(x)))
""",
        "Net(Block, [2, 2])",
    ),
    "norms in front": Good(
        """
class PreAct(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(into), nn.Conv2d(into, out, 1)
        self.norm2, self.conv2 = nn.BatchNorm2d(out), nn.Conv2d(out, out, 1)
    def forward(self, x):
        return self.conv2(self.norm2(self.conv1(self.norm1(x).relu())).relu())
class Net(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.stem = nn.Conv2d(16, width, 3)
        self.blocks = nn.Sequential(PreAct(width, out), PreAct(out, width), PreAct(width, width))
    def forward(self, x):
        return self.blocks(self.stem(x))
""",
        "Net(16, 16)",
    ),
    "dense connections": Good(
        """
class Dense(nn.Module):
    def __init__(self, into, growth, depth=3):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(into + i * growth) for i in range(depth))
        self.convs = nn.ModuleList(nn.Conv2d(into + i * growth, growth, 1) for i in range(depth))
        self.end = nn.BatchNorm2d(into + depth * growth)
    def forward(self, x):
        for norm, conv in zip(self.norms, self.convs):
            x = torch.cat([x, conv(norm(x).relu())], 1)
        return self.end(x)
""",
        "Dense(16, 16)",
    ),
    "channels moved between": Good(
        """
class Up(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv, self.shuffle = nn.Conv2d(into, 4 * out, 1), nn.PixelShuffle(2)
        self.norm = nn.BatchNorm2d(out)
        self.both, self.last = nn.Conv2d(out, 2 * out, 1), nn.BatchNorm2d(out)
    def forward(self, x):
        one, other = self.both(self.norm(self.shuffle(self.conv(x)))).chunk(2, 1)
        return self.last(one) * other
""",
        "Up(16, 16)",
    ),
    "numbers of the weight": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 1)
        self.norm = nn.BatchNorm2d(self.conv.weight.shape[0])
        self.more = nn.Conv2d(out, out, 1)
        self.last = nn.BatchNorm2d(self.conv.out_channels)
    def forward(self, x):
        return self.last(self.more(self.norm(self.conv(x))))
""",
        "Block(16, 16)",
    ),
    "two branches of one class": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out, deep=False):
        super().__init__()
        self.conv = nn.Conv2d(into, 2 * out, 1) if deep else nn.Conv2d(into, out, 1)
        self.norm = nn.BatchNorm2d(out * 2 if deep else out)
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 16, deep=True)",
    ),
    "literals on both sides": Good(
        """
WIDTH = 16
class Net(nn.Module):
    def __init__(self, classes=16):
        super().__init__()
        width = 16
        self.conv1, self.norm1 = nn.Conv2d(16, 16, 1), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = nn.Conv2d(16, WIDTH, 1), nn.BatchNorm2d(2 * 8)
        self.conv3, self.norm3 = nn.Conv2d(16, classes, 1), nn.BatchNorm2d(classes)
    def forward(self, x):
        return self.norm3(self.conv3(self.norm2(self.conv2(self.norm1(self.conv1(x))))))
""",
        "Net()",
    ),
    "one of two values": Good(
        """
class Net(nn.Module):
    def __init__(self, width, ratio=0.5, hidden=None):
        super().__init__()
        half = int(width * ratio) if ratio else 8
        other = int(width * ratio) or 8
        self.conv1, self.norm1 = nn.Conv2d(width, half, 1), nn.BatchNorm2d(width // 2)
        self.conv2, self.norm2 = nn.Conv2d(width, other, 1), nn.BatchNorm2d(width // 2)
        def widen():
            nonlocal some
            some = int(width * ratio)
        some = 8
        widen()
        self.conv3, self.norm3 = nn.Conv2d(width, some, 1), nn.BatchNorm2d(width // 2)
    def forward(self, x):
        return self.norm1(self.conv1(x)), self.norm2(self.conv2(x)), self.norm3(self.conv3(x))
""",
        "Net(16)",
    ),
    "one input, many names": Good(
        """
class Inner(nn.Module):
    def __init__(self, a, b, c):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(a, b, 1), nn.BatchNorm2d(b)
        self.end, self.last = nn.Conv2d(b, c, 1), nn.BatchNorm2d(c)
    def forward(self, x):
        return self.last(self.end(self.norm(self.conv(x))))
class Middle(Inner):
    def __init__(self, width, **rest):
        super().__init__(width, **rest)
class Outer(nn.Module):
    def __init__(self, *widths):
        super().__init__()
        self.inner = Middle(widths[0], b=widths[1], c=widths[1])
        self.norm = nn.BatchNorm2d(widths[1])
    def forward(self, x):
        return self.norm(self.inner(x))
""",
        "Outer(16, 16)",
    ),
    "no class around it": Good(
        """
def make(into, out):
    return nn.Sequential(nn.Conv2d(into, out, 1), nn.BatchNorm2d(into))
""",
        "make(16, 16)",
    ),
    "a multiple by construction": Good(
        """
class Block(nn.Module):
    def __init__(self, into, multiplier):
        super().__init__()
        self.conv = nn.Conv2d(into, multiplier * into, 3, groups=into)
        self.norm = nn.BatchNorm2d(into * multiplier)
    def forward(self, x):
        return self.norm(self.conv(x))
""",
        "Block(16, 1)",
    ),
    "a checked multiple": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        assert out % into == 0
        self.conv = nn.Conv2d(into, out, 3, groups=into)
    def forward(self, x):
        return self.conv(x)
""",
        "Block(16, 32)",
    ),
    "groups as a parameter": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, groups=groups)
        self.more = nn.Conv2d(out, out, 1, groups=math.gcd(into, out))
    def forward(self, x):
        return self.more(self.conv(x))
""",
        "Block(16, 16, groups=16)",
    ),
    "depthwise with a residual": Good(
        """
class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, padding=1, groups=into)
    def forward(self, x):
        return x + self.conv(x)
""",
        "Block(16, 16)",
    ),
}


def module(source: str, file: Path) -> dict[str, Any]:
    """The names of a file with that source."""
    file.write_text(source, encoding="utf-8")
    names: dict[str, Any] = {"__name__": file.stem}
    exec(compile(source, str(file), "exec"), names)  # noqa: S102
    return names


def example(channels: int, rank: int = 4) -> torch.Tensor:
    import torch  # only tests that run models need it

    return torch.zeros(2, channels, *[8] * (rank - 2))


def recorded(model: torch.nn.Module, given: torch.Tensor) -> Graph:
    from convlint.runtime.record import provenance
    from convlint.runtime.record.record import record

    return provenance.annotate(record(model, (given,)).graph(), model)


def traced(source: str, call: str, given: torch.Tensor, file: Path) -> Graph:
    from convlint.runtime.build import construction_sites, symbolic_build

    names = module(source, file)
    with construction_sites.WatchedConstruction(), symbolic_build.symbolic_arguments():
        model = eval(call, names)  # noqa: S307
    graph = recorded(model, given)
    assert graph.status == "complete"
    return graph


def found(graph: Graph) -> list[Finding]:
    return [*LatentNormChannels().check(graph), *LatentGroups().check(graph)]


def edited(source: str, edit: Edit) -> str:
    """The source with an edit of one line made."""
    lines = source.splitlines(keepends=True)
    site = edit.site
    assert site.line == site.end_line
    line = lines[site.line - 1]
    lines[site.line - 1] = line[: site.column - 1] + edit.text + line[site.end_column - 1 :]
    return "".join(lines)


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_found(case: Bad, tmp_path: Path) -> None:
    source = HEAD + case.source
    graph = traced(source, case.works, example(case.channels[0], case.rank), tmp_path / "net.py")
    reported = {(f.site.line, f.code) for f in found(graph) if f.site is not None}
    marked = {(number, line[-6:]) for number, line in enumerate(source.splitlines(), 1) if "  # CVL" in line}
    assert reported == marked


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_what_is_found_fails_with_other_numbers(case: Bad, tmp_path: Path) -> None:
    names = module(HEAD + case.source, tmp_path / "net.py")
    with pytest.raises((RuntimeError, ValueError)):
        eval(case.fails, names)(example(case.channels[1], case.rank))  # noqa: S307


@pytest.mark.parametrize("case", [c for c in BAD.values() if "CVL201" in c.source])
def test_a_fix_mends_it(case: Bad, tmp_path: Path) -> None:
    source = HEAD + case.source
    file = tmp_path / "net.py"
    graph = traced(source, case.works, example(case.channels[0], case.rank), file)
    norms = list(LatentNormChannels().check(graph))
    fixes = {f.fix for f in norms if f.fix is not None}
    assert {fix.applicability for fix in fixes} == {"safe" if case.fixed else "display"}
    edits = {edit for fix in fixes for edit in fix.edits}
    assert len(edits) == case.fixed
    for edit in edits:
        source = edited(source, edit)
        names = module(source, file)
        assert eval(case.works, names)(example(case.channels[0], case.rank)) is not None  # noqa: S307
        assert eval(case.fails, names)(example(case.channels[1], case.rank)) is not None  # noqa: S307


@pytest.mark.slow
@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD)
def test_silent(case: Good, tmp_path: Path) -> None:
    given = example(case.channels)
    assert found(traced(HEAD + case.source, case.works, given, tmp_path / "net.py")) == []


def test_the_message_names_both_expressions_and_both_lines(tmp_path: Path) -> None:
    case = BAD["plain"]
    graph = traced(HEAD + case.source, case.works, example(16), tmp_path / "net.py")
    (finding,) = found(graph)
    assert "`in_planes`" in finding.message
    assert "`out_planes`" in finding.message
    assert finding.severity == "warning"
    assert finding.site == graph.layer("norm").site
    assert [related.site for related in finding.related] == [graph.layer("conv").site]


def test_the_groups_message_is_a_condition(tmp_path: Path) -> None:
    case = BAD["one group a channel"]
    graph = traced(HEAD + case.source, case.works, example(16), tmp_path / "net.py")
    (finding,) = found(graph)
    assert "`out % into == 0`" in finding.message
    assert finding.severity == "info"


def test_nothing_is_known_of_a_model_built_plainly(tmp_path: Path) -> None:
    case = BAD["plain"]
    model = eval(case.works, module(HEAD + case.source, tmp_path / "net.py"))  # noqa: S307
    assert found(recorded(model, example(16))) == []
