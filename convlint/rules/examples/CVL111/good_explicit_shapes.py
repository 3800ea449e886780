import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.scale = nn.Parameter(torch.ones(16, 1, 1))
        self.shift = nn.Linear(16, 16)

    def forward(self, x):
        x = self.stem(x).relu()
        x = x * self.pool(x).sigmoid() + self.scale
        x = x + self.shift(x.mean((2, 3)))[:, :, None, None]
        x = x + self.pool(x).expand_as(x)
        return x - x.mean((2, 3), keepdim=True)
