"""Layers whose output is halved, split, reshaped or multiplied before it is read: their number is repaired."""

from __future__ import annotations

import pytest

from convlint.source_text.edits import apply
from tests.repairs.small_programs import HEAD, errors, folder, run

__all__ = ["folder"]

GATED = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, width=20):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.gate = nn.Conv2d(width, width, 1)  # <- 2 * width
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.head = nn.Conv2d(width, 5, 1)

    def forward(self, x):
        x = nn.functional.glu(self.gate(self.stem(x)), dim=1)
        return self.head(self.mix(x) + x)
"""

CHUNKED = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.both = nn.Conv2d(3, 3 * 12, 1)  # <- 2 * 12
        self.left = nn.Conv2d(12, 12, 3, padding=1)
        self.right = nn.Conv2d(12, 12, 5, padding=2)

    def forward(self, x):
        a, b = self.both(x).chunk(2, dim=1)
        return self.left(a) * self.right(b)
"""

UNPACKED = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, hidden=10):
        super().__init__()
        self.hidden = hidden
        self.stem = nn.Conv2d(3, hidden, 3, padding=1)
        self.gates = nn.Conv2d(hidden, 2 * hidden, 1)  # <- 3 * hidden

    def forward(self, x):
        x = self.stem(x)
        reset, update, new = torch.split(self.gates(x), self.hidden, dim=1)
        return torch.sigmoid(update) * x + torch.sigmoid(reset) * torch.tanh(new)
"""

VIEWED = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.Conv2d(3, 18, 8, stride=8)  # <- 17

    def forward(self, x):
        x = self.cells(x).softmax(1)[:, :-1]
        return x.view(x.size(0), 4, 4, 4, 4)
"""

SCALED = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 14, 3, padding=1), nn.BatchNorm2d(14))
        self.scale = nn.Linear(3, 3)  # <- 14

    def forward(self, x):
        scale = self.scale(x.mean((2, 3)))
        return self.conv(x) * scale[:, :, None, None]
"""

ATTRIBUTE = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 22, 3)
        self.second = nn.Conv2d(self.first.out_channels, 30, 3)
        self.third = nn.Conv2d(self.second.in_channels, 6, 1)  # <- out_channels

    def forward(self, x):
        return self.third(self.second(self.first(x)))
"""

POSITIONS = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        count = (32 // 8) ** 2
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, count, width))  # <- count + 1

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        return torch.cat([self.first.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
"""

MASK = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 15, 3, 2, 1), nn.BatchNorm2d(15))
        self.register_buffer("mask", torch.ones((16, 1, 1)))  # <- 15

    def forward(self, x):
        return self.conv(x) * self.mask
"""


EMBEDDED = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.table = nn.Embedding(100, 20)  # <- width
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.out = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x):
        steps = torch.zeros(len(x), dtype=torch.long)
        return self.out(torch.relu(self.stem(x) + self.table(steps)[:, :, None, None]))
"""


@pytest.mark.parametrize("source", [GATED, CHUNKED, UNPACKED, VIEWED, SCALED, ATTRIBUTE, POSITIONS, MASK, EMBEDDED])
@pytest.mark.parametrize("is_run", [False, True], ids=["text", "run"])
def test_the_number_of_the_layer_before_is_repaired(source: str, is_run: bool) -> None:
    call = "\n\nif __name__ == '__main__':\n    Net()(torch.zeros(2, 3, 32, 32))\n"
    (found,) = errors(source, "net.py:Net", input=(3, 32, 32)) if is_run else errors(source + call)
    assert found.site is not None
    assert "<-" in source.splitlines()[found.site.line - 1]
    assert run(apply(source.encode(), found.repairs[0].edits).decode()) is not None


def test_another_factor_of_a_parameter_is_preferred_to_a_number_in_its_place() -> None:
    source = f"""{HEAD}
class Attention(nn.Module):
    def __init__(self, width, heads=4):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Conv2d(width, width * 2, 1)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        qkv = self.qkv(x).reshape(b * self.heads, c // self.heads * 3, h * w)
        q, k, v = qkv.chunk(3, dim=1)
        weights = torch.einsum("bct,bcs->bts", q, k).softmax(-1)
        return x + self.out(torch.einsum("bts,bcs->bct", weights, v).reshape(b, c, h, w))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 4, 1)
        self.attention = Attention(16)

    def forward(self, x):
        return self.attention(self.stem(x))


Net()(torch.zeros(2, 3, 32, 32))
"""
    (finding,) = errors(source)
    assert finding.site is not None
    assert "width * 2" in source.splitlines()[finding.site.line - 1]
    assert [edit.text for edit in finding.repairs[0].edits] == ["3"]
