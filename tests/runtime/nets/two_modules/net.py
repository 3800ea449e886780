"""A small detector: three stages, and a head on two of them."""

import torch
from torch import nn

from . import blocks
from .blocks import Bottleneck, Conv


class Head(nn.Module):
    def __init__(self, channels, outputs):
        super().__init__()
        self.box = nn.Sequential(Conv(channels, 32, 3), nn.Conv2d(32, outputs, 1))
        self.depthwise = blocks.Conv(channels, channels, 3, g=channels)
        self.score = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, x):
        x = torch.cat([self.box(x), self.score(self.depthwise(x))], 1)
        return x.flatten(2)


class Net(nn.Module):
    def __init__(self, width=16, depth=1, outputs=4):
        super().__init__()
        self.stem = Conv(3, width, 3, 2)
        self.stage1 = self.stage(width, 2 * width, depth)
        self.stage2 = self.stage(2 * width, 4 * width, depth)
        self.head1 = Head(2 * width, outputs)
        self.head2 = Head(4 * width, outputs)

    @staticmethod
    def stage(c1, c2, depth):
        inner = [Bottleneck(c2, c2) for _ in range(depth)]
        return nn.Sequential(Conv(c1, c2, k=3, s=2), *inner)

    def forward(self, x):
        x1 = self.stage1(self.stem(x))
        x2 = self.stage2(x1)
        return torch.cat([self.head1(x1), self.head2(x2)], 2)
