"""Mistakes in the calls of ``forward`` that move, join and split dimensions, and in the sizes of views."""

from __future__ import annotations

import pytest

from tests.repairs.small_programs import assert_mended, errors, folder, run

__all__ = ["folder"]

NET = """
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, dim, heads, dim_head):
        super().__init__()
        self.heads = heads
        self.dim_head = dim_head
        self.to_q = nn.Linear(dim, heads * dim_head)
        self.to_kv = nn.Linear(dim, heads * dim_head * 2)
        self.out = nn.Linear(heads * dim_head, dim)

    def split(self, t):
        b, n, _ = t.shape
        return t.view(b, n, self.heads, self.dim_head).transpose(1, 2)

    def forward(self, x):
        b, n, _ = x.shape
        k, v = self.to_kv(x).chunk(2, dim=-1)
        q, k, v = self.split(self.to_q(x)), self.split(k), self.split(v)
        attention = (q @ k.transpose(-2, -1)).softmax(-1)
        x = (attention @ v).transpose(1, 2).reshape(b, n, self.heads * self.dim_head)
        return self.out(x)


class Cell(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.hidden = hidden
        self.gates = nn.Conv2d(2 * hidden, 4 * hidden, 3, padding=1)

    def forward(self, x, h, c):
        i, f, o, g = torch.split(self.gates(torch.cat([x, h], dim=1)), self.hidden, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class Gate(nn.Module):
    def forward(self, x):
        value, gate = x.chunk(2, dim=1)
        return value * gate.sigmoid()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 40, 8, 8), Gate(), nn.Conv2d(20, 20, 1))
        self.cell = Cell(20)
        self.attention = Attention(20, 2, 14)
        self.head = nn.Conv2d(20, 5, 1)
        self.pool = nn.Linear(20, 7)

    def forward(self, x):
        x = self.stem(x)
        x, _ = self.cell(x, torch.zeros_like(x), torch.zeros_like(x))
        b, c, h, w = x.shape
        tokens = self.attention(x.flatten(2).permute(0, 2, 1))
        maps = tokens.view(b, h, w, c).permute(0, 3, 1, 2)
        return self.head(maps), self.pool(tokens.mean(dim=1))


if __name__ == "__main__":
    Net()(torch.zeros(2, 3, 32, 48))
"""

MISTAKES = {
    "a wrong order of dimensions": (".permute(0, 3, 1, 2)", ".permute(0, 1, 3, 2)", ["3", "1"]),
    "too many parts": ("x.chunk(2, dim=1)", "x.chunk(4, dim=1)", ["2"]),
    "parts that are too large": ("dim=1)), self.hidden, dim=1)", "dim=1)), 2 * self.hidden, dim=1)", ["self.hidden"]),
    "a view without the heads": (
        "reshape(b, n, self.heads * self.dim_head)",
        "reshape(b, n, self.dim_head)",
        ["self.dim_head * self.heads"],
    ),
    "too few features for a view": (
        "self.to_q = nn.Linear(dim, heads * dim_head)",
        "self.to_q = nn.Linear(dim, 2 * dim_head + dim)",
        ["heads * dim_head"],
    ),
    "maps joined along their height": ("torch.cat([x, h], dim=1)", "torch.cat([x, h], dim=2)", ["1"]),
}


def test_the_program_has_no_error() -> None:
    assert run(NET) is not None
    assert errors(NET) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_the_call_with_the_mistake_is_repaired(name: str) -> None:
    right, wrong, repair = MISTAKES[name]
    assert NET.count(right) == 1
    assert_mended(NET.replace(right, wrong), wrong, *repair)


DECODER = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, features=24, hidden=16, classes=10):
        super().__init__()
        self.stem = nn.Conv2d(3, features, 4, 4)
        self.cell = nn.GRUCell(features + classes, hidden)
        self.out = nn.Linear(hidden, classes)

    def forward(self, x):
        context = self.stem(x).mean((2, 3))
        h = x.new_zeros(x.size(0), 16)
        y = x.new_zeros(x.size(0), 10)
        for _ in range(3):
            h = self.cell(torch.cat([context, y], 1), h)
            y = self.out(h).softmax(-1)
        return y
"""


def test_a_recurrent_cell_expects_other_features() -> None:
    assert errors(DECODER) == []
    wrong = "nn.GRUCell(features + hidden, hidden)"
    assert_mended(DECODER.replace("nn.GRUCell(features + classes, hidden)", wrong), wrong, "classes")


GATES = """
import torch
from torch import nn


class Gated(nn.Module):
    def __init__(self, width, skip):
        super().__init__()
        self.gates = nn.Conv2d(width, 3 * width, 1)
        self.state = nn.Conv2d(width, 3 * width, 1)
        self.conv = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.out = nn.Conv2d(width, width, 1)
        self.skip = nn.Conv2d(width, skip, 1)

    def forward(self, x):
        r, z, n = self.gates(x).chunk(3, 1)
        a, b, c = self.state(x).chunk(3, 1)
        x = (r + a).sigmoid() * x + (z + b).sigmoid() * (n + c).tanh()
        y = torch.nn.functional.glu(self.conv(x), dim=1)
        return x + self.out(y), self.skip(y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 20, 4, 4)
        self.first = Gated(20, 12)
        self.second = Gated(20, 12)

    def forward(self, x):
        x, first = self.first(self.stem(x))
        x, second = self.second(x)
        return first + second
"""


@pytest.mark.parametrize(
    ("right", "wrong", "repair"),
    [
        ("self.conv = nn.Conv2d(width, 2 * width,", "self.conv = nn.Conv2d(width, width,", "2 * width"),
        ("self.gates = nn.Conv2d(width, 3 * width,", "self.gates = nn.Conv2d(width, 4 * width,", "3"),
        ("self.state = nn.Conv2d(width, 3 * width,", "self.state = nn.Conv2d(width, 4 * width,", "3"),
    ],
)
def test_one_output_that_several_layers_read(right: str, wrong: str, repair: str) -> None:
    assert errors(GATES) == []
    assert_mended(GATES.replace(right, wrong), wrong, repair)
