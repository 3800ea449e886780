"""Classes whose mistake something else hides: an option among many, another failure, code that is hard to follow."""

from __future__ import annotations

from tests.latent.planted import Planted

HIDDEN = (
    Planted(
        "a class that logs its name",
        """
def log_once(obj):
    name = f"{obj.__module__}.{obj.__class__.__name__}"
    if not name.startswith("torch"):
        torch._C._log_api_usage_once(name)


class Gate(nn.Module):
    def __init__(self, channels: int, squeeze: int, activation=nn.ReLU):
        super().__init__()
        log_once(self)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, {{squeeze|channels}}, 1)
        self.fc2 = nn.Conv2d(squeeze, channels, 1)
        self.activation = activation()

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(self.activation(self.fc1(self.pool(x)))))
""",
        ("Gate(8, 2)", (2, 8, 4, 4)),
        ("Gate(8, 8)", (2, 8, 4, 4)),
    ),
    Planted(
        "a width that may be a list",
        """
from typing import List, Union


class Fusion(nn.Module):
    def __init__(self, in_chs: Union[int, List[int]], out_chs: int):
        super().__init__()
        self.in_channels = sum(in_chs) if isinstance(in_chs, (list, tuple)) else in_chs
        self.out_channels = out_chs
        self.mix = nn.Conv2d(self.in_channels, self.out_channels, 1)
        self.norm = nn.BatchNorm2d({{self.out_channels|in_chs}})

    def forward(self, x):
        return self.norm(self.mix(x))
""",
        ("Fusion(8, 4)", (2, 8, 4, 4)),
        ("Fusion(4, 4)", (2, 4, 4, 4)),
    ),
    Planted(
        "a norm of the width of a head",
        """
class Heads(nn.Module):
    def __init__(self, dim: int, num_heads: int = 2):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = dim // num_heads // 2
        self.qkv = nn.Linear(dim, 3 * dim)
        self.norm = nn.LayerNorm({{2 * self.head_dim|dim}})
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        batch, count, width = x.shape
        v = self.qkv(x).chunk(3, dim=-1)[2]
        v = self.norm(v.reshape(batch, count, self.num_heads, 2 * self.head_dim))
        return self.proj(v.reshape(batch, count, width))
""",
        ("Heads(8)", (2, 5, 8)),
        ("Heads(16, 4)", (2, 5, 16)),
    ),
    Planted(
        "queries and keys in attention that may be fused",
        """
class Attention(nn.Module):
    def __init__(self, dim: int, dim_out: int, num_heads: int = 4, key_dim: int = 16):
        super().__init__()
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.is_fused = hasattr(torch.nn.functional, "scaled_dot_product_attention") and is_fast()
        self.query = nn.Linear(dim, num_heads * key_dim)
        self.key = nn.Linear(dim, {{key_dim|dim}})
        self.value = nn.Linear(dim, key_dim)
        self.proj = nn.Linear(num_heads * key_dim, dim_out)

    def forward(self, x):
        batch, count, _ = x.shape
        q = self.query(x).reshape(batch, count, self.num_heads, self.key_dim).transpose(1, 2)
        k, v = self.key(x).unsqueeze(1), self.value(x).unsqueeze(1)
        if self.is_fused:
            y = nn.functional.scaled_dot_product_attention(q, k, v)
        else:
            y = (q @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        return self.proj(y.transpose(1, 2).reshape(batch, count, -1))


def is_fast():
    return torch.backends.cpu.get_cpu_capability() != "DEFAULT"
""",
        ("Attention(32, 8)", (2, 5, 32)),
        ("Attention(16, 8)", (2, 5, 16)),
    ),
    Planted(
        "a width of the class that an option may not differ from",
        """
class Mixer(nn.Module):
    def __init__(self, dim: int, dim_out=None, heads: int = 4, dim_qk: int = 16):
        super().__init__()
        dim_out = dim_out or dim
        self.heads = heads
        self.dim_v = dim_out // heads
        self.dim_qk = dim_qk
        self.to_qv = nn.Conv2d(dim, heads * dim_qk + self.dim_v, 1)
        self.norm_q = nn.BatchNorm2d({{heads * dim_qk|dim}})
        self.norm_v = nn.BatchNorm2d(self.dim_v)

    def forward(self, x):
        batch, channels, height, width = x.shape
        q, v = self.to_qv(x).split([self.heads * self.dim_qk, self.dim_v], dim=1)
        q = self.norm_q(q).reshape(batch, self.heads, self.dim_qk, -1)
        v = self.norm_v(v).reshape(batch, 1, self.dim_v, -1)
        return (v * q.mean(2, keepdim=True)).reshape(batch, channels, height, width)
""",
        ("Mixer(32)", (2, 32, 4, 4)),
        ("Mixer(64)", (2, 64, 4, 4)),
    ),
    Planted(
        "one of many flags",
        """
class Encoder(nn.Module):
    def __init__(
        self, dim: int, ratio: float = 4.0, qkv_bias: bool = True, pre_norm: bool = True, gated: bool = False,
        deep: bool = False, scaled: bool = False, glu: bool = False, post_norm: bool = False,
    ):
        super().__init__()
        hidden = int(dim * ratio)
        self.norm = nn.LayerNorm(dim) if pre_norm else nn.Identity()
        self.qkv = nn.Linear(dim, dim, bias=qkv_bias)
        self.gate = nn.Linear(dim, dim) if gated else nn.Identity()
        self.deep = nn.Linear(dim, dim) if deep else nn.Identity()
        self.scale = nn.LayerNorm(dim) if scaled else nn.Identity()
        if glu:
            self.mlp = nn.Sequential(nn.Linear({{dim|hidden}}, 2 * hidden), nn.GLU(), nn.Linear(hidden, dim))
        else:
            self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        self.last = nn.LayerNorm(dim) if post_norm else nn.Identity()

    def forward(self, x):
        x = x + self.scale(self.deep(self.gate(self.qkv(self.norm(x)))))
        return self.last(x + self.mlp(x))
""",
        ("Encoder(8)", (2, 5, 8)),
        ("Encoder(8, glu=True)", (2, 5, 8)),
    ),
    Planted(
        "a norm of the program",
        """
class ChannelNorm(nn.Module):
    def __init__(self, channels: int, eps: float = 1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        x = x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + self.eps)
        return x * self.weight[:, None, None]


class Block(nn.Module):
    def __init__(self, in_chs: int, out_chs: int, hidden: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_chs, hidden, 1)
        self.norm1 = ChannelNorm({{hidden|in_chs}})
        self.conv2 = nn.Conv2d(hidden, out_chs, 1)
        self.norm2 = ChannelNorm(out_chs)

    def forward(self, x):
        return self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
""",
        ("Block(8, 4, 2)", (2, 8, 4, 4)),
        ("Block(8, 4, 8)", (2, 8, 4, 4)),
    ),
    Planted(
        "a norm that calls the function with its own width",
        """
class RootNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.shape = (width,)
        self.weight = nn.Parameter(torch.ones(self.shape))

    def forward(self, x):
        return nn.functional.rms_norm(x, self.shape, self.weight)


class Mlp(nn.Module):
    def __init__(self, dim: int, ratio: int = 4):
        super().__init__()
        hidden = dim * ratio
        self.fc1 = nn.Linear(dim, hidden)
        self.norm = RootNorm({{hidden|dim}})
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(self.norm(torch.relu(self.fc1(x))))
""",
        ("Mlp(8)", (2, 5, 8)),
        ("Mlp(4, 2)", (2, 5, 4)),
    ),
    Planted(
        "a parameter that is computed where it is None, and one layer that does not read it",
        """
class Mixed(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, mid_channels=None, expand_ratio: float = 2):
        super().__init__()
        mid_channels = mid_channels or round(in_channels * expand_ratio)
        self.conv1 = nn.Conv2d(in_channels, mid_channels, 3, padding=1)
        self.conv2 = nn.Conv2d({{mid_channels|out_channels}}, out_channels, 1)

    def forward(self, x):
        return self.conv2(torch.relu(self.conv1(x)))
""",
        ("Mixed(4, 8)", (2, 4, 6, 6)),
        ("Mixed(4, 6, 10)", (2, 4, 6, 6)),
    ),
    Planted(
        "a head whose inner width one layer does not read",
        """
class Head(nn.Sequential):
    def __init__(self, in_channels: int, channels: int):
        inter = in_channels // 4
        super().__init__(
            nn.Conv2d(in_channels, inter, 3, padding=1, bias=False),
            nn.BatchNorm2d(inter),
            nn.ReLU(),
            nn.Conv2d({{inter|channels}}, channels, 1),
        )
""",
        ("Head(16, 4)", (2, 16, 4, 4)),
        ("Head(16, 6)", (2, 16, 4, 4)),
    ),
)
