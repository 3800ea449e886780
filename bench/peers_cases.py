"""Small models for comparing tools. None has a bias, because tools disagree on whether to count it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE = (8, 32, 32)
"""Input shape of each, without the batch."""


class Functional(nn.Module):
    """A functional convolution with a weight of the model, after a convolution module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1, bias=False)
        self.weight = nn.Parameter(torch.zeros(16, 8, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(self.conv(x), self.weight, padding=1)


class Reused(nn.Module):
    """A convolution module that is called three times."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(self.conv(self.conv(x)))
        return out


class Attention(nn.Module):
    """A matrix product of two maps after a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.conv(x).flatten(2)
        return maps.mT @ maps


class Scaled(nn.Module):
    """PyTorch's attention function, with a convolution for queries, keys and values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 24, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        queries, keys, values = self.conv(x).flatten(2).mT.chunk(3, dim=2)
        return functional.scaled_dot_product_attention(queries, keys, values)


class Heads(nn.Module):
    """PyTorch's attention module with two heads."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1, bias=False)
        self.attention = nn.MultiheadAttention(8, 2, bias=False, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv(x).flatten(2).mT
        out: Tensor = self.attention(maps, maps, maps, need_weights=False)[0]
        return out


class Named(nn.Module):
    """Two named outputs, as in models for segmentation and detection."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.aux = nn.Conv2d(8, 4, 1, bias=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = self.body(x)
        return {"out": maps, "aux": self.aux(maps)}


class Broken(nn.Module):
    """Two broken layers: a norm for 8 channels receives 16, and a convolution for 8 channels receives 4."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(8, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(16, 4, 1)
        self.third = nn.Conv2d(8, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.third(self.second(self.norm(self.first(x)).relu()))
        return out


class Frozen(nn.Module):
    """A model in training mode, except for one norm that was set to eval mode on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.norm.eval()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.conv(x))
        return out


def _conv(out: int, groups: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(8, out, 3, padding=1, groups=groups, bias=False))


def _transposed(groups: int) -> nn.Module:
    return nn.Sequential(nn.ConvTranspose2d(8, 8, 2, stride=2, groups=groups, bias=False))


CASES: dict[str, Callable[[], nn.Module]] = {
    "dense convolution": lambda: _conv(16, 1),
    "grouped, 4 groups": lambda: _conv(16, 4),
    "depthwise": lambda: _conv(8, 8),
    "transposed": lambda: _transposed(1),
    "transposed, 4 groups": lambda: _transposed(4),
    "functional convolution": Functional,
    "one module, called three times": Reused,
    "matrix product of maps": Attention,
    "`scaled_dot_product_attention`": Scaled,
    "`nn.MultiheadAttention`": Heads,
    "a dict as output": Named,
}
