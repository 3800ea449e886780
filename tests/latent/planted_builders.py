"""Classes whose layers are built in loops, by helpers and by other classes, each with one number that may be wrong."""

from __future__ import annotations

from tests.latent.planted import Planted

BUILDERS = (
    Planted(
        "stages in a list",
        """
class Stages(nn.Module):
    def __init__(self, in_chans, dims):
        super().__init__()
        self.stem = nn.Conv2d(in_chans, dims[0], 1)
        self.stages = nn.ModuleList()
        for i in range(len(dims) - 1):
            self.stages.append(nn.Sequential(
                nn.BatchNorm2d({{dims[i]|dims[i + 1]}}),
                nn.Conv2d(dims[i], dims[i + 1], 2, 2),
            ))

    def forward(self, x):
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return x
""",
        ("Stages(3, [4, 8, 16])", (2, 3, 8, 8)),
        ("Stages(3, [4, 4, 4])", (2, 3, 8, 8)),
    ),
    Planted(
        "the last of the widths",
        """
class Backbone(nn.Module):
    def __init__(self, widths=(16, 32, 64), num_classes=10):
        super().__init__()
        layers, previous = [], 3
        for width in widths:
            layers += [nn.Conv2d(previous, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
            previous = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear({{previous|widths[0]}}, num_classes)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))
""",
        ("Backbone()", (2, 3, 16, 16)),
        ("Backbone((8, 8))", (2, 3, 16, 16)),
    ),
    Planted(
        "a dense block",
        """
class DenseBlock(nn.Module):
    def __init__(self, num_layers, in_features, growth_rate):
        super().__init__()
        self.layers = nn.ModuleList()
        for i in range(num_layers):
            self.layers.append(nn.Conv2d(in_features + i * {{growth_rate|in_features}}, growth_rate, 3, padding=1))

    def forward(self, x):
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x
""",
        ("DenseBlock(3, 4, 8)", (2, 4, 8, 8)),
        ("DenseBlock(3, 4, 4)", (2, 4, 8, 8)),
    ),
    Planted(
        "a helper that builds two layers",
        """
def conv_norm(cin, cout, stride=1):
    return nn.Sequential(nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d({{cout|cin}}))


class Down(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.first = conv_norm(in_channels, out_channels, 2)
        self.second = conv_norm(out_channels, out_channels)

    def forward(self, x):
        return self.second(self.first(x))
""",
        ("Down(4, 8)", (2, 4, 8, 8)),
        ("Down(4, 4)", (2, 4, 8, 8)),
    ),
    Planted(
        "a helper that gets another width",
        """
def pointwise(inp, oup):
    return nn.Sequential(nn.Conv2d(inp, oup, 1), nn.ReLU6())


class Residual(nn.Module):
    def __init__(self, inp, oup, expand_ratio=4):
        super().__init__()
        hidden_dim = round(inp * expand_ratio)
        self.expand = pointwise(inp, hidden_dim)
        self.reduce = pointwise({{hidden_dim|inp}}, oup)
        self.is_same = inp == oup

    def forward(self, x):
        y = self.reduce(self.expand(x))
        return x + y if self.is_same else y
""",
        ("Residual(4, 8)", (2, 4, 8, 8)),
        ("Residual(4, 4, 2)", (2, 4, 8, 8)),
    ),
    Planted(
        "a method that builds a layer",
        """
class WithMethod(nn.Module):
    def __init__(self, in_planes, width, out_planes):
        super().__init__()
        self.inner = self._conv(in_planes, width)
        self.outer = self._conv({{width|in_planes}}, out_planes)

    def _conv(self, a, b):
        return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(1, b))

    def forward(self, x):
        return self.outer(self.inner(x))
""",
        ("WithMethod(4, 8, 6)", (2, 4, 8, 8)),
        ("WithMethod(4, 4, 6)", (2, 4, 8, 8)),
    ),
    Planted(
        "a class that inherits its first layer",
        """
class Base(nn.Module):
    def __init__(self, in_dim, feat_dim):
        super().__init__()
        self.body = nn.Conv2d(in_dim, feat_dim, 3, padding=1)

    def forward(self, x):
        return self.head(self.body(x))


class WithHead(Base):
    def __init__(self, in_dim, feat_dim, out_dim):
        super().__init__(in_dim, feat_dim)
        self.head = nn.Conv2d({{feat_dim|in_dim}}, out_dim, 1)
""",
        ("WithHead(4, 8, 2)", (2, 4, 8, 8)),
        ("WithHead(4, 4, 2)", (2, 4, 8, 8)),
    ),
    Planted(
        "a class that is nested in another",
        """
class Outer(nn.Module):
    class Inner(nn.Module):
        def __init__(self, a_ch, b_ch):
            super().__init__()
            self.conv = nn.Conv2d(a_ch, b_ch, 3, padding=1)

        def forward(self, x):
            return self.conv(x)

    def __init__(self, in_ch, mid_ch, out_ch):
        super().__init__()
        self.one = self.Inner(in_ch, mid_ch)
        self.two = Outer.Inner({{mid_ch|in_ch}}, out_ch)

    def forward(self, x):
        return self.two(torch.relu(self.one(x)))
""",
        ("Outer(4, 8, 6)", (2, 4, 8, 8)),
        ("Outer(4, 4, 6)", (2, 4, 8, 8)),
    ),
    Planted(
        "a norm that is passed in",
        """
class ConvNorm(nn.Module):
    def __init__(self, in_chs, out_chs, norm_layer=partial(nn.BatchNorm2d, eps=1e-3)):
        super().__init__()
        self.conv = nn.Conv2d(in_chs, out_chs, 3, bias=False)
        self.norm = norm_layer({{out_chs|in_chs}})

    def forward(self, x):
        return self.norm(self.conv(x))
""",
        ("ConvNorm(4, 8)", (2, 4, 8, 8)),
        ("ConvNorm(4, 4)", (2, 4, 8, 8)),
    ),
    Planted(
        "a norm that is chosen by default",
        """
class BasicBlock(nn.Module):
    def __init__(self, inplanes, planes, stride=1, downsample=None, norm_layer=None):
        super().__init__()
        if norm_layer is None:
            norm_layer = nn.BatchNorm2d
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = norm_layer(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = norm_layer({{planes|inplanes}})
        self.downsample = downsample

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(out)) + identity)
""",
        ("BasicBlock(4, 8, 2, nn.Conv2d(4, 8, 1, 2))", (2, 4, 8, 8)),
        ("BasicBlock(4, 4)", (2, 4, 8, 8)),
    ),
    Planted(
        "a norm that is chosen by name",
        """
class Chosen(nn.Module):
    def __init__(self, in_nc, out_nc, norm="batch"):
        super().__init__()
        self.conv = nn.Conv2d(in_nc, out_nc, 3)
        if norm == "batch":
            self.norm = nn.BatchNorm2d({{out_nc|in_nc}})
        elif norm == "instance":
            self.norm = nn.InstanceNorm2d(out_nc)
        else:
            raise NotImplementedError(norm)

    def forward(self, x):
        return self.norm(self.conv(x))
""",
        ("Chosen(4, 8)", (2, 4, 8, 8)),
        ("Chosen(4, 4)", (2, 4, 8, 8)),
    ),
    Planted(
        "a class attribute",
        """
class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inplanes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 1)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1)
        self.bn3 = nn.BatchNorm2d({{planes * self.expansion|planes}})

    def forward(self, x):
        return self.bn3(self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x))))))
""",
        ("Bottleneck(4, 8)", (2, 4, 8, 8)),
        ("Bottleneck(8, 8)", (2, 8, 8, 8)),
    ),
    Planted(
        "keywords that are passed on",
        """
class ConvBn(nn.Module):
    def __init__(self, in_features, out_features, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(in_features, out_features, kernel_size=3, padding=1, **kwargs)
        self.bn = nn.BatchNorm2d({{out_features|in_features}})

    def forward(self, x):
        return self.bn(self.conv(x))
""",
        ("ConvBn(4, 8)", (2, 4, 8, 8)),
        ("ConvBn(4, 4, bias=False)", (2, 4, 8, 8)),
    ),
    Planted(
        "keywords for a base class",
        """
class Plain(nn.Module):
    def __init__(self, in_dim=8, out_dim=16):
        super().__init__()
        self.fc = nn.Linear(in_dim, out_dim)
        self.out_dim = out_dim

    def forward(self, x):
        return self.fc(x)


class Normed(Plain):
    def __init__(self, in_dim=8, out_dim=16, **kwargs):
        super().__init__(in_dim=in_dim, out_dim=out_dim, **kwargs)
        self.norm = nn.LayerNorm({{out_dim|in_dim}})

    def forward(self, x):
        return self.norm(super().forward(x))
""",
        ("Normed(4, 6)", (2, 4)),
        ("Normed(4, 4)", (2, 4)),
    ),
    Planted(
        "widths that are rounded",
        """
def make_divisible(value, divisor=8):
    new = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return new + divisor if new < 0.9 * value else new


class Scaled(nn.Module):
    def __init__(self, in_channels, out_channels, width_mult=1.5):
        super().__init__()
        mid_channels = make_divisible(out_channels * width_mult)
        self.conv = nn.Conv2d(in_channels, mid_channels, 3, padding=1)
        self.norm = nn.BatchNorm2d({{mid_channels|out_channels}})
        self.proj = nn.Conv2d(mid_channels, out_channels, 1)

    def forward(self, x):
        return self.proj(self.norm(self.conv(x)))
""",
        ("Scaled(8, 16)", (2, 8, 8, 8)),
        ("Scaled(8, 32, 1.0)", (2, 8, 8, 8)),
    ),
    Planted(
        "a shortcut of another width",
        """
class Shortcut(nn.Module):
    def __init__(self, in_ch, mid_ch, out_ch):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(in_ch, mid_ch, 3, 1, 1), nn.ReLU(), nn.Conv2d(mid_ch, out_ch, 3, 1, 1))
        self.skip = nn.Conv2d(in_ch, {{out_ch|mid_ch}}, 1)

    def forward(self, x):
        return self.body(x) + self.skip(x)
""",
        ("Shortcut(4, 8, 6)", (2, 4, 8, 8)),
        ("Shortcut(4, 6, 6)", (2, 4, 8, 8)),
    ),
)
