"""Layers in lists and under names that are made in loops."""

import torch
from torch import nn


class Stage(nn.Module):
    def __init__(self, dims, kernel=3):
        super().__init__()
        self.depth = len(dims) - 1
        for i in range(self.depth):
            conv = nn.Conv2d(dims[i], dims[i + 1], kernel, padding=kernel // 2)
            self.add_module(f"conv{i}", conv)
            setattr(self, f"norm{i}", nn.GroupNorm(4, dims[i + 1]))

    def forward(self, x):
        for i in range(self.depth):
            x = getattr(self, f"norm{i}")(getattr(self, f"conv{i}")(x)).relu()
        return x


class Net(nn.Module):
    def __init__(self, base=16, levels=3, out_dim=4):
        super().__init__()
        widths = [base * 2**level for level in range(levels)]
        self.stem = nn.Conv2d(3, base, 3, stride=2, padding=1)
        self.stages = nn.ModuleList()
        self.downs = nn.ModuleList()
        for level, width in enumerate(widths):
            self.stages.append(Stage([width, width, width]))
            if level < levels - 1:
                self.downs.append(nn.Conv2d(width, widths[level + 1], 3, stride=2, padding=1))
        self.laterals = nn.ModuleList([nn.Conv2d(w, base, 1) for w in widths])
        self.smooth = nn.ModuleList([nn.Conv2d(base, base, 3, padding=1) for _ in widths])
        self.heads = nn.ModuleDict({f"p{i}": nn.Conv2d(base, out_dim, 1) for i in range(levels)})

    def forward(self, x):
        x = self.stem(x)
        outputs = []
        for level, stage in enumerate(self.stages):
            x = stage(x)
            p = self.smooth[level](torch.relu(self.laterals[level](x)))
            outputs.append(self.heads[f"p{level}"](p))
            if level < len(self.downs):
                x = self.downs[level](x)
        return outputs
