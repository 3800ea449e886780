"""Convolutions, groups, arguments and containers that are wrong for some of what a class accepts:
CVL202, CVL203, CVL205, CVL206, and contracts that a call in the file breaks.
"""

from __future__ import annotations

from tests.rules.latent_case import Case

CASES = (
    Case(
        "conv reads the class's input width",
        """\
from torch import nn


class TwoConvs(nn.Module):
    def __init__(self, in_channels, hidden, out_channels):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, hidden, 3, padding=1)
        self.conv2 = nn.Conv2d(in_channels, out_channels, 3, padding=1)  # CVL203

    def forward(self, x):
        return self.conv2(self.conv1(x).relu())
""",
        works=(("TwoConvs(8, 8, 4)", (2, 8, 6, 6)),),
        fails=(("TwoConvs(3, 8, 4)", (2, 3, 6, 6)),),
    ),
    Case(
        "conv behind conv and norm in sequential",
        """\
import torch.nn as nn


class Bottleneck(nn.Module):
    def __init__(self, cin, mid, cout):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(cin, mid, 1, bias=False),
            nn.BatchNorm2d(mid),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid, mid, 3, padding=1, bias=False),
            nn.BatchNorm2d(mid),
            nn.ReLU(inplace=True),
            nn.Conv2d(cin, cout, 1, bias=False),  # CVL203
            nn.BatchNorm2d(cout),
        )

    def forward(self, x):
        return self.body(x)
""",
        works=(("Bottleneck(8, 8, 16)", (2, 8, 6, 6)),),
        fails=(("Bottleneck(8, 4, 16)", (2, 8, 6, 6)),),
    ),
    Case(
        "linear behind global pooling",
        """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self, in_channels, feat_dim, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, feat_dim, 3, padding=1),
            nn.BatchNorm2d(feat_dim),
            nn.ReLU(),
        )
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(in_channels, num_classes)  # CVL203

    def forward(self, x):
        x = self.pool(self.features(x))
        return self.fc(torch.flatten(x, 1))
""",
        works=(("Classifier(8, 8, 10)", (2, 8, 6, 6)),),
        fails=(("Classifier(3, 8, 10)", (2, 3, 6, 6)),),
    ),
    Case(
        "linear behind a mean over the map",
        """\
from torch import nn


class Embed(nn.Module):
    def __init__(self, width, dim, classes):
        super().__init__()
        self.conv = nn.Conv2d(width, dim, 3)
        self.head = nn.Linear(width, classes)  # CVL203

    def forward(self, x):
        x = self.conv(x).relu()
        return self.head(x.mean(dim=(2, 3)))
""",
        works=(("Embed(4, 4, 3)", (2, 4, 6, 6)),),
        fails=(("Embed(4, 8, 3)", (2, 4, 6, 6)),),
    ),
    Case(
        "linear behind linear",
        """\
import torch.nn.functional as F
from torch import nn


class Head(nn.Module):
    def __init__(self, in_planes, hidden, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(in_planes, hidden, 1)
        self.fc1 = nn.Linear(hidden, hidden * 2)
        self.fc2 = nn.Linear(in_planes * 2, num_classes)  # CVL203

    def forward(self, x):
        x = F.adaptive_avg_pool2d(F.relu(self.conv(x)), 1)
        x = x.view(x.size(0), -1)
        return self.fc2(F.relu(self.fc1(x)))
""",
        works=(("Head(4, 4, 3)", (2, 4, 6, 6)),),
        fails=(("Head(4, 8, 3)", (2, 4, 6, 6)),),
    ),
    Case(
        "forgotten cat",
        """\
import torch
from torch import nn


class Fuse(nn.Module):
    def __init__(self, channels, growth):
        super().__init__()
        self.grow = nn.Conv2d(channels, growth, 3, padding=1)
        self.expand = nn.Conv2d(channels, channels, 1)
        self.merge = nn.Conv2d(channels * 2, channels, 1)  # CVL203

    def forward(self, x):
        return self.merge(torch.cat([self.expand(x), self.grow(x)], dim=1))
""",
        works=(("Fuse(8, 8)", (2, 8, 6, 6)),),
        fails=(("Fuse(8, 4)", (2, 8, 6, 6)),),
    ),
    Case(
        "dense layers with a forgotten growth",
        """\
import torch
from torch import nn


class DenseBlock(nn.Module):
    def __init__(self, width, growth_rate):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.conv1 = nn.Conv2d(width, growth_rate, 3, padding=1)
        self.conv2 = nn.Conv2d(width + growth_rate, growth_rate, 3, padding=1)
        self.conv3 = nn.Conv2d(width + growth_rate * 2, growth_rate, 3, padding=1)
        self.out = nn.Conv2d(width * 4, 10, 1)  # CVL203

    def forward(self, x):
        x0 = self.stem(x)
        x1 = self.conv1(x0)
        x2 = self.conv2(torch.cat((x0, x1), 1))
        x3 = self.conv3(torch.cat((x0, x1, x2), 1))
        return self.out(torch.cat((x0, x1, x2, x3), 1))
""",
        works=(("DenseBlock(4, 4)", (2, 3, 6, 6)),),
        fails=(("DenseBlock(8, 4)", (2, 3, 6, 6)),),
    ),
    Case(
        "norm over branches put together",
        """\
import torch
from torch import nn


class Pyramid(nn.Module):
    def __init__(self, in_channels, branch_channels):
        super().__init__()
        self.b1 = nn.Conv2d(in_channels, branch_channels, 1)
        self.b2 = nn.Conv2d(in_channels, branch_channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(in_channels * 2)  # CVL201|CVL203

    def forward(self, x):
        return self.norm(torch.cat([self.b1(x), self.b2(x)], dim=1)).relu()
""",
        works=(("Pyramid(8, 8)", (2, 8, 6, 6)),),
        fails=(("Pyramid(8, 4)", (2, 8, 6, 6)),),
    ),
    Case(
        "a transposed pair",
        """\
from torch import nn


class Decoder(nn.Module):
    def __init__(self, latent, base):
        super().__init__()
        self.up1 = nn.ConvTranspose2d(latent, base * 2, 2, stride=2)
        self.up2 = nn.ConvTranspose2d(latent, base, 2, stride=2)  # CVL203
        self.out = nn.Conv2d(base, 3, 1)

    def forward(self, z):
        return self.out(self.up2(self.up1(z).relu()).relu()).sigmoid()
""",
        works=(("Decoder(8, 4)", (2, 8, 2, 2)),),
        fails=(("Decoder(8, 8)", (2, 8, 2, 2)),),
    ),
    Case(
        "one dimensional pair",
        """\
from torch import nn


class Wave(nn.Module):
    def __init__(self, residual_channels, skip_channels, out_channels):
        super().__init__()
        self.skip = nn.Conv1d(residual_channels, skip_channels, 1)
        self.end = nn.Conv1d(residual_channels, out_channels, 1)  # CVL203

    def forward(self, x):
        return self.end(self.skip(x).relu())
""",
        works=(("Wave(4, 4, 2)", (2, 4, 9)),),
        fails=(("Wave(4, 8, 2)", (2, 4, 9)),),
    ),
    Case(
        "squeeze and excite of the wrong width",
        """\
from torch import nn


class SEConv(nn.Module):
    def __init__(self, in_channels, out_channels, reduction=4):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(in_channels, out_channels // reduction, 1)  # CVL203
        self.fc2 = nn.Conv2d(out_channels // reduction, out_channels, 1)

    def forward(self, x):
        x = self.conv(x)
        scale = self.fc2(self.fc1(self.pool(x)).relu()).sigmoid()
        return x * scale
""",
        works=(("SEConv(8, 8)", (2, 8, 6, 6)),),
        fails=(("SEConv(4, 8)", (2, 4, 6, 6)),),
    ),
    Case(
        "shuffled pixels counted once",
        """\
from torch import nn


class SubPixel(nn.Module):
    def __init__(self, channels, feats, scale=2):
        super().__init__()
        self.conv = nn.Conv2d(channels, feats * scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)
        self.tail = nn.Conv2d(channels, 3, 3, padding=1)  # CVL203

    def forward(self, x):
        return self.tail(self.shuffle(self.conv(x)))
""",
        works=(("SubPixel(4, 4)", (2, 4, 4, 4)), ("SubPixel(4, 4, 3)", (2, 4, 4, 4))),
        fails=(("SubPixel(4, 8)", (2, 4, 4, 4)),),
    ),
    Case(
        "depthwise with free output",
        """\
from torch import nn


class Depthwise(nn.Module):
    def __init__(self, in_planes, out_planes, stride=1):
        super().__init__()
        self.dw = nn.Conv2d(in_planes, out_planes, 3, stride, 1, groups=in_planes)  # CVL202
        self.bn = nn.BatchNorm2d(out_planes)

    def forward(self, x):
        return self.bn(self.dw(x)).relu()
""",
        works=(("Depthwise(4, 4)", (2, 4, 6, 6)), ("Depthwise(4, 8)", (2, 4, 6, 6))),
        fails=(("Depthwise(4, 6)", (2, 4, 6, 6)),),
    ),
    Case(
        "depthwise with free output in one dimension",
        """\
from torch.nn import BatchNorm1d, Conv1d, ReLU, Sequential


class Separable(Sequential):
    def __init__(self, channels, features, k=5):
        super().__init__(
            Conv1d(channels, features, k, padding=k // 2, groups=channels),  # CVL202
            BatchNorm1d(features),
            ReLU(),
        )
""",
        works=(("Separable(4, 12)", (2, 4, 16)),),
        fails=(("Separable(4, 6)", (2, 4, 16)),),
    ),
    Case(
        "helper with groups",
        """\
from torch import nn


def depthwise(inp, oup, k):
    return nn.Conv2d(inp, oup, k, padding=k // 2, groups=inp, bias=False)  # CVL202@a


class Mix(nn.Module):
    def __init__(self, dim, out):
        super().__init__()
        self.spatial = depthwise(dim, out, 7)  # CVL202@a
        self.mix = nn.Conv2d(out, out, 1)

    def forward(self, x):
        return self.mix(self.spatial(x))
""",
        works=(("Mix(4, 8)", (2, 4, 8, 8)),),
        fails=(("Mix(8, 4)", (2, 8, 8, 8)),),
    ),
    Case(
        "layers in a list",
        """\
from torch import nn


class Stack(nn.Module):
    def __init__(self, channels, depth=3):
        super().__init__()
        self.blocks = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth)]  # CVL206
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        for block in self.blocks:
            x = block(x).relu()
        return self.norm(x)
""",
        works=(("Stack(4)", (2, 4, 6, 6)),),
    ),
    Case(
        "layers in a dict",
        """\
from torch import nn


class Heads(nn.Module):
    def __init__(self, dim, classes):
        super().__init__()
        self.trunk = nn.Conv2d(3, dim, 3, padding=1)
        self.heads = {  # CVL206@a
            "label": nn.Conv2d(dim, classes, 1),  # CVL206@a
            "box": nn.Conv2d(dim, 4, 1),
        }

    def forward(self, x):
        x = self.trunk(x)
        return {name: head(x) for name, head in self.heads.items()}
""",
        works=(("Heads(8, 5)", (2, 3, 6, 6)),),
    ),
    Case(
        "layers appended to an attribute",
        """\
from torch import nn


class Convs(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.convs = []  # CVL206@a
        for a, b in zip(sizes, sizes[1:]):
            self.convs.append(nn.Conv2d(a, b, 3, padding=1))  # CVL206@a
        self.act = nn.ReLU()

    def forward(self, x):
        for conv in self.convs:
            x = self.act(conv(x))
        return x
""",
        works=(("Convs([3, 4, 5])", (2, 3, 6, 6)),),
    ),
    Case(
        "ignored width",
        """\
from torch import nn


class Stem(nn.Module):
    def __init__(self, in_channels, out_channels, hidden_channels=32):  # CVL205
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, x):
        return self.conv2(self.conv1(x).relu())
""",
        works=(("Stem(3, 8)", (2, 3, 6, 6)), ("Stem(3, 8, 4)", (2, 3, 6, 6))),
    ),
    Case(
        "ignored width that only gets its default",
        """\
from torch import nn


class Fuse(nn.Module):
    def __init__(self, in_channels, out_channels, hidden_channels=None):  # CVL205
        super().__init__()
        hidden_channels = hidden_channels or in_channels
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, x):
        return self.conv2(self.conv1(x).relu())
""",
        works=(("Fuse(3, 8)", (2, 3, 6, 6)), ("Fuse(3, 8, 4)", (2, 3, 6, 6))),
    ),
    Case(
        "ignored width behind a literal",
        """\
from torch import nn


class Backbone(nn.Module):
    def __init__(self, num_classes=10, width=64):  # CVL205
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
        )
        self.head = nn.Linear(64, num_classes)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))
""",
        works=(("Backbone()", (2, 3, 6, 6)), ("Backbone(width=16)", (2, 3, 6, 6))),
    ),
    Case(
        "ignored output width",
        """\
import torch.nn as nn


class Refine(nn.Module):
    def __init__(
        self,
        in_planes,
        out_planes,  # CVL205
        dropout=0.0,
    ):
        super().__init__()
        self.conv = nn.Conv2d(in_planes, in_planes, 3, padding=1)
        self.bn = nn.BatchNorm2d(in_planes)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        return self.drop(self.bn(self.conv(x)))
""",
        works=(("Refine(4, 4)", (2, 4, 6, 6)), ("Refine(4, 8)", (2, 4, 6, 6))),
    ),
    Case(
        "literal repeats a computed width",
        """\
from torch import nn


class Net(nn.Module):
    def __init__(self, base=32, num_classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, base, 3, padding=1)
        self.conv2 = nn.Conv2d(base, base * 2, 3, padding=1)
        self.conv3 = nn.Conv2d(64, base * 4, 3, padding=1)  # CVL203|CVL205
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(base * 4, num_classes)

    def forward(self, x):
        x = self.conv1(x).relu()
        x = self.conv2(x).relu()
        x = self.conv3(x).relu()
        return self.fc(self.pool(x).flatten(1))
""",
        works=(("Net()", (2, 3, 6, 6)), ("Net(num_classes=3)", (2, 3, 6, 6))),
        fails=(("Net(16)", (2, 3, 6, 6)),),
    ),
    Case(
        "residual called with two widths",
        """\
from torch import nn


class Residual(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x):
        return x + self.norm(self.conv(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.block1 = Residual(16, 16)
        self.block2 = Residual(16, 32)  # CVL1xx

    def forward(self, x):
        return self.block2(self.block1(self.stem(x)))
""",
        works=(("Residual(16, 16)", (2, 16, 6, 6)),),
        fails=(("Net()", (2, 3, 6, 6)),),
    ),
    Case(
        "missing downsample at a call",
        """\
from torch import nn


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x):
        identity = x
        out = self.bn1(self.conv1(x))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class Net(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.block1 = BasicBlock(8, 8)
        self.block2 = BasicBlock(8, 16, downsample=nn.Conv2d(8, 16, 1))
        self.block3 = BasicBlock(16, 24)  # CVL1xx
        self.fc = nn.Linear(24, num_classes)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.stem(x))))
        return self.fc(x.mean((2, 3)))
""",
        works=(("BasicBlock(8, 8)", (2, 8, 6, 6)), ("BasicBlock(8, 16, downsample=nn.Conv2d(8, 16, 1))", (2, 8, 6, 6))),
        fails=(("Net()", (2, 3, 6, 6)),),
    ),
    Case(
        "groups broken at a call",
        """\
from torch import nn


class Shuffle(nn.Module):
    def __init__(self, inp, oup, groups):
        super().__init__()
        self.gconv = nn.Conv2d(inp, oup, 1, groups=groups)
        self.bn = nn.BatchNorm2d(oup)

    def forward(self, x):
        return self.bn(self.gconv(x)).relu()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stage1 = Shuffle(24, 48, groups=3)
        self.stage2 = Shuffle(48, 100, groups=3)  # CVL1xx

    def forward(self, x):
        return self.stage2(self.stage1(x))
""",
        works=(("Shuffle(24, 48, 3)", (2, 24, 6, 6)),),
        fails=(("Net()", (2, 24, 6, 6)),),
    ),
    Case(
        "width argument passed to the wrong layer",
        """\
from torch import nn


class Unit(nn.Sequential):
    def __init__(self, inp, out, k=3):
        super().__init__(
            nn.Conv2d(inp, out, k, padding=k // 2), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
        )


class Branch(nn.Module):
    def __init__(self, c_in, c_red, c_out):
        super().__init__()
        self.reduce = Unit(c_in, c_red, 1)
        self.conv = Unit(c_in, c_out)  # CVL203

    def forward(self, x):
        return self.conv(self.reduce(x))
""",
        works=(("Branch(8, 8, 4)", (2, 8, 6, 6)),),
        fails=(("Branch(8, 4, 4)", (2, 8, 6, 6)),),
    ),
    Case(
        "norm in the caller of a block",
        """\
from torch import nn


class ConvAct(nn.Module):
    def __init__(self, nin, nout):
        super().__init__()
        self.conv = nn.Conv2d(nin, nout, 3, padding=1)
        self.act = nn.GELU()

    def forward(self, x):
        return self.act(self.conv(x))


class Stage(nn.Module):
    def __init__(self, dim_in, dim_out):
        super().__init__()
        self.block = ConvAct(dim_in, dim_out)
        self.norm = nn.BatchNorm2d(dim_in)  # CVL201

    def forward(self, x):
        return self.norm(self.block(x))
""",
        works=(("Stage(8, 8)", (2, 8, 6, 6)),),
        fails=(("Stage(8, 4)", (2, 8, 6, 6)),),
    ),
)
