"""A file of one hundred lines, as people have them: the one that bench/source.py checks alone.

A U-Net (Ronneberger et al. 2015, arXiv:1505.04597) with norms, and with squeeze-and-excitation at
its lowest level.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


class ConvBlock(nn.Module):
    """Two convolutions of 3x3, each with a norm and an activation."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.block(x)
        return result


class Gate(nn.Module):
    """Squeeze and excite: weights for the channels, from their means."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1)
        self.excite = nn.Conv2d(channels // reduction, channels, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = self.excite(self.relu(self.squeeze(self.pool(x))))
        return x * torch.sigmoid(weights)


class Down(nn.Module):
    """Half the size, other channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.block = ConvBlock(in_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.block(self.pool(x))
        return result


class Up(nn.Module):
    """Twice the size, together with what came by on the way down."""

    def __init__(self, in_channels: int, skipped: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, 2, stride=2)
        self.block = ConvBlock(in_channels // 2 + skipped, out_channels)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.block(torch.cat([skip, self.up(x)], dim=1))
        return result


class UNet(nn.Module):
    """Four levels down and up again."""

    def __init__(self, in_channels: int = 3, classes: int = 21, width: int = 64) -> None:
        super().__init__()
        self.first = ConvBlock(in_channels, width)
        widths = [width * factor for factor in (1, 2, 4, 8, 16)]
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(Down(narrow, wide) for narrow, wide in pairs)
        self.gate = Gate(widths[-1])
        self.up = nn.ModuleList(Up(wide, narrow, narrow) for narrow, wide in reversed(pairs))
        self.last = nn.Conv2d(width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        passed = [self.first(x)]
        for down in self.down:
            passed.append(down(passed[-1]))
        y = self.gate(passed.pop())
        for up in self.up:
            y = up(y, passed.pop())
        result: torch.Tensor = self.last(y)
        return result


if __name__ == "__main__":
    print(UNet()(torch.randn(1, 3, 64, 64)).shape)
