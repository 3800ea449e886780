"""Classes of one layer after another, each with one number that may be wrong: norms, activations, convolutions."""

from __future__ import annotations

from tests.latent.planted import Planted

LAYERS = (
    Planted(
        "a norm of sequences",
        """
class Encoder(nn.Module):
    def __init__(self, channels, hidden, kernel_size=3):
        super().__init__()
        self.conv = nn.Conv1d(channels, hidden, kernel_size, padding=kernel_size // 2)
        self.norm = nn.BatchNorm1d({{hidden|channels}})

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)))
""",
        ("Encoder(4, 8)", (2, 4, 16)),
        ("Encoder(8, 8)", (2, 8, 16)),
    ),
    Planted(
        "a norm of volumes in a Sequential",
        """
class Volume(nn.Module):
    def __init__(self, in_ch, mid_ch, out_ch):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(in_ch, mid_ch, 3, padding=1),
            nn.BatchNorm3d(mid_ch),
            nn.ReLU(),
            nn.Conv3d(mid_ch, out_ch, 3, padding=1),
            nn.BatchNorm3d({{out_ch|mid_ch}}),
        )

    def forward(self, volume):
        return self.layers(volume)
""",
        ("Volume(2, 4, 8)", (1, 2, 4, 4, 4)),
        ("Volume(2, 4, 4)", (1, 2, 4, 4, 4)),
    ),
    Planted(
        "a norm of groups",
        """
class GroupNormed(nn.Module):
    def __init__(self, in_dim, out_dim, groups=8):
        super().__init__()
        self.proj = nn.Conv2d(in_dim, out_dim, 1)
        self.gn = nn.GroupNorm(groups, {{out_dim|in_dim}})

    def forward(self, x):
        return self.gn(self.proj(x))
""",
        ("GroupNormed(16, 32)", (2, 16, 4, 4)),
        ("GroupNormed(16, 16)", (2, 16, 4, 4)),
    ),
    Planted(
        "a norm of features",
        """
class Tokens(nn.Module):
    def __init__(self, token_dim, embed_dim):
        super().__init__()
        self.embed = nn.Linear(token_dim, embed_dim)
        self.norm = nn.LayerNorm({{embed_dim|token_dim}})

    def forward(self, tokens):
        return self.norm(self.embed(tokens))
""",
        ("Tokens(8, 24)", (2, 5, 8)),
        ("Tokens(8, 8)", (2, 5, 8)),
    ),
    Planted(
        "a norm of instances",
        """
class Style(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv = nn.Conv2d(cin, cout, 3)
        self.norm = nn.InstanceNorm2d({{cout|cin}}, affine=True)

    def forward(self, x):
        return self.norm(self.conv(self.pad(x)))
""",
        ("Style(4, 8)", (2, 4, 8, 8)),
        ("Style(8, 8)", (2, 8, 8, 8)),
    ),
    Planted(
        "an activation with slopes behind a transposed convolution",
        """
class Upsample(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1)
        self.act = nn.PReLU({{out_channels|in_channels}})

    def forward(self, x):
        return self.act(self.up(x))
""",
        ("Upsample(8, 4)", (2, 8, 8, 8)),
        ("Upsample(8, 8)", (2, 8, 8, 8)),
    ),
    Planted(
        "a norm before its convolution",
        """
class PreActivation(nn.Module):
    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.bn1 = nn.BatchNorm2d({{in_planes|planes}})
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.shortcut = None
        if stride != 1 or in_planes != planes:
            self.shortcut = nn.Conv2d(in_planes, planes, 1, stride, bias=False)

    def forward(self, x):
        out = torch.relu(self.bn1(x))
        identity = x if self.shortcut is None else self.shortcut(out)
        out = self.conv1(out)
        return self.conv2(torch.relu(self.bn2(out))) + identity
""",
        ("PreActivation(4, 8)", (2, 4, 8, 8)),
        ("PreActivation(4, 8, 2)", (2, 4, 8, 8)),
        ("PreActivation(4, 4)", (2, 4, 8, 8)),
    ),
    Planted(
        "transposed convolutions of sequences",
        """
class Decoder(nn.Module):
    def __init__(self, latent_dim, width, out_dim):
        super().__init__()
        self.first = nn.ConvTranspose1d(latent_dim, width, 4, 2, 1)
        self.second = nn.ConvTranspose1d({{width|latent_dim}}, out_dim, 4, 2, 1)

    def forward(self, z):
        return self.second(torch.relu(self.first(z)))
""",
        ("Decoder(4, 8, 1)", (2, 4, 6)),
        ("Decoder(4, 4, 1)", (2, 4, 6)),
    ),
    Planted(
        "a convolution behind a transposed one, in volumes",
        """
class Grow(nn.Module):
    def __init__(self, in_ch, out_ch):
        super().__init__()
        self.grow = nn.ConvTranspose3d(in_ch, in_ch // 2, 2, 2)
        self.conv = nn.Conv3d({{in_ch // 2|in_ch}}, out_ch, 3, padding=1)

    def forward(self, x):
        return self.conv(self.grow(x))
""",
        ("Grow(8, 4)", (1, 8, 2, 2, 2)),
        ("Grow(4, 4)", (1, 4, 2, 2, 2)),
    ),
    Planted(
        "groups of another width",
        """
class Depthwise(nn.Module):
    def __init__(self, in_chs, hidden_chs, out_chs):
        super().__init__()
        self.expand = nn.Conv2d(in_chs, hidden_chs, 1)
        self.depthwise = nn.Conv2d(hidden_chs, hidden_chs, 3, padding=1, groups={{hidden_chs|in_chs}})
        self.project = nn.Conv2d(hidden_chs, out_chs, 1)

    def forward(self, x):
        return self.project(self.depthwise(self.expand(x)))
""",
        ("Depthwise(4, 6, 8)", (2, 4, 8, 8)),
        ("Depthwise(4, 8, 8)", (2, 4, 8, 8)),
    ),
    Planted(
        "two linear layers",
        """
class Mlp(nn.Module):
    def __init__(self, in_features, hidden_features=None, out_features=None, drop=0.0):
        super().__init__()
        out_features = out_features or in_features
        hidden_features = hidden_features or in_features
        self.fc1 = nn.Linear(in_features, hidden_features)
        self.act = nn.GELU()
        self.fc2 = nn.Linear({{hidden_features|in_features}}, out_features)
        self.drop = nn.Dropout(drop)

    def forward(self, x):
        return self.drop(self.fc2(self.act(self.fc1(x))))
""",
        ("Mlp(4, 8)", (2, 4)),
        ("Mlp(4, 8, 3)", (2, 5, 4)),
        ("Mlp(4)", (2, 4)),
    ),
    Planted(
        "a norm of vectors",
        """
class Projection(nn.Module):
    def __init__(self, dim, hidden_dim, out_dim):
        super().__init__()
        self.layer1 = nn.Linear(dim, hidden_dim)
        self.bn1 = nn.BatchNorm1d(hidden_dim)
        self.layer2 = nn.Linear(hidden_dim, out_dim)
        self.bn2 = nn.BatchNorm1d({{out_dim|hidden_dim}}, affine=False)

    def forward(self, x):
        return self.bn2(self.layer2(torch.relu(self.bn1(self.layer1(x)))))
""",
        ("Projection(4, 8, 6)", (3, 4)),
        ("Projection(4, 8, 8)", (3, 4)),
    ),
)
