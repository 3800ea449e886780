"""Correct blocks that look like the bad ones: nothing may be said of them."""

from __future__ import annotations

from tests.rules.latent_case import Case

CASES = (
    Case(
        "pre-activation",
        """\
import torch.nn.functional as F
from torch import nn


class PreActBlock(nn.Module):
    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_planes)
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=1, padding=1, bias=False)
        if stride != 1 or in_planes != planes:
            self.shortcut = nn.Sequential(nn.Conv2d(in_planes, planes, 1, stride=stride, bias=False))

    def forward(self, x):
        out = F.relu(self.bn1(x))
        shortcut = self.shortcut(out) if hasattr(self, "shortcut") else x
        out = self.conv1(out)
        out = self.conv2(F.relu(self.bn2(out)))
        out += shortcut
        return out
""",
        works=(("PreActBlock(8, 8)", (2, 8, 6, 6)), ("PreActBlock(8, 16, 2)", (2, 8, 6, 6))),
    ),
    Case(
        "assert equal widths",
        """\
from torch import nn


class Keep(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size=3):
        super().__init__()
        assert in_channels == out_channels, "this block keeps the width"
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding="same")
        self.norm = nn.BatchNorm2d(in_channels)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()
""",
        works=(("Keep(4, 4)", (2, 4, 6, 6)), ("Keep(6, 6, 5)", (2, 6, 6, 6))),
    ),
    Case(
        "raise for unequal widths",
        """\
from torch import nn


class Keep(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        if c_in != c_out:
            raise ValueError(f"{c_in} != {c_out}")
        self.body = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, padding=1),
            nn.GroupNorm(2, c_in),
            nn.Conv2d(c_in, c_out, 3, padding=1),
        )

    def forward(self, x):
        return self.body(x)
""",
        works=(("Keep(4, 4)", (2, 4, 6, 6)), ("Keep(6, 6)", (2, 6, 6, 6))),
    ),
    Case(
        "residual without a guard",
        """\
from torch import nn


class ResidualUnit(nn.Module):
    def __init__(self, in_dim, out_dim):
        super().__init__()
        self.conv = nn.Conv2d(in_dim, out_dim, 3, padding=1)
        self.norm = nn.BatchNorm2d(in_dim)

    def forward(self, x):
        return x + self.norm(self.conv(x))
""",
        works=(("ResidualUnit(4, 4)", (2, 4, 6, 6)), ("ResidualUnit(6, 6)", (2, 6, 6, 6))),
    ),
    Case(
        "residual with downsample",
        """\
import torch.nn as nn


def conv3x3(in_planes, out_planes, stride=1, groups=1, dilation=1):
    return nn.Conv2d(
        in_planes,
        out_planes,
        kernel_size=3,
        stride=stride,
        padding=dilation,
        groups=groups,
        bias=False,
        dilation=dilation,
    )


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inplanes, planes, stride=1, downsample=None, norm_layer=None):
        super().__init__()
        if norm_layer is None:
            norm_layer = nn.BatchNorm2d
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x):
        identity = x
        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)
        out = self.conv2(out)
        out = self.bn2(out)
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, block, layers, num_classes=10):
        super().__init__()
        self.inplanes = 8
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = self._make_layer(block, 8, layers[0])
        self.layer2 = self._make_layer(block, 16, layers[1], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16 * block.expansion, num_classes)

    def _make_layer(self, block, planes, blocks, stride=1):
        downsample = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Sequential(
                nn.Conv2d(self.inplanes, planes * block.expansion, 1, stride, bias=False),
                nn.BatchNorm2d(planes * block.expansion),
            )
        layers = [block(self.inplanes, planes, stride, downsample)]
        self.inplanes = planes * block.expansion
        for _ in range(1, blocks):
            layers.append(block(self.inplanes, planes))
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(x))
        x = self.avgpool(x).flatten(1)
        return self.fc(x)


def resnet10(**kwargs):
    return ResNet(BasicBlock, [1, 1], **kwargs)
""",
        works=(
            ("resnet10()", (2, 3, 16, 16)),
            ("ResNet(BasicBlock, [2, 3], num_classes=7)", (2, 3, 16, 16)),
            ("BasicBlock(8, 16, downsample=nn.Conv2d(8, 16, 1))", (2, 8, 4, 4)),
        ),
    ),
    Case(
        "bottleneck with expansion",
        """\
from typing import Optional

import torch
from torch import Tensor, nn


class Bottleneck(nn.Module):
    expansion: int = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = nn.Conv2d(inplanes, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(
            width, width, 3, stride, dilation, groups=groups, dilation=dilation, bias=False
        )
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, planes * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: Optional[nn.Module] = None
        if stride != 1 or inplanes != planes * self.expansion:
            self.downsample = nn.Sequential(
                nn.Conv2d(inplanes, planes * self.expansion, 1, stride, bias=False),
                nn.BatchNorm2d(planes * self.expansion),
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        identity = x if self.downsample is None else self.downsample(x)
        return self.relu(torch.add(out, identity))
""",
        works=(
            ("Bottleneck(8, 4)", (2, 8, 6, 6)),
            ("Bottleneck(16, 4)", (2, 16, 6, 6)),
            ("Bottleneck(6, 8, 2, groups=4, base_width=32)", (2, 6, 6, 6)),
        ),
    ),
    Case(
        "inverted residual",
        """\
from typing import Callable, List, Optional

from torch import nn


def _make_divisible(v, divisor, min_value=None):
    if min_value is None:
        min_value = divisor
    new_v = max(min_value, int(v + divisor / 2) // divisor * divisor)
    if new_v < 0.9 * v:
        new_v += divisor
    return new_v


class ConvBNReLU(nn.Sequential):
    def __init__(self, in_planes, out_planes, kernel_size=3, stride=1, groups=1, norm_layer=None):
        padding = (kernel_size - 1) // 2
        if norm_layer is None:
            norm_layer = nn.BatchNorm2d
        super().__init__(
            nn.Conv2d(in_planes, out_planes, kernel_size, stride, padding, groups=groups, bias=False),
            norm_layer(out_planes),
            nn.ReLU6(inplace=True),
        )


class InvertedResidual(nn.Module):
    def __init__(
        self,
        inp: int,
        oup: int,
        stride: int,
        expand_ratio: float,
        norm_layer: Optional[Callable[..., nn.Module]] = None,
    ):
        super().__init__()
        if stride not in [1, 2]:
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        if norm_layer is None:
            norm_layer = nn.BatchNorm2d
        hidden_dim = int(round(inp * expand_ratio))
        self.use_res_connect = stride == 1 and inp == oup
        layers: List[nn.Module] = []
        if expand_ratio != 1:
            layers.append(ConvBNReLU(inp, hidden_dim, kernel_size=1, norm_layer=norm_layer))
        layers.extend(
            [
                ConvBNReLU(
                    hidden_dim, hidden_dim, stride=stride, groups=hidden_dim, norm_layer=norm_layer
                ),
                nn.Conv2d(hidden_dim, oup, 1, 1, 0, bias=False),
                norm_layer(oup),
            ]
        )
        self.conv = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNet(nn.Module):
    def __init__(self, num_classes=10, width_mult=1.0, settings=None, round_nearest=8):
        super().__init__()
        input_channel = _make_divisible(16 * width_mult, round_nearest)
        last_channel = _make_divisible(64 * max(1.0, width_mult), round_nearest)
        if settings is None:
            settings = [[1, 8, 1, 1], [6, 16, 2, 2]]
        features = [ConvBNReLU(3, input_channel, stride=2)]
        for t, c, n, s in settings:
            output_channel = _make_divisible(c * width_mult, round_nearest)
            for i in range(n):
                stride = s if i == 0 else 1
                features.append(InvertedResidual(input_channel, output_channel, stride, t))
                input_channel = output_channel
        features.append(ConvBNReLU(input_channel, last_channel, kernel_size=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last_channel, num_classes))

    def forward(self, x):
        x = self.features(x)
        x = nn.functional.adaptive_avg_pool2d(x, (1, 1)).reshape(x.shape[0], -1)
        return self.classifier(x)
""",
        works=(
            ("InvertedResidual(8, 8, 1, 6)", (2, 8, 6, 6)),
            ("InvertedResidual(8, 16, 1, 1)", (2, 8, 6, 6)),
            ("InvertedResidual(8, 12, 2, 2.5)", (2, 8, 6, 6)),
            ("MobileNet()", (2, 3, 16, 16)),
            ("MobileNet(5, 0.5, [[2, 24, 1, 1]])", (2, 3, 16, 16)),
        ),
    ),
    Case(
        "separable as in MobileFaceNet",
        """\
import torch
from torch import nn


class DepthwiseSeparableConv(nn.Module):
    def __init__(self, in_planes, out_planes, kernel_size=3, stride=1, padding=1, bias=False):
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_planes, in_planes, kernel_size, stride, padding, groups=in_planes, bias=bias
        )
        self.bn1 = nn.BatchNorm2d(in_planes)
        self.relu1 = nn.PReLU(in_planes)
        self.pointwise = nn.Conv2d(in_planes, out_planes, kernel_size=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(out_planes)
        self.relu2 = nn.PReLU(out_planes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu1(self.bn1(self.depthwise(x)))
        return self.relu2(self.bn2(self.pointwise(x)))
""",
        works=(
            ("DepthwiseSeparableConv(4, 4)", (2, 4, 6, 6)),
            ("DepthwiseSeparableConv(4, 6, stride=2)", (2, 4, 6, 6)),
        ),
    ),
    Case(
        "depthwise with a multiplier",
        """\
from torch import nn


class Depthwise(nn.Module):
    def __init__(self, dim, multiplier=2, dim_out=None):
        super().__init__()
        dim_out = dim_out or dim
        self.dw = nn.Conv2d(dim, dim * multiplier, 3, padding=1, groups=dim)
        self.norm = nn.BatchNorm2d(dim * multiplier)
        self.pw = nn.Conv2d(dim * multiplier, dim_out, 1)

    def forward(self, x):
        return self.pw(self.norm(self.dw(x)))
""",
        works=(("Depthwise(4)", (2, 4, 6, 6)), ("Depthwise(4, 3, 10)", (2, 4, 6, 6))),
    ),
    Case(
        "aliases",
        """\
from torch import nn


class Alias(nn.Module):
    def __init__(self, inp, oup=None):
        super().__init__()
        out = oup if oup is not None else inp
        self.planes = planes = out
        c1, c2 = inp, planes
        self.conv = nn.Conv2d(c1, c2, 3, padding=1)
        self.norm = nn.BatchNorm2d(self.planes)
        self.last = nn.Conv2d(out, c1, 1)
        self.last_norm = nn.BatchNorm2d(inp)

    def forward(self, x):
        return self.last_norm(self.last(self.norm(self.conv(x))))
""",
        works=(("Alias(4)", (2, 4, 6, 6)), ("Alias(4, 6)", (2, 4, 6, 6))),
    ),
    Case(
        "two spellings of one width",
        """\
from torch import nn


class Spelled(nn.Module):
    def __init__(self, groups, width):
        super().__init__()
        self.conv1 = nn.Conv2d(groups * width, 2 * width * groups, 3, padding=1, groups=groups)
        self.norm1 = nn.BatchNorm2d(width * groups * 2)
        self.conv2 = nn.Conv2d((width + width) * groups, groups * width, 1)
        self.norm2 = nn.BatchNorm2d(width * groups)

    def forward(self, x):
        return self.norm2(self.conv2(self.norm1(self.conv1(x)).relu())).relu()
""",
        works=(("Spelled(2, 4)", (2, 8, 6, 6)), ("Spelled(3, 1)", (2, 3, 6, 6))),
    ),
    Case(
        "squeeze and excite",
        """\
from torch import nn


class SqueezeExcite(nn.Module):
    def __init__(self, channels, reduction=4):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x):
        b, c, _, _ = x.size()
        y = self.avg_pool(x).view(b, c)
        y = self.fc(y).view(b, c, 1, 1)
        return x * y.expand_as(x)


class SEConv(nn.Module):
    def __init__(self, inplanes, planes, reduction=2):
        super().__init__()
        self.conv = nn.Conv2d(inplanes, planes, 3, padding=1)
        self.bn = nn.BatchNorm2d(planes)
        self.se = SqueezeExcite(planes, reduction)

    def forward(self, x):
        return self.se(self.bn(self.conv(x)))
""",
        works=(("SEConv(4, 8)", (2, 4, 6, 6)), ("SEConv(8, 6, 3)", (2, 8, 6, 6))),
    ),
    Case(
        "dense concatenation",
        """\
import torch
from torch import nn


class _DenseLayer(nn.Module):
    def __init__(self, num_input_features, growth_rate, bn_size):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.conv1 = nn.Conv2d(num_input_features, bn_size * growth_rate, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
        self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, 3, padding=1, bias=False)

    def forward(self, inputs):
        x = torch.cat(inputs, 1) if isinstance(inputs, list) else inputs
        x = self.conv1(self.norm1(x).relu())
        return self.conv2(self.norm2(x).relu())


class _DenseBlock(nn.ModuleDict):
    def __init__(self, num_layers, num_input_features, bn_size, growth_rate):
        super().__init__()
        for i in range(num_layers):
            layer = _DenseLayer(num_input_features + i * growth_rate, growth_rate, bn_size)
            self.add_module("denselayer%d" % (i + 1), layer)

    def forward(self, init_features):
        features = [init_features]
        for name, layer in self.items():
            features.append(layer(features))
        return torch.cat(features, 1)


class _Transition(nn.Sequential):
    def __init__(self, num_input_features, num_output_features):
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(num_input_features, num_output_features, 1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    def __init__(self, growth_rate=4, block_config=(2, 2), num_init_features=8, bn_size=2):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, num_init_features, 3, padding=1))
        num_features = num_init_features
        for i, num_layers in enumerate(block_config):
            block = _DenseBlock(num_layers, num_features, bn_size, growth_rate)
            self.features.add_module(f"denseblock{i + 1}", block)
            num_features = num_features + num_layers * growth_rate
            if i != len(block_config) - 1:
                trans = _Transition(num_features, num_features // 2)
                self.features.add_module(f"transition{i + 1}", trans)
                num_features = num_features // 2
        self.features.add_module("norm5", nn.BatchNorm2d(num_features))
        self.classifier = nn.Linear(num_features, 10)

    def forward(self, x):
        features = self.features(x).relu()
        return self.classifier(features.mean([2, 3]))
""",
        works=(
            ("DenseNet()", (2, 3, 8, 8)),
            ("DenseNet(3, (1, 3, 2), 6, 3)", (2, 3, 8, 8)),
            ("_Transition(6, 4)", (2, 6, 4, 4)),
        ),
    ),
    Case(
        "channel shuffle",
        """\
import torch
from torch import nn


def channel_shuffle(x, groups):
    batchsize, num_channels, height, width = x.size()
    channels_per_group = num_channels // groups
    x = x.view(batchsize, groups, channels_per_group, height, width)
    x = torch.transpose(x, 1, 2).contiguous()
    return x.view(batchsize, num_channels, height, width)


class ShuffleUnit(nn.Module):
    def __init__(self, inp, oup, stride):
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueError("illegal stride value")
        self.stride = stride
        branch_features = oup // 2
        if self.stride == 1 and inp != branch_features << 1:
            raise ValueError("stride 1 keeps the width")
        if self.stride > 1:
            self.branch1 = nn.Sequential(
                self.depthwise_conv(inp, inp, kernel_size=3, stride=self.stride, padding=1),
                nn.BatchNorm2d(inp),
                nn.Conv2d(inp, branch_features, kernel_size=1, bias=False),
                nn.BatchNorm2d(branch_features),
                nn.ReLU(inplace=True),
            )
        else:
            self.branch1 = nn.Sequential()
        self.branch2 = nn.Sequential(
            nn.Conv2d(inp if self.stride > 1 else branch_features, branch_features, 1, bias=False),
            nn.BatchNorm2d(branch_features),
            nn.ReLU(inplace=True),
            self.depthwise_conv(branch_features, branch_features, 3, stride=self.stride, padding=1),
            nn.BatchNorm2d(branch_features),
            nn.Conv2d(branch_features, branch_features, kernel_size=1, bias=False),
            nn.BatchNorm2d(branch_features),
            nn.ReLU(inplace=True),
        )

    @staticmethod
    def depthwise_conv(i, o, kernel_size, stride=1, padding=0, bias=False):
        return nn.Conv2d(i, o, kernel_size, stride, padding, bias=bias, groups=i)

    def forward(self, x):
        if self.stride == 1:
            x1, x2 = x.chunk(2, dim=1)
            out = torch.cat((x1, self.branch2(x2)), dim=1)
        else:
            out = torch.cat((self.branch1(x), self.branch2(x)), dim=1)
        return channel_shuffle(out, 2)
""",
        works=(("ShuffleUnit(8, 8, 1)", (2, 8, 6, 6)), ("ShuffleUnit(6, 16, 2)", (2, 6, 6, 6))),
    ),
    Case(
        "norm layer arguments",
        """\
from functools import partial

from torch import nn


class FrozenNorm(nn.BatchNorm2d):
    pass


class Any(nn.Module):
    def __init__(self, in_chs, out_chs, norm_layer=partial(nn.GroupNorm, 2), act_layer=nn.SiLU):
        super().__init__()
        self.conv = nn.Conv2d(in_chs, out_chs, 3, padding=1)
        self.norm = norm_layer(out_chs)
        self.act = act_layer(inplace=True)
        self.pre = norm_layer(in_chs)

    def forward(self, x):
        return self.act(self.norm(self.conv(self.pre(x))))
""",
        works=(
            ("Any(4, 6)", (2, 4, 6, 6)),
            ("Any(4, 5, nn.BatchNorm2d, nn.ReLU)", (2, 4, 6, 6)),
            ("Any(3, 5, FrozenNorm)", (2, 3, 6, 6)),
        ),
    ),
    Case(
        "optional norm by flag",
        """\
from torch import nn


class ConvUnit(nn.Module):
    def __init__(self, in_size, out_size, batch_norm=True, residual=False, kernel=3):
        super().__init__()
        self.residual = residual and in_size == out_size
        block = [nn.Conv2d(in_size, out_size, kernel, padding=kernel // 2, bias=not batch_norm)]
        if batch_norm:
            block.append(nn.BatchNorm2d(out_size))
        block.append(nn.ReLU())
        self.block = nn.Sequential(*block)

    def forward(self, x):
        out = self.block(x)
        if self.residual:
            out = out + x
        return out
""",
        works=(
            ("ConvUnit(4, 6)", (2, 4, 6, 6)),
            ("ConvUnit(4, 4, False, True)", (2, 4, 6, 6)),
            ("ConvUnit(4, 8, False, True)", (2, 4, 6, 6)),
        ),
    ),
    Case(
        "sequential lists in loops",
        """\
from torch import nn


class Encoder(nn.Module):
    def __init__(self, in_channels=3, widths=(8, 16, 32), num_classes=10):
        super().__init__()
        stages = []
        prev = in_channels
        for i, width in enumerate(widths):
            stages += [
                nn.Conv2d(prev, width, 3, stride=1 if i == 0 else 2, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            prev = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(prev, num_classes))

    def forward(self, x):
        return self.head(self.stages(x))
""",
        works=(("Encoder()", (2, 3, 8, 8)), ("Encoder(4, (6, 5))", (2, 4, 8, 8))),
    ),
    Case(
        "keyword only",
        """\
from torch import nn


class Keyword(nn.Module):
    def __init__(self, *, dim, dim_out, hidden=None, bias=True):
        super().__init__()
        hidden = hidden if hidden is not None else 2 * dim
        self.fc1 = nn.Conv2d(in_channels=dim, kernel_size=1, out_channels=hidden, bias=bias)
        self.norm = nn.BatchNorm2d(num_features=hidden)
        self.fc2 = nn.Conv2d(hidden, dim_out, kernel_size=1, bias=bias)

    def forward(self, x):
        return self.fc2(self.norm(self.fc1(x)))
""",
        works=(("Keyword(dim=4, dim_out=6)", (2, 4, 6, 6)), ("Keyword(dim=4, dim_out=4, hidden=5)", (2, 4, 6, 6))),
    ),
    Case(
        "dataclass configs",
        """\
from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass
class StageConfig:
    in_channels: int
    out_channels: int
    num_layers: int = 2
    kernel_size: int = 3


@dataclass
class NetConfig:
    stages: list = field(default_factory=lambda: [StageConfig(3, 8), StageConfig(8, 12, 1)])
    num_classes: int = 10


class Stage(nn.Module):
    def __init__(self, cfg: StageConfig):
        super().__init__()
        self.inp = nn.Conv2d(cfg.in_channels, cfg.out_channels, cfg.kernel_size, padding="same")
        self.norm = nn.BatchNorm2d(cfg.out_channels)
        self.layers = nn.ModuleList(
            nn.Conv2d(cfg.out_channels, cfg.out_channels, cfg.kernel_size, padding="same")
            for _ in range(cfg.num_layers)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.inp(x))
        for layer in self.layers:
            x = x + layer(x).relu()
        return x


class Net(nn.Module):
    def __init__(self, config: NetConfig):
        super().__init__()
        self.config = config
        self.stages = nn.Sequential(*[Stage(cfg) for cfg in config.stages])
        self.fc = nn.Linear(config.stages[-1].out_channels, config.num_classes)

    def forward(self, x):
        return self.fc(self.stages(x).mean(dim=(-2, -1)))
""",
        works=(("Net(NetConfig())", (2, 3, 6, 6)), ("Net(NetConfig([StageConfig(4, 5, 1, 5)], 3))", (2, 4, 6, 6))),
    ),
)
