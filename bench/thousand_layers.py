"""A model of 1,000 leaf layers for the report page: 24 blocks in four stages, and a long list of single layers."""

from __future__ import annotations

import torch
from torch import nn


class Block(nn.Module):
    """Three times a depthwise and a pointwise convolution, with a shortcut around them: 21 layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [
                nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Dropout2d(0.1),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.layers(x)
        return result


class Thousand(nn.Module):
    """A model of 1,000 layers without submodules, called one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.stages = nn.ModuleList(nn.Sequential(*[Block(16) for _ in range(6)]) for _ in range(4))
        chain: list[nn.Module] = []
        for _ in range(123):
            chain += [nn.Conv2d(16, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.SiLU(), nn.Identity()]
        self.chain = nn.Sequential(*chain)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        result: torch.Tensor = self.head(self.flat(self.pool(self.chain(x))))
        return result
