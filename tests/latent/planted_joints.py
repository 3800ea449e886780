"""Classes that join, split and reshape their maps, each with one number that may be wrong."""

from __future__ import annotations

from tests.latent.planted import Planted

JOINTS = (
    Planted(
        "a layer behind the input and its features",
        """
class DenseUnit(nn.Module):
    def __init__(self, in_c, growth, out_c):
        super().__init__()
        self.grow = nn.Conv2d(in_c, growth, 3, padding=1)
        self.fuse = nn.Conv2d({{in_c + growth|2 * in_c}}, out_c, 1)

    def forward(self, x):
        return self.fuse(torch.cat([x, self.grow(x)], dim=1))
""",
        ("DenseUnit(4, 8, 6)", (2, 4, 8, 8)),
        ("DenseUnit(4, 4, 6)", (2, 4, 8, 8)),
    ),
    Planted(
        "dilated branches",
        """
class Pyramid(nn.Module):
    def __init__(self, in_channels, mid_channels, out_channels, rates=(1, 6, 12)):
        super().__init__()
        self.branches = nn.ModuleList(
            [nn.Conv2d(in_channels, mid_channels, 3, padding=rate, dilation=rate) for rate in rates]
        )
        self.project = nn.Sequential(
            nn.Conv2d(len(rates) * {{mid_channels|out_channels}}, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x):
        return self.project(torch.cat([branch(x) for branch in self.branches], 1))
""",
        ("Pyramid(4, 8, 6)", (2, 4, 16, 16)),
        ("Pyramid(4, 6, 6, (1, 2))", (2, 4, 16, 16)),
    ),
    Planted(
        "four branches of different widths",
        """
class Mixed(nn.Module):
    def __init__(self, in_ch, ch1, ch3, ch5, pool):
        super().__init__()
        self.one = nn.Conv2d(in_ch, ch1, 1)
        self.three = nn.Conv2d(in_ch, ch3, 3, padding=1)
        self.five = nn.Conv2d(in_ch, ch5, 5, padding=2)
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(in_ch, pool, 1))
        self.norm = nn.BatchNorm2d(ch1 + ch3 + {{ch5|ch3}} + pool)

    def forward(self, x):
        return self.norm(torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1))
""",
        ("Mixed(4, 2, 6, 8, 10)", (2, 4, 8, 8)),
        ("Mixed(4, 2, 6, 6, 10)", (2, 4, 8, 8)),
    ),
    Planted(
        "half of the channels gate the others",
        """
class Gated(nn.Module):
    def __init__(self, dim, hidden_dim):
        super().__init__()
        self.fc1 = nn.Conv2d(dim, hidden_dim * 2, 1)
        self.fc2 = nn.Conv2d({{hidden_dim|dim}}, dim, 1)

    def forward(self, x):
        value, gate = self.fc1(x).chunk(2, dim=1)
        return self.fc2(value * torch.sigmoid(gate))
""",
        ("Gated(4, 6)", (2, 4, 8, 8)),
        ("Gated(4, 4)", (2, 4, 8, 8)),
    ),
    Planted(
        "a split into unequal parts",
        """
class Partial(nn.Module):
    def __init__(self, dim, conv_dim):
        super().__init__()
        self.sizes = [conv_dim, dim - conv_dim]
        self.conv = nn.Conv2d({{conv_dim|dim}}, conv_dim, 3, padding=1)

    def forward(self, x):
        moved, kept = torch.split(x, self.sizes, dim=1)
        return torch.cat([self.conv(moved), kept], 1)
""",
        ("Partial(8, 2)", (2, 8, 8, 8)),
        ("Partial(8, 6)", (2, 8, 8, 8)),
    ),
    Planted(
        "a norm behind a pixel shuffle",
        """
class SubPixel(nn.Module):
    def __init__(self, in_ch, out_ch, scale=2):
        super().__init__()
        self.conv = nn.Conv2d(in_ch, out_ch * scale ** 2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)
        self.norm = nn.BatchNorm2d({{out_ch|in_ch}})

    def forward(self, x):
        return self.norm(self.shuffle(self.conv(x)))
""",
        ("SubPixel(4, 8)", (2, 4, 8, 8)),
        ("SubPixel(4, 8, 3)", (2, 4, 8, 8)),
        ("SubPixel(8, 8)", (2, 8, 8, 8)),
    ),
    Planted(
        "a convolution behind a pixel unshuffle",
        """
class SpaceToDepth(nn.Module):
    def __init__(self, in_ch, out_ch):
        super().__init__()
        self.unshuffle = nn.PixelUnshuffle(2)
        self.before = nn.Conv2d(in_ch, out_ch, 3, padding=1)
        self.after = nn.Conv2d(4 * {{out_ch|in_ch}}, out_ch, 1)

    def forward(self, x):
        return self.after(self.unshuffle(self.before(x)))
""",
        ("SpaceToDepth(4, 8)", (2, 4, 8, 8)),
        ("SpaceToDepth(4, 4)", (2, 4, 8, 8)),
    ),
    Planted(
        "a classifier behind global pooling",
        """
class Classifier(nn.Module):
    def __init__(self, in_chs, hidden_chs, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(in_chs, hidden_chs, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear({{hidden_chs|in_chs}}, num_classes)

    def forward(self, x):
        return self.fc(self.pool(self.conv(x)).flatten(1))
""",
        ("Classifier(4, 8, 10)", (2, 4, 8, 8)),
        ("Classifier(4, 4, 10)", (2, 4, 8, 8)),
    ),
    Planted(
        "a classifier behind a pooled map",
        """
class MapClassifier(nn.Module):
    def __init__(self, in_channels, width, num_classes=10, size=4):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(size)
        self.flatten = nn.Flatten()
        self.head = nn.Linear({{width|in_channels}} * size * size, num_classes)

    def forward(self, x):
        return self.head(self.flatten(self.pool(self.conv(x))))
""",
        ("MapClassifier(4, 8)", (2, 4, 16, 16)),
        ("MapClassifier(4, 4, 3, 2)", (2, 4, 16, 16)),
    ),
    Planted(
        "attention with an inner width",
        """
class Attention(nn.Module):
    def __init__(self, dim, heads=4, dim_head=16):
        super().__init__()
        inner_dim = heads * dim_head
        self.heads = heads
        self.to_qkv = nn.Linear(dim, inner_dim * 3, bias=False)
        self.to_out = nn.Linear({{inner_dim|dim}}, dim)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = self.to_qkv(x).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2)).softmax(-1)
        return self.to_out((weights @ v).transpose(1, 2).reshape(b, n, -1))
""",
        ("Attention(32)", (2, 5, 32)),
        ("Attention(64)", (2, 5, 64)),
    ),
    Planted(
        "attention of a projected sequence",
        """
class Attend(nn.Module):
    def __init__(self, in_dim, embed_dim, num_heads=4):
        super().__init__()
        self.proj = nn.Linear(in_dim, embed_dim)
        self.attn = nn.MultiheadAttention({{embed_dim|in_dim}}, num_heads, batch_first=True)

    def forward(self, x):
        x = self.proj(x)
        return self.attn(x, x, x, need_weights=False)[0]
""",
        ("Attend(8, 16)", (2, 5, 8)),
        ("Attend(16, 16)", (2, 5, 16)),
    ),
    Planted(
        "squeeze and excitation",
        """
class SqueezeExcite(nn.Module):
    def __init__(self, channels, rd_channels):
        super().__init__()
        self.reduce = nn.Conv2d(channels, rd_channels, 1)
        self.expand = nn.Conv2d({{rd_channels|channels}}, channels, 1)

    def forward(self, x):
        weights = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.expand(torch.relu(self.reduce(weights))))
""",
        ("SqueezeExcite(8, 2)", (2, 8, 4, 4)),
        ("SqueezeExcite(8, 8)", (2, 8, 4, 4)),
    ),
    Planted(
        "squeeze and excitation of linear layers, in a block",
        """
class Channels(nn.Module):
    def __init__(self, channel, reduction=4):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channel, channel // reduction),
            nn.ReLU(inplace=True),
            nn.Linear(channel // reduction, channel),
            nn.Sigmoid(),
        )

    def forward(self, x):
        b, c, _, _ = x.size()
        return x * self.fc(self.pool(x).view(b, c)).view(b, c, 1, 1)


class Excited(nn.Module):
    def __init__(self, in_c, mid_c, out_c):
        super().__init__()
        self.conv1 = nn.Conv2d(in_c, mid_c, 3, padding=1)
        self.conv2 = nn.Conv2d(mid_c, out_c, 3, padding=1)
        self.se = Channels({{out_c|mid_c}})

    def forward(self, x):
        return self.se(self.conv2(self.conv1(x)))
""",
        ("Excited(4, 8, 16)", (2, 4, 8, 8)),
        ("Excited(4, 8, 8)", (2, 4, 8, 8)),
    ),
    Planted(
        "an upsampled map and a skip connection",
        """
class UpBlock(nn.Module):
    def __init__(self, in_ch, skip_ch, out_ch):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_ch, in_ch, 2, 2)
        self.reduce = nn.Conv2d(skip_ch, out_ch, 1)
        self.conv = nn.Conv2d(in_ch + {{out_ch|skip_ch}}, out_ch, 3, padding=1)

    def forward(self, x, skip):
        return self.conv(torch.cat([self.up(x), self.reduce(skip)], 1))
""",
        ("UpBlock(4, 2, 6)", (2, 4, 4, 4), (2, 2, 8, 8)),
        ("UpBlock(4, 6, 6)", (2, 4, 4, 4), (2, 6, 8, 8)),
    ),
    Planted(
        "a depthwise branch in front of a projection",
        """
class Merge(nn.Module):
    def __init__(self, in_dim, out_dim):
        super().__init__()
        self.local = nn.Conv2d({{in_dim|out_dim}}, in_dim, 3, padding=1)
        self.project = nn.Conv2d(in_dim, 2 * out_dim, 1)
        self.last = nn.Conv2d(2 * out_dim, out_dim, 1)

    def forward(self, x):
        x = x + self.local(x)
        return self.last(torch.relu(self.project(x)))
""",
        ("Merge(4, 8)", (2, 4, 8, 8)),
        ("Merge(4, 4)", (2, 4, 8, 8)),
    ),
    Planted(
        "a depthwise layer of another width",
        """
class Separable(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.depthwise = nn.Conv2d({{in_channels|out_channels}}, in_channels, 3, padding=1, groups=in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))
""",
        ("Separable(8, 4)", (2, 8, 8, 8)),
        ("Separable(4, 4)", (2, 4, 8, 8)),
    ),
    Planted(
        "a bottleneck that needs equal ends",
        """
class Bottle(nn.Module):
    def __init__(self, inplanes, outplanes, base_width=64):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, base_width, 1)
        self.conv2 = nn.Conv2d(base_width, {{outplanes|base_width}}, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outplanes)

    def forward(self, x):
        return torch.relu(self.norm2(self.conv2(self.conv1(x))) + x)
""",
        ("Bottle(8, 8, 4)", (2, 8, 8, 8)),
        ("Bottle(4, 4, 4)", (2, 4, 8, 8)),
    ),
)
