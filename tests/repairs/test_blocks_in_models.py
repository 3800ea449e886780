"""A mistake in a block that a model builds for many widths, or in the list that the model keeps of its widths."""

from __future__ import annotations

import pytest

from tests.repairs.small_programs import HEAD, assert_mended, errors, folder, run

__all__ = ["folder"]

MODEL = f"""{HEAD}
import torch.nn.functional as F


class Embedding(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, t):
        args = t[:, None].float() * torch.arange(self.dim // 2)[None]
        return torch.cat([torch.cos(args), torch.sin(args)], dim=-1)


class ResBlock(nn.Module):
    def __init__(self, in_ch, out_ch, time_dim):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, in_ch)
        self.conv1 = nn.Conv2d(in_ch, out_ch, 3, padding=1)
        self.time = nn.Linear(time_dim, out_ch)
        self.conv2 = nn.Conv2d(out_ch, out_ch, 3, padding=1)
        self.skip = nn.Conv2d(in_ch, out_ch, 1) if in_ch != out_ch else nn.Identity()

    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(emb))[:, :, None, None]
        return self.conv2(F.silu(h)) + self.skip(x)


class Attention(nn.Module):
    def __init__(self, channels, heads=4):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Conv1d(channels, channels * 3, 1)
        self.proj = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = self.qkv(x.reshape(b, c, h * w)).chunk(3, dim=1)
        q = q.reshape(b * self.heads, c // self.heads, h * w)
        k = k.reshape(b * self.heads, c // self.heads, h * w)
        v = v.reshape(b * self.heads, c // self.heads, h * w)
        a = torch.softmax(torch.einsum("bct,bcs->bts", q, k), dim=-1)
        out = torch.einsum("bts,bcs->bct", a, v).reshape(b, c, h * w)
        return x + self.proj(out).reshape(b, c, h, w)


class Net(nn.Module):
    def __init__(self, mults=(1, 2, 4)):
        super().__init__()
        base, in_channels = 32, 3
        self.embed = nn.Sequential(Embedding(base), nn.Linear(base, 48), nn.SiLU(), nn.Linear(48, 48))
        self.stem = nn.Conv2d(in_channels, base, 3, padding=1)
        self.downs = nn.ModuleList()
        skips = [base]
        cur = base
        for mult in mults:
            out = base * mult
            self.downs.append(ResBlock(cur, out, 48))
            cur = out
            skips.append(cur)
        self.mid = Attention(cur)
        self.ups = nn.ModuleList()
        for mult in (*reversed(mults), 1):
            out = base * mult
            self.ups.append(ResBlock(cur + skips.pop(), out, 48))
            cur = out

    def forward(self, x, t=None):
        if t is None:
            t = torch.zeros(x.shape[0], dtype=torch.long)
        emb = self.embed(t)
        h = self.stem(x)
        hs = [h]
        for block in self.downs:
            h = block(h, emb)
            hs.append(h)
        h = self.mid(h)
        for block in self.ups:
            h = block(torch.cat([h, hs.pop()], 1), emb)
        return h
"""
MISTAKES = {
    "nn.Linear(time_dim, out_ch)": ("nn.Linear(time_dim, in_ch)", "out_ch"),
    "nn.Conv2d(out_ch, out_ch, 3": ("nn.Conv2d(out_ch, in_ch, 3", "out_ch"),
    "nn.Conv2d(in_ch, out_ch, 1)": ("nn.Conv2d(in_ch, in_ch, 1)", "out_ch"),
    "channels * 3": ("channels * 2", "3"),
    "nn.Linear(base, 48)": ("nn.Linear(in_channels, 48)", "base"),
    "skips = [base]": ("skips = [in_channels]", "base"),
}
"""Each right text, the wrong one, and the repair."""


def test_the_model_runs_and_nothing_is_found() -> None:
    assert run(MODEL) is not None
    assert errors(MODEL) == []


@pytest.mark.parametrize("right", MISTAKES)
def test_the_mistake_is_one_error_at_its_line_with_its_repair(right: str) -> None:
    wrong, repair = MISTAKES[right]
    assert_mended(MODEL.replace(right, wrong), wrong, repair)


