"""Norms that are as wide as the wrong parameter: CVL201, in every way of writing it."""

from __future__ import annotations

from tests.rules.latent_case import Case

CASES = (
    Case(
        "global depthwise",
        """\
import torch
from torch import nn


class GDConv(nn.Module):
    def __init__(self, in_planes, out_planes, kernel_size, padding, bias=False):
        super().__init__()
        self.conv = nn.Conv2d(  # CVL202
            in_planes, out_planes, kernel_size, padding=padding, groups=in_planes, bias=bias
        )
        self.bn = nn.BatchNorm2d(in_planes)  # CVL201

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x))
""",
        works=(("GDConv(8, 8, 7, 0)", (2, 8, 7, 7)),),
        fails=(("GDConv(4, 8, 7, 0)", (2, 4, 7, 7)), ("GDConv(8, 4, 7, 0)", (2, 8, 7, 7))),
    ),
    Case(
        "plain conv and norm",
        """\
import torch.nn as nn


class ConvBlock(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1):
        super(ConvBlock, self).__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2)
        self.bn = nn.BatchNorm2d(in_channels)  # CVL201
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.conv(x)
        x = self.bn(x)
        return self.relu(x)
""",
        works=(("ConvBlock(8, 8)", (2, 8, 9, 9)),),
        fails=(("ConvBlock(8, 16)", (2, 8, 9, 9)),),
    ),
    Case(
        "instance norm behind activation and dropout",
        """\
from torch.nn import Conv2d, Dropout2d, InstanceNorm2d, LeakyReLU, Module


class Encode(Module):
    def __init__(self, c_in, c_out, p=0.1):
        super().__init__()
        self.conv = Conv2d(c_in, c_out, 3, padding=1)
        self.act = LeakyReLU(0.2)
        self.drop = Dropout2d(p)
        self.norm = InstanceNorm2d(c_in, affine=True)  # CVL201

    def forward(self, x):
        return self.norm(self.drop(self.act(self.conv(x))))
""",
        works=(("Encode(4, 4)", (2, 4, 8, 8)),),
        fails=(("Encode(4, 6)", (2, 4, 8, 8)),),
    ),
    Case(
        "group norm behind pooling",
        """\
import torch.nn.functional as F
from torch import nn


class Down(nn.Module):
    def __init__(self, into, out, groups=4):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, padding=1)
        self.norm = nn.GroupNorm(groups, into)  # CVL201

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.norm(x)
""",
        works=(("Down(8, 8)", (2, 8, 8, 8)),),
        fails=(("Down(8, 16)", (2, 8, 8, 8)),),
    ),
    Case(
        "sequential body",
        """\
from torch import nn


class DoubleConv(nn.Module):
    def __init__(self, in_ch, mid_ch, out_ch):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_ch, mid_ch, 3, padding=1, bias=False),
            nn.BatchNorm2d(mid_ch),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_ch, out_ch, 3, padding=1, bias=False),
            nn.BatchNorm2d(mid_ch),  # CVL201
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)
""",
        works=(("DoubleConv(3, 8, 8)", (2, 3, 8, 8)),),
        fails=(("DoubleConv(3, 8, 16)", (2, 3, 8, 8)),),
    ),
    Case(
        "optional middle width",
        """\
from torch import nn


class DoubleConv(nn.Module):
    def __init__(self, in_channels, out_channels, mid_channels=None):
        super().__init__()
        if not mid_channels:
            mid_channels = out_channels
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),  # CVL201
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x):
        return self.conv(x)
""",
        works=(("DoubleConv(3, 8)", (2, 3, 8, 8)), ("DoubleConv(3, 8, 8)", (2, 3, 8, 8))),
        fails=(("DoubleConv(3, 8, 4)", (2, 3, 8, 8)),),
    ),
    Case(
        "loop over widths",
        """\
from torch import nn


class Encoder(nn.Module):
    def __init__(self, in_channels, hidden, depth=3):
        super().__init__()
        layers = []
        channels = in_channels
        for _ in range(depth):
            layers.append(nn.Conv2d(channels, hidden, 3, padding=1))
            layers.append(nn.BatchNorm2d(channels))  # CVL201
            layers.append(nn.ReLU())
            channels = hidden
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)
""",
        works=(("Encoder(8, 8)", (2, 8, 8, 8)),),
        fails=(("Encoder(3, 8)", (2, 3, 8, 8)),),
    ),
    Case(
        "make layer",
        """\
from torch import nn


class ResNetLike(nn.Module):
    def __init__(self, width=16, outer=16, blocks=(2, 2)):
        super().__init__()
        self.inplanes = width
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.layer1 = self._make_layer(width, blocks[0])
        self.layer2 = self._make_layer(outer, blocks[1], stride=2)

    def _make_layer(self, planes, blocks, stride=1):
        layers = [
            nn.Conv2d(self.inplanes, planes, 3, stride, 1, bias=False),
            nn.BatchNorm2d(self.inplanes),  # CVL201
            nn.ReLU(inplace=True),
        ]
        self.inplanes = planes
        for _ in range(1, blocks):
            layers += [nn.Conv2d(planes, planes, 3, 1, 1), nn.BatchNorm2d(planes), nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, x):
        return self.layer2(self.layer1(self.stem(x)))
""",
        works=(("ResNetLike()", (2, 3, 8, 8)),),
        fails=(("ResNetLike(16, 32)", (2, 3, 8, 8)),),
    ),
    Case(
        "helper function",
        """\
import torch.nn as nn


def conv3x3(in_planes, out_planes, stride=1):
    return nn.Conv2d(in_planes, out_planes, 3, stride=stride, padding=1, bias=False)


class Transition(nn.Module):
    def __init__(self, inplanes, planes, stride=1):
        super().__init__()
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(inplanes)  # CVL201

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)))
""",
        works=(("Transition(8, 8)", (2, 8, 8, 8)),),
        fails=(("Transition(8, 16)", (2, 8, 8, 8)),),
    ),
    Case(
        "helper that builds both",
        """\
from torch import nn


class Tower(nn.Module):
    def __init__(self, channels, out_channels):
        super().__init__()

        def unit(a, b, k):
            return nn.Sequential(
                nn.Conv2d(a, b, k, padding=k // 2),
                nn.BatchNorm2d(a),  # CVL201
                nn.ReLU(),
            )

        self.body = nn.Sequential(unit(channels, channels, 3), unit(channels, out_channels, 1))

    def forward(self, x):
        return self.body(x)
""",
        works=(("Tower(8, 8)", (2, 8, 8, 8)),),
        fails=(("Tower(8, 4)", (2, 8, 8, 8)),),
    ),
    Case(
        "alias of the wrong one",
        """\
from torch import nn


class Project(nn.Module):
    def __init__(self, inp, oup):
        super().__init__()
        c = inp
        self.out_channels = oup
        self.proj = nn.Conv2d(c, self.out_channels, 1)
        self.norm = nn.BatchNorm2d(c)  # CVL201

    def forward(self, x):
        return self.norm(self.proj(x))
""",
        works=(("Project(8, 8)", (2, 8, 4, 4)),),
        fails=(("Project(8, 4)", (2, 8, 4, 4)),),
    ),
    Case(
        "keyword arguments out of order",
        """\
import torch.nn as n


class Stem(n.Module):
    def __init__(self, *, channels_in=16, channels_out=16, kernel=7):
        super().__init__()
        self.conv = n.Conv2d(
            kernel_size=kernel, out_channels=channels_out, in_channels=channels_in, padding=kernel // 2
        )
        self.norm = n.BatchNorm2d(eps=1e-3, num_features=channels_in)  # CVL201

    def forward(self, x):
        return self.norm(self.conv(x)).relu()
""",
        works=(("Stem()", (2, 16, 8, 8)),),
        fails=(("Stem(channels_in=3)", (2, 3, 8, 8)),),
    ),
    Case(
        "partial",
        """\
from functools import partial

from torch import nn

Norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
conv1x1 = partial(nn.Conv2d, kernel_size=1, bias=False)


class Bottle(nn.Module):
    def __init__(self, dim, hidden_dim):
        super().__init__()
        self.reduce = conv1x1(dim, hidden_dim)
        self.norm1 = Norm(dim)  # CVL201
        self.expand = conv1x1(hidden_dim, dim)
        self.norm2 = Norm(dim)

    def forward(self, x):
        return self.norm2(self.expand(self.norm1(self.reduce(x)).relu()))
""",
        works=(("Bottle(8, 8)", (2, 8, 4, 4)),),
        fails=(("Bottle(8, 2)", (2, 8, 4, 4)),),
    ),
    Case(
        "norm layer argument",
        """\
from torch import nn


class Upsampler(nn.Module):
    def __init__(self, in_channels, out_channels, norm_layer=None, act_layer=nn.ReLU):
        super().__init__()
        if norm_layer is None:
            norm_layer = nn.BatchNorm2d
        self.up = nn.Upsample(scale_factor=2)
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm = norm_layer(in_channels)  # CVL201
        self.act = act_layer()

    def forward(self, x):
        return self.act(self.norm(self.conv(self.up(x))))
""",
        works=(("Upsampler(8, 8)", (2, 8, 4, 4)),),
        fails=(("Upsampler(8, 4)", (2, 8, 4, 4)),),
    ),
    Case(
        "subclassed sequential",
        """\
from torch import nn


class ConvBNReLU(nn.Sequential):
    def __init__(self, in_planes, out_planes, kernel_size=3, stride=1, groups=1):
        padding = (kernel_size - 1) // 2
        super().__init__(
            nn.Conv2d(in_planes, out_planes, kernel_size, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(in_planes),  # CVL201
            nn.ReLU6(inplace=True),
        )
""",
        works=(("ConvBNReLU(8, 8)", (2, 8, 8, 8)),),
        fails=(("ConvBNReLU(3, 8)", (2, 3, 8, 8)),),
    ),
    Case(
        "sequential filled by add_module",
        """\
from torch import nn


class DenseTransition(nn.Sequential):
    def __init__(self, num_input_features, num_output_features):
        super().__init__()
        self.add_module("conv", nn.Conv2d(num_input_features, num_output_features, 1, bias=False))
        self.add_module("norm", nn.BatchNorm2d(num_input_features))  # CVL201
        self.add_module("relu", nn.ReLU(inplace=True))
        self.add_module("pool", nn.AvgPool2d(2, 2))
""",
        works=(("DenseTransition(8, 8)", (2, 8, 8, 8)),),
        fails=(("DenseTransition(8, 4)", (2, 8, 8, 8)),),
    ),
    Case(
        "ordered dict",
        """\
from collections import OrderedDict

from torch import nn


class Squeeze(nn.Module):
    def __init__(self, inplanes, squeeze_planes):
        super().__init__()
        self.net = nn.Sequential(
            OrderedDict(
                [
                    ("conv", nn.Conv2d(inplanes, squeeze_planes, 1)),
                    ("act", nn.ReLU()),
                    ("norm", nn.BatchNorm2d(inplanes)),  # CVL201
                ]
            )
        )

    def forward(self, x):
        return self.net(x)
""",
        works=(("Squeeze(8, 8)", (2, 8, 4, 4)),),
        fails=(("Squeeze(8, 2)", (2, 8, 4, 4)),),
    ),
    Case(
        "module lists zipped",
        """\
from torch import nn


class Multi(nn.Module):
    def __init__(self, in_channels, width, n=2):
        super().__init__()
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.convs = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(n)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(in_channels) for _ in range(n)])  # CVL201

    def forward(self, x):
        x = self.first(x)
        for conv, norm in zip(self.convs, self.norms):
            x = norm(conv(x)).relu()
        return x
""",
        works=(("Multi(8, 8)", (2, 8, 6, 6)),),
        fails=(("Multi(3, 8)", (2, 3, 6, 6)),),
    ),
    Case(
        "dataclass config",
        """\
from dataclasses import dataclass

from torch import nn


@dataclass
class Config:
    in_channels: int = 3
    embed_dim: int = 32
    hidden_dim: int = 32
    kernel_size: int = 3


class Patch(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        pad = config.kernel_size // 2
        self.embed = nn.Conv2d(config.in_channels, config.embed_dim, config.kernel_size, padding=pad)
        self.hidden = nn.Conv2d(config.embed_dim, config.hidden_dim, 1)
        self.norm = nn.BatchNorm2d(config.embed_dim)  # CVL201

    def forward(self, x):
        return self.norm(self.hidden(self.embed(x)))
""",
        works=(("Patch(Config())", (2, 3, 8, 8)),),
        fails=(("Patch(Config(hidden_dim=16))", (2, 3, 8, 8)),),
    ),
    Case(
        "expand ratio",
        """\
from torch import nn


class MBConv(nn.Module):
    def __init__(self, inp, oup, expand_ratio=1):
        super().__init__()
        hidden = inp * expand_ratio
        self.expand = nn.Conv2d(inp, hidden, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inp)  # CVL201
        self.dw = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False)
        self.bn2 = nn.BatchNorm2d(hidden)
        self.project = nn.Conv2d(hidden, oup, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(oup)
        self.act = nn.SiLU()

    def forward(self, x):
        x = self.act(self.bn1(self.expand(x)))
        x = self.act(self.bn2(self.dw(x)))
        return self.bn3(self.project(x))
""",
        works=(("MBConv(8, 12)", (2, 8, 6, 6)),),
        fails=(("MBConv(8, 12, 4)", (2, 8, 6, 6)),),
    ),
    Case(
        "make divisible",
        """\
from torch import nn


def make_divisible(v, divisor=8, min_value=None):
    if min_value is None:
        min_value = divisor
    new_v = max(min_value, int(v + divisor / 2) // divisor * divisor)
    if new_v < 0.9 * v:
        new_v += divisor
    return new_v


class Head(nn.Module):
    def __init__(self, in_channels, width_mult=1.0):
        super().__init__()
        channels = make_divisible(in_channels * width_mult)
        self.conv = nn.Conv2d(in_channels, channels, 1)
        self.bn = nn.BatchNorm2d(in_channels)  # CVL201

    def forward(self, x):
        return self.bn(self.conv(x))
""",
        works=(("Head(16)", (2, 16, 4, 4)),),
        fails=(("Head(16, 0.5)", (2, 16, 4, 4)),),
    ),
    Case(
        "transposed",
        """\
from torch import nn


class Generator(nn.Module):
    def __init__(self, nz, ngf, nc):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(nz),  # CVL201
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, x):
        return self.main(x)
""",
        works=(("Generator(8, 8, 3)", (2, 8, 1, 1)),),
        fails=(("Generator(8, 4, 3)", (2, 8, 1, 1)),),
    ),
    Case(
        "one dimension",
        """\
from torch import nn


class TemporalBlock(nn.Module):
    def __init__(self, n_inputs, n_outputs, kernel_size, dilation):
        super().__init__()
        padding = (kernel_size - 1) * dilation // 2
        self.conv1 = nn.Conv1d(n_inputs, n_outputs, kernel_size, padding=padding, dilation=dilation)
        self.norm1 = nn.BatchNorm1d(n_inputs)  # CVL201
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.norm1(self.conv1(x)))
""",
        works=(("TemporalBlock(4, 4, 3, 2)", (2, 4, 16)),),
        fails=(("TemporalBlock(4, 8, 3, 2)", (2, 4, 16)),),
    ),
    Case(
        "three dimensions",
        """\
from torch import nn


class VoxBlock(nn.Module):
    def __init__(self, in_chs, out_chs):
        super().__init__()
        self.block = nn.Sequential()
        self.block.append(nn.Conv3d(in_chs, out_chs, 3, padding="same"))
        self.block.append(nn.ELU())
        self.block.append(nn.BatchNorm3d(in_chs))  # CVL201

    def forward(self, x):
        return self.block(x)
""",
        works=(("VoxBlock(2, 2)", (2, 2, 4, 4, 4)),),
        fails=(("VoxBlock(2, 3)", (2, 2, 4, 4, 4)),),
    ),
    Case(
        "base class builds the conv",
        """\
from torch import nn


class Base(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(self, x):
        return self.conv(x)


class Normed(Base):
    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels, out_channels)
        self.norm = nn.BatchNorm2d(in_channels)  # CVL201

    def forward(self, x):
        return self.norm(super().forward(x))
""",
        works=(("Normed(8, 8)", (2, 8, 5, 5)),),
        fails=(("Normed(8, 4)", (2, 8, 5, 5)),),
    ),
    Case(
        "keyword arguments handed on",
        """\
from torch import nn


class NormConv(nn.Module):
    def __init__(self, in_channels, out_channels, **kwargs):
        super().__init__()
        kwargs.setdefault("bias", False)
        self.conv = nn.Conv2d(in_channels, out_channels, **kwargs)
        self.bn = nn.BatchNorm2d(in_channels, eps=0.001)  # CVL201

    def forward(self, x):
        return nn.functional.relu(self.bn(self.conv(x)), inplace=True)
""",
        works=(("NormConv(8, 8, kernel_size=3)", (2, 8, 5, 5)),),
        fails=(("NormConv(8, 4, kernel_size=3)", (2, 8, 5, 5)),),
    ),
    Case(
        "a switch chooses the norm",
        """\
from torch import nn


class AnyNorm(nn.Module):
    def __init__(self, in_dim, out_dim, norm="bn"):
        super().__init__()
        self.conv = nn.Conv2d(in_dim, out_dim, 3, padding=1)
        if norm == "bn":
            self.norm = nn.BatchNorm2d(out_dim)
        elif norm == "in":
            self.norm = nn.InstanceNorm2d(in_dim, affine=True)  # CVL201
        else:
            self.norm = nn.Identity()

    def forward(self, x):
        return self.norm(self.conv(x))
""",
        works=(
            ("AnyNorm(4, 4, 'in')", (2, 4, 5, 5)),
            ("AnyNorm(4, 8)", (2, 4, 5, 5)),
            ("AnyNorm(4, 8, None)", (2, 4, 5, 5)),
        ),
        fails=(("AnyNorm(4, 8, 'in')", (2, 4, 5, 5)),),
    ),
    Case(
        "split widths",
        """\
import torch
from torch import nn


class HalfConv(nn.Module):
    def __init__(self, channels, out_channels):
        super().__init__()
        self.half = channels // 2
        self.conv = nn.Conv2d(self.half, out_channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(self.half)  # CVL201

    def forward(self, x):
        left, right = torch.split(x, self.half, dim=1)
        return torch.cat([left, self.norm(self.conv(right))], 1)
""",
        works=(("HalfConv(8, 4)", (2, 8, 5, 5)),),
        fails=(("HalfConv(8, 6)", (2, 8, 5, 5)),),
    ),
    Case(
        "norm through functional calls",
        """\
import torch.nn.functional as F
from torch import nn


class Attend(nn.Module):
    def __init__(self, dim, heads_dim, scale=2):
        super().__init__()
        self.to_v = nn.Conv2d(dim, heads_dim, 1)
        self.norm = nn.GroupNorm(1, dim)  # CVL201

    def forward(self, x):
        v = self.to_v(x)
        v = F.interpolate(v, scale_factor=2, mode="nearest")
        v = F.dropout(F.gelu(v), 0.1, self.training)
        return self.norm(v.contiguous())
""",
        works=(("Attend(6, 6)", (2, 6, 4, 4)),),
        fails=(("Attend(6, 4)", (2, 6, 4, 4)),),
    ),
    Case(
        "literal norm behind a parameter",
        """\
from torch import nn


class SmallNet(nn.Module):
    def __init__(self, num_classes=10, width=64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(64)  # CVL201|CVL205
        self.conv2 = nn.Conv2d(width, width * 2, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(width * 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width * 2, num_classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        return self.fc(self.pool(x).flatten(1))
""",
        works=(("SmallNet()", (2, 3, 8, 8)), ("SmallNet(5)", (2, 3, 8, 8))),
        fails=(("SmallNet(width=32)", (2, 3, 8, 8)),),
    ),
    Case(
        "twice the half",
        """\
from torch import nn


class Reduce(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.left = nn.Conv2d(in_channels, 2 * (in_channels // 2), 1, bias=False)
        self.norm = nn.BatchNorm2d(in_channels)  # CVL201

    def forward(self, x):
        return self.norm(self.left(x))
""",
        works=(("Reduce(8)", (2, 8, 4, 4)),),
        fails=(("Reduce(7)", (2, 7, 4, 4)),),
    ),
)
