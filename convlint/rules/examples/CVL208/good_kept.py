"""Layers that are built once and kept, that have no parameters, or whose weights are set."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.middle = None
        self.by_width = nn.ModuleDict()
        self.register_buffer("box", torch.full((8, 1, 3, 3), 1 / 9))

    def forward(self, x):
        x = nn.ReLU()(self.stem(x))
        if self.middle is None:
            self.middle = nn.Conv2d(x.shape[1], 8, 3)
        if not hasattr(self, "head"):
            self.head = nn.Conv2d(8, 8, 3)
        if "8" not in self.by_width:
            self.by_width["8"] = nn.Conv2d(8, 8, 1)
        blur = nn.Conv2d(8, 8, 3, groups=8, bias=False)
        blur.weight = nn.Parameter(self.box)
        x = self.by_width["8"](self.head(self.middle(x).relu()).relu()).relu()
        return nn.Sequential(nn.MaxPool2d(2), nn.InstanceNorm2d(8))(blur(x))