def test_an_optional_input_that_the_forward_does_not_replace_may_be_always_passed() -> None:
    source = MODEL.replace("nn.Linear(base, 48)", "nn.Linear(in_channels, 48)")
    assert errors(source.replace("if t is None:", "if t is None and x.dim() == 4:")) == []


IN_HELPERS = f"""{HEAD}
class ConvNorm(nn.Module):
    def __init__(self, inp, oup, kernel=1):
        super().__init__()
        self.conv = nn.Conv2d(inp, oup, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(oup)

    def forward(self, x):
        return self.norm(self.conv(x))


class Fused(nn.Module):
    def __init__(self, inp, oup, mid=None, ratio=4):
        super().__init__()
        mid = mid or round(inp * ratio)
        self.spatial = ConvNorm(inp, mid, 3)
        self.point = ConvNorm(mid, oup)

    def forward(self, x):
        return self.point(torch.relu(self.spatial(x)))


class Net(nn.Module):
    def __init__(self, widths=(16, 32, 64)):
        super().__init__()
        self.stem = ConvNorm(3, widths[0])
        self.blocks = nn.Sequential(*[Fused(a, b) for a, b in zip(widths, widths[1:])])

    def forward(self, x):
        return self.blocks(self.stem(x))


model = Net()
model(torch.rand(2, 3, 16, 16))
"""


@pytest.mark.parametrize(
    ("right", "wrong", "repair"),
    [("ConvNorm(inp, mid, 3)", "ConvNorm(inp, oup, 3)", "mid"), ("ConvNorm(mid, oup)", "ConvNorm(inp, oup)", "mid")],
)
def test_a_class_whose_layers_a_helper_builds_is_repaired_in_the_class(right: str, wrong: str, repair: str) -> None:
    assert errors(IN_HELPERS) == []
    assert_mended(IN_HELPERS.replace(right, wrong), wrong, repair)


ATTENTION = f"""{HEAD}
class ClassAttention(nn.Module):
    def __init__(self, dim, num_heads=4, bias=False):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.scale = self.head_dim ** -0.5
        self.kv = nn.Linear(dim, self.head_dim * self.num_heads * 2, bias=bias)
        self.q = nn.Linear(dim, self.head_dim * self.num_heads, bias=bias)
        self.proj = nn.Linear(self.head_dim * self.num_heads, dim)

    def forward(self, x):
        B, N, C = x.shape
        kv = self.kv(x).reshape(B, N, 2, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        k, v = kv.unbind(0)
        q = self.q(x[:, :1, :]).reshape(B, self.num_heads, 1, self.head_dim) * self.scale
        attn = (q @ k.transpose(-2, -1)).softmax(dim=-1)
        return self.proj((attn @ v).transpose(1, 2).reshape(B, 1, self.head_dim * self.num_heads))


class Block(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attn = ClassAttention(dim, num_heads)

    def forward(self, x):
        return torch.cat([x[:, :1] + self.attn(self.norm(x)), x[:, 1:]], dim=1)


class Net(nn.Module):
    def __init__(self, dim=48):
        super().__init__()
        self.patches = nn.Conv2d(3, dim, 4, 4)
        self.block = Block(dim, 6)

    def forward(self, x):
        return self.block(self.patches(x).flatten(2).transpose(1, 2))


model = Net()
model(torch.rand(2, 3, 16, 16))
"""


@pytest.mark.parametrize(
    ("right", "wrong", "repair"),
    [
        (
            "self.q = nn.Linear(dim, self.head_dim * self.num_heads,",
            "self.q = nn.Linear(dim, self.head_dim * self.num_heads * 2,",
            "self.head_dim * self.num_heads",
        ),
        ("ClassAttention(dim, num_heads)", "ClassAttention(dim * 2, num_heads)", "dim"),
    ],
)
def test_a_class_that_fails_and_the_model_that_it_fails_in_are_one_finding(right: str, wrong: str, repair: str) -> None:
    assert errors(ATTENTION) == []
    assert_mended(ATTENTION.replace(right, wrong), wrong, repair)
