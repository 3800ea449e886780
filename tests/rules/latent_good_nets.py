"""More correct classes: ways of writing a forward, and whole networks."""

from __future__ import annotations

from tests.rules.latent_case import Case

CASES = (
    Case(
        "chunk halves",
        """\
import torch
from torch import nn


class Conv(nn.Module):
    def __init__(self, c1, c2, k=1, s=1, p=None, g=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, k // 2 if p is None else p, groups=g, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.act = nn.SiLU() if act is True else act if isinstance(act, nn.Module) else nn.Identity()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, c1, c2, shortcut=True, g=1, e=0.5):
        super().__init__()
        c_ = int(c2 * e)
        self.cv1 = Conv(c1, c_, 1, 1)
        self.cv2 = Conv(c_, c2, 3, 1, g=g)
        self.add = shortcut and c1 == c2

    def forward(self, x):
        return x + self.cv2(self.cv1(x)) if self.add else self.cv2(self.cv1(x))


class C2f(nn.Module):
    def __init__(self, c1, c2, n=1, shortcut=False, g=1, e=0.5):
        super().__init__()
        self.c = int(c2 * e)
        self.cv1 = Conv(c1, 2 * self.c, 1, 1)
        self.cv2 = Conv((2 + n) * self.c, c2, 1)
        self.m = nn.ModuleList(Bottleneck(self.c, self.c, shortcut, g, e=1.0) for _ in range(n))

    def forward(self, x):
        y = list(self.cv1(x).chunk(2, 1))
        y.extend(m(y[-1]) for m in self.m)
        return self.cv2(torch.cat(y, 1))
""",
        works=(
            ("C2f(4, 8)", (2, 4, 6, 6)),
            ("C2f(6, 6, 3, True)", (2, 6, 6, 6)),
            ("Bottleneck(4, 6)", (2, 4, 6, 6)),
            ("Conv(4, 8, 3, 2, act=nn.ReLU())", (2, 4, 6, 6)),
        ),
    ),
    Case(
        "split and join",
        """\
import torch
from torch import nn


class PartialConv(nn.Module):
    def __init__(self, dim, n_div=4):
        super().__init__()
        self.dim_conv = dim // n_div
        self.dim_rest = dim - self.dim_conv
        self.conv = nn.Conv2d(self.dim_conv, self.dim_conv, 3, padding=1)
        self.norm = nn.BatchNorm2d(dim)

    def forward(self, x):
        x1, x2 = torch.split(x, [self.dim_conv, self.dim_rest], dim=1)
        return self.norm(torch.cat((self.conv(x1), x2), 1))
""",
        works=(("PartialConv(8)", (2, 8, 6, 6)), ("PartialConv(9, 2)", (2, 9, 6, 6))),
    ),
    Case(
        "groups by gcd",
        """\
import math

from torch import nn


class Grouped(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        groups = math.gcd(in_channels, out_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, groups=groups)
        self.norm = nn.GroupNorm(groups, out_channels)

    def forward(self, x):
        return self.norm(self.conv(x))
""",
        works=(("Grouped(4, 6)", (2, 4, 6, 6)), ("Grouped(5, 3)", (2, 5, 6, 6))),
    ),
    Case(
        "inherited constructor",
        """\
from torch import nn


class Base(nn.Module):
    norm_class = nn.BatchNorm2d

    def __init__(self, in_features, out_features, stride=1):
        super().__init__()
        self.stride = stride
        self.build(in_features, out_features)

    def build(self, i, o):
        self.conv = nn.Conv2d(i, o, 3, self.stride, 1)
        self.norm = self.norm_class(o)

    def forward(self, x):
        return self.norm(self.conv(x))


class WithAct(Base):
    def forward(self, x):
        return super().forward(x).relu()


class Pre(Base):
    norm_class = nn.InstanceNorm2d

    def build(self, i, o):
        self.norm = self.norm_class(i, affine=True)
        self.conv = nn.Conv2d(i, o, 3, self.stride, 1)

    def forward(self, x):
        return self.conv(self.norm(x))
""",
        works=(("WithAct(4, 6)", (2, 4, 6, 6)), ("Pre(4, 6, 2)", (2, 4, 6, 6)), ("Base(6, 4)", (2, 6, 6, 6))),
    ),
    Case(
        "u-net",
        """\
import torch
import torch.nn.functional as F
from torch import nn


class DoubleConv(nn.Module):
    def __init__(self, in_channels, out_channels, mid_channels=None):
        super().__init__()
        if not mid_channels:
            mid_channels = out_channels
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(in_channels, out_channels))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, in_channels, out_channels, bilinear=True):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(in_channels, out_channels, in_channels // 2)
        else:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
            self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diff_y = x2.size()[2] - x1.size()[2]
        diff_x = x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diff_x // 2, diff_x - diff_x // 2, diff_y // 2, diff_y - diff_y // 2])
        return self.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes, bilinear=False, width=8):
        super().__init__()
        self.inc = DoubleConv(n_channels, width)
        self.down1 = Down(width, width * 2)
        factor = 2 if bilinear else 1
        self.down2 = Down(width * 2, width * 4 // factor)
        self.up1 = Up(width * 4, width * 2 // factor, bilinear)
        self.up2 = Up(width * 2, width, bilinear)
        self.outc = nn.Conv2d(width, n_classes, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x = self.up1(x3, x2)
        x = self.up2(x, x1)
        return self.outc(x)
""",
        works=(
            ("UNet(3, 2)", (2, 3, 16, 16)),
            ("UNet(1, 5, True, 4)", (2, 1, 17, 18)),
            ("Up(8, 6)", (2, 4, 3, 3), (2, 4, 6, 6)),
        ),
    ),
    Case(
        "inception",
        """\
import torch
import torch.nn.functional as F
from torch import nn


class BasicConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    def __init__(self, in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj):
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            BasicConv2d(in_channels, ch3x3red, kernel_size=1),
            BasicConv2d(ch3x3red, ch3x3, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(in_channels, ch5x5red, kernel_size=1),
            BasicConv2d(ch5x5red, ch5x5, kernel_size=5, padding=2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True),
            BasicConv2d(in_channels, pool_proj, kernel_size=1),
        )
        self.out_channels = ch1x1 + ch3x3 + ch5x5 + pool_proj
        self.norm = nn.BatchNorm2d(self.out_channels)

    def _forward(self, x):
        return [self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)]

    def forward(self, x):
        return self.norm(torch.cat(self._forward(x), 1))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = BasicConv2d(3, 8, kernel_size=7, stride=2, padding=3)
        self.inception1 = Inception(8, 2, 3, 4, 2, 3, 5)
        self.inception2 = Inception(2 + 4 + 3 + 5, 4, 3, 6, 2, 2, 4)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.inception2(self.inception1(self.stem(x)))
        return self.fc(x.amax((2, 3)))
""",
        works=(
            ("Inception(4, 2, 3, 4, 2, 3, 5)", (2, 4, 6, 6)),
            ("Inception(6, 6, 6, 6, 6, 6, 6)", (2, 6, 6, 6)),
            ("Net()", (2, 3, 16, 16)),
        ),
    ),
    Case(
        "vgg from a list",
        """\
import torch
from torch import nn

cfgs = {
    "A": [8, "M", 16, "M", 32, 32, "M"],
    "B": [8, 8, "M", 16, 16, "M"],
}


def make_layers(cfg, batch_norm=False):
    layers = []
    in_channels = 3
    for v in cfg:
        if v == "M":
            layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
        else:
            conv2d = nn.Conv2d(in_channels, v, kernel_size=3, padding=1)
            if batch_norm:
                layers += [conv2d, nn.BatchNorm2d(v), nn.ReLU(inplace=True)]
            else:
                layers += [conv2d, nn.ReLU(inplace=True)]
            in_channels = v
    return nn.Sequential(*layers)


class VGG(nn.Module):
    def __init__(self, features, width, num_classes=10):
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(
            nn.Linear(width * 2 * 2, 20), nn.ReLU(True), nn.Dropout(), nn.Linear(20, num_classes)
        )

    def forward(self, x):
        x = self.avgpool(self.features(x))
        x = torch.flatten(x, 1)
        return self.classifier(x)


def vgg_a(**kwargs):
    return VGG(make_layers(cfgs["A"], batch_norm=True), 32, **kwargs)


def vgg_b(**kwargs):
    return VGG(make_layers(cfgs["B"]), 16, **kwargs)
""",
        works=(("vgg_a()", (2, 3, 16, 16)), ("vgg_b(num_classes=3)", (2, 3, 16, 16))),
    ),
    Case(
        "weights shared",
        """\
import torch
import torch.nn.functional as F
from torch import nn


class Shared(nn.Module):
    def __init__(self, in_channels, out_channels, steps=3):
        super().__init__()
        self.steps = steps
        self.inp = nn.Conv2d(in_channels, out_channels, 1)
        self.conv = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.norm = nn.GroupNorm(1, out_channels)

    def forward(self, x):
        x = self.inp(x)
        for _ in range(self.steps):
            x = F.relu(self.norm(self.conv(x)) + x)
        return x


class Siamese(nn.Module):
    def __init__(self, channels, dim):
        super().__init__()
        self.branch = Shared(channels, dim)
        self.head = nn.Linear(2 * dim, 2)

    def forward(self, a, b):
        both = [self.branch(x).mean((2, 3)) for x in (a, b)]
        return self.head(torch.cat(both, dim=-1))
""",
        works=(("Shared(3, 4)", (2, 3, 6, 6)), ("Siamese(3, 5)", (2, 3, 6, 6), (2, 3, 6, 6))),
    ),
    Case(
        "norm on the input",
        """\
from torch import nn


class Audio(nn.Module):
    def __init__(self, n_mels, channels, out_dim):
        super().__init__()
        self.input_norm = nn.BatchNorm1d(n_mels)
        self.conv = nn.Conv1d(n_mels, channels, 5, padding=2)
        self.norm = nn.BatchNorm1d(channels)
        self.pool = nn.AdaptiveMaxPool1d(1)
        self.fc = nn.Linear(channels, out_dim)
        self.out_norm = nn.BatchNorm1d(out_dim)

    def forward(self, x):
        x = self.norm(self.conv(self.input_norm(x)).relu())
        return self.out_norm(self.fc(self.pool(x).squeeze(-1)))
""",
        works=(("Audio(4, 6, 5)", (2, 4, 9)), ("Audio(6, 4, 8)", (2, 6, 9))),
    ),
    Case(
        "identity shortcut",
        """\
from torch import nn


class Block(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride, 1)
        self.norm = nn.BatchNorm2d(out_channels)
        self.skip = nn.Identity()
        if in_channels != out_channels or stride != 1:
            self.skip = nn.Sequential(
                nn.AvgPool2d(stride), nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x):
        return self.norm(self.conv(x)) + self.skip(x)
""",
        works=(("Block(4, 4)", (2, 4, 6, 6)), ("Block(4, 6, 2)", (2, 4, 6, 6))),
    ),
    Case(
        "channels last norm",
        """\
import torch
import torch.nn.functional as F
from torch import nn


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, dim, layer_scale=1e-6):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(layer_scale * torch.ones(dim))

    def forward(self, x):
        shortcut = x
        x = self.dwconv(x).permute(0, 2, 3, 1)
        x = self.pwconv2(self.act(self.pwconv1(self.norm(x))))
        return shortcut + (self.gamma * x).permute(0, 3, 1, 2)


class Stage(nn.Module):
    def __init__(self, dim_in, dim_out, depth=2):
        super().__init__()
        self.down = nn.Sequential(LayerNorm2d(dim_in), nn.Conv2d(dim_in, dim_out, 2, stride=2))
        self.blocks = nn.Sequential(*[ConvNeXtBlock(dim_out) for _ in range(depth)])
        self.norm = LayerNorm2d(dim_out)

    def forward(self, x):
        return self.norm(self.blocks(self.down(x)))
""",
        works=(("Stage(4, 6)", (2, 4, 8, 8)), ("Stage(4, 4, 1)", (2, 4, 8, 8))),
    ),
    Case(
        "pixel shuffle",
        """\
from torch import nn


class Upsampler(nn.Sequential):
    def __init__(self, scale, n_feats, bn=False):
        m = []
        if scale == 3:
            m.append(nn.Conv2d(n_feats, 9 * n_feats, 3, padding=1))
            m.append(nn.PixelShuffle(3))
        else:
            for _ in range(scale // 2):
                m.append(nn.Conv2d(n_feats, 4 * n_feats, 3, padding=1))
                m.append(nn.PixelShuffle(2))
                if bn:
                    m.append(nn.BatchNorm2d(n_feats))
        super().__init__(*m)


class SuperRes(nn.Module):
    def __init__(self, in_ch, n_feats, scale):
        super().__init__()
        self.head = nn.Conv2d(in_ch, n_feats, 3, padding=1)
        self.sub = nn.Sequential(
            nn.Conv2d(n_feats, n_feats * scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
            nn.BatchNorm2d(n_feats),
        )
        self.tail = nn.Conv2d(n_feats, in_ch, 3, padding=1)

    def forward(self, x):
        return self.tail(self.sub(self.head(x)))
""",
        works=(
            ("SuperRes(3, 4, 2)", (2, 3, 5, 5)),
            ("SuperRes(1, 5, 3)", (2, 1, 5, 5)),
            ("Upsampler(4, 6, True)", (2, 6, 3, 3)),
            ("Upsampler(3, 6)", (2, 6, 3, 3)),
        ),
    ),
    Case(
        "gated linear unit halves",
        """\
import torch.nn.functional as F
from torch import nn


class ConvModule(nn.Module):
    def __init__(self, d_model, kernel_size=7, expansion=2, out_dim=None):
        super().__init__()
        inner = d_model * expansion
        self.pointwise1 = nn.Conv1d(d_model, inner * 2, 1)
        self.depthwise = nn.Conv1d(inner, inner, kernel_size, padding=kernel_size // 2, groups=inner)
        self.norm = nn.BatchNorm1d(inner)
        self.pointwise2 = nn.Conv1d(inner, out_dim or d_model, 1)
        self.gate = nn.GLU(dim=1)

    def forward(self, x):
        x = self.gate(self.pointwise1(x))
        x = F.silu(self.norm(self.depthwise(x)))
        return self.pointwise2(x)


class SimpleGate(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1 = nn.Conv2d(c, 2 * c, 1)
        self.conv2 = nn.Conv2d(c, c, 1)

    def forward(self, x):
        a, b = self.conv1(x).chunk(2, dim=1)
        return self.conv2(a * b)
""",
        works=(("ConvModule(4)", (2, 4, 9)), ("ConvModule(4, 3, 1, 6)", (2, 4, 9)), ("SimpleGate(3)", (2, 3, 4, 4))),
    ),
    Case(
        "width used in the forward alone",
        """\
import torch
from torch import nn


class ShuffleLayer(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.channels = channels
        self.groups = groups

    def forward(self, x):
        b, _, h, w = x.shape
        x = x.reshape(b, self.groups, self.channels // self.groups, h, w)
        return x.transpose(1, 2).reshape(b, self.channels, h, w)


class Zero(nn.Module):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.out_channels = out_channels
        self.stride = stride

    def forward(self, x):
        n, _, h, w = x.shape
        return torch.zeros(n, self.out_channels, h // self.stride, w // self.stride)
""",
        works=(
            ("ShuffleLayer(6, 3)", (2, 6, 4, 4)),
            ("ShuffleLayer(8, 2)", (2, 8, 4, 4)),
            ("Zero(4, 6, 2)", (2, 4, 4, 4)),
        ),
    ),
    Case(
        "argument for a part",
        """\
from torch import nn


class Part(nn.Module):
    def __init__(self, dim, hidden_dim=None, out_dim=None, width=16):
        super().__init__()
        out_dim = out_dim or dim
        hidden_dim = hidden_dim or width
        self.fc = nn.Sequential(nn.Linear(dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, out_dim))

    def forward(self, x):
        return self.fc(x)


class Whole(nn.Module):
    def __init__(self, channels, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3)
        self.part = Part(channels, **kwargs)
        self.config = dict(channels=channels, **kwargs)

    def forward(self, x):
        return self.part(self.conv(x).mean((-1, -2)))
""",
        works=(
            ("Whole(4)", (2, 3, 6, 6)),
            ("Whole(4, hidden_dim=5, out_dim=6)", (2, 3, 6, 6)),
            ("Part(4, width=3)", (2, 4)),
        ),
    ),
    Case(
        "width chosen by a flag",
        """\
from torch import nn


class Head(nn.Module):
    def __init__(self, in_channels, out_channels, hidden_channels=32, deep=True):
        super().__init__()
        if deep:
            self.net = nn.Sequential(
                nn.Conv2d(in_channels, hidden_channels, 1),
                nn.BatchNorm2d(hidden_channels),
                nn.ReLU(),
                nn.Conv2d(hidden_channels, out_channels, 1),
            )
        else:
            self.net = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x):
        return self.net(x)
""",
        works=(("Head(4, 3)", (2, 4, 5, 5)), ("Head(4, 3, 8, False)", (2, 4, 5, 5))),
    ),
    Case(
        "layers in a list, registered as well",
        """\
from torch import nn


class Listed(nn.Module):
    def __init__(self, channels, depth):
        super().__init__()
        convs = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth)]
        self.body = nn.Sequential(*convs)
        self.order = list(reversed(convs))
        self.names = ["body"]
        self.taps = []
        for i in range(2):
            layer = nn.Conv2d(channels, 2 * channels, 1)
            self.add_module(f"tap{i}", layer)
            self.taps.append(layer)

    def forward(self, x):
        for conv in self.order:
            x = conv(x)
        return [tap(x) for tap in self.taps]
""",
        works=(("Listed(4, 2)", (2, 4, 6, 6)), ("Listed(3, 3)", (2, 3, 6, 6))),
    ),
    Case(
        "patches and positions",
        """\
import torch
from torch import nn


class PatchEmbed(nn.Module):
    def __init__(self, img_size=16, patch_size=4, in_chans=3, embed_dim=24):
        super().__init__()
        self.num_patches = (img_size // patch_size) ** 2
        self.proj = nn.Conv2d(in_chans, embed_dim, kernel_size=patch_size, stride=patch_size)
        self.norm = nn.LayerNorm(embed_dim)
        self.pos = nn.Parameter(torch.zeros(1, self.num_patches, embed_dim))

    def forward(self, x):
        x = self.proj(x).flatten(2).transpose(1, 2)
        return self.norm(x) + self.pos


class Attention(nn.Module):
    def __init__(self, dim, num_heads=4):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, C // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        attn = (q @ k.transpose(-2, -1)).softmax(dim=-1)
        return self.proj((attn @ v).transpose(1, 2).reshape(B, N, C))
""",
        works=(
            ("PatchEmbed()", (2, 3, 16, 16)),
            ("PatchEmbed(8, 2, 1, 10)", (2, 1, 8, 8)),
            ("Attention(8)", (2, 5, 8)),
            ("Attention(6, 3)", (2, 5, 6)),
        ),
    ),
    Case(
        "pyramid with lateral convolutions",
        """\
import torch.nn.functional as F
from torch import nn


class FPN(nn.Module):
    def __init__(self, in_channels_list, out_channels):
        super().__init__()
        self.inner = nn.ModuleList()
        self.outer = nn.ModuleList()
        for in_channels in in_channels_list:
            if in_channels == 0:
                raise ValueError("in_channels=0 is not supported")
            self.inner.append(nn.Conv2d(in_channels, out_channels, 1))
            self.outer.append(nn.Conv2d(out_channels, out_channels, 3, padding=1))

    def forward(self, *features):
        last = self.inner[-1](features[-1])
        results = [self.outer[-1](last)]
        for i in range(len(features) - 2, -1, -1):
            lateral = self.inner[i](features[i])
            last = lateral + F.interpolate(last, size=lateral.shape[-2:], mode="nearest")
            results.insert(0, self.outer[i](last))
        return results
""",
        works=(
            ("FPN([4, 6], 5)", (2, 4, 8, 8), (2, 6, 4, 4)),
            ("FPN([3, 4, 5], 4)", (2, 3, 9, 9), (2, 4, 5, 5), (2, 5, 3, 3)),
        ),
    ),
    Case(
        "atrous pyramid",
        """\
import torch
from torch import nn
from torch.nn import functional as F


class ASPPPooling(nn.Sequential):
    def __init__(self, in_channels, out_channels):
        super().__init__(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )

    def forward(self, x):
        size = x.shape[-2:]
        for mod in self:
            x = mod(x)
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class ASPP(nn.Module):
    def __init__(self, in_channels, atrous_rates, out_channels=16):
        super().__init__()
        modules = [
            nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
            )
        ]
        for rate in tuple(atrous_rates):
            modules.append(
                nn.Sequential(
                    nn.Conv2d(in_channels, out_channels, 3, padding=rate, dilation=rate, bias=False),
                    nn.BatchNorm2d(out_channels),
                )
            )
        modules.append(ASPPPooling(in_channels, out_channels))
        self.convs = nn.ModuleList(modules)
        self.project = nn.Sequential(
            nn.Conv2d(len(self.convs) * out_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x):
        return self.project(torch.cat([conv(x) for conv in self.convs], dim=1))
""",
        works=(("ASPP(6, (2, 3), 4)", (2, 6, 8, 8)), ("ASPP(4, [1, 2, 3])", (2, 4, 8, 8))),
    ),
    Case(
        "contracts kept at calls",
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
    def __init__(self, width=16, out=10):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.block1 = Residual(width, width)
        self.grow = nn.Conv2d(width, 2 * width, 1)
        self.block2 = Residual(width * 2, 2 * width)
        self.head = nn.Conv2d(2 * width, out, 1)

    def forward(self, x):
        return self.head(self.block2(self.grow(self.block1(self.stem(x)))))


def main():
    return Net(), Net(8), Residual(4, 4)
""",
        works=(("Net()", (2, 3, 6, 6)), ("Net(5, 3)", (2, 3, 6, 6))),
    ),
    Case(
        "network of partial norms and operations by name",
        """\
from functools import partial

import torch.nn as nn

OPS = {
    "skip": lambda C, affine: nn.Identity(),
    "sep3": lambda C, affine: SepConv(C, C, 3, affine=affine),
    "conv1": lambda C, affine: ReLUConvBN(C, C, 1, affine),
}


class ReLUConvBN(nn.Module):
    def __init__(self, C_in, C_out, kernel_size, affine=True):
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(inplace=False),
            nn.Conv2d(C_in, C_out, kernel_size, padding=kernel_size // 2, bias=False),
            nn.BatchNorm2d(C_out, affine=affine),
        )

    def forward(self, x):
        return self.op(x)


class SepConv(nn.Module):
    def __init__(self, C_in, C_out, kernel_size, affine=True):
        super().__init__()
        norm = partial(nn.BatchNorm2d, affine=affine)
        conv = partial(nn.Conv2d, bias=False)
        self.op = nn.Sequential(
            nn.ReLU(inplace=False),
            conv(C_in, C_in, kernel_size, padding=kernel_size // 2, groups=C_in),
            conv(C_in, C_in, 1),
            norm(C_in),
            nn.ReLU(inplace=False),
            conv(C_in, C_in, kernel_size, padding=kernel_size // 2, groups=C_in),
            conv(C_in, C_out, 1),
            norm(C_out),
        )

    def forward(self, x):
        return self.op(x)


class Mixed(nn.Module):
    def __init__(self, C_in, C, names):
        super().__init__()
        self.pre = ReLUConvBN(C_in, C, 1)
        self.ops = nn.ModuleList([OPS[name](C, True) for name in names])

    def forward(self, x):
        x = self.pre(x)
        return sum(op(x) for op in self.ops)
""",
        works=(
            ("Mixed(3, 6, ['skip', 'sep3'])", (2, 3, 6, 6)),
            ("Mixed(4, 4, ['conv1', 'sep3', 'skip'])", (2, 4, 6, 6)),
            ("SepConv(4, 6, 5)", (2, 4, 6, 6)),
        ),
    ),
)
