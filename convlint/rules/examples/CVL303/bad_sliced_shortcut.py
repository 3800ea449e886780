"""The main path reads the pixels that the shortcut skips: reported as info."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.short = nn.Conv2d(3, 16, 1, stride=2)  # CVL303

    def forward(self, x):
        y = self.main(x)
        kept, rest = self.short(x).split([12, 4], dim=1)
        return torch.cat([y[:, :12] + kept, rest], dim=1)
