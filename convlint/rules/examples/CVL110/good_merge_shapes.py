"""Branch and shortcut both halve the map."""

import torch
from torch import nn


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.branch = nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.shortcut = nn.AvgPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = self.shortcut(x) + self.branch(x)
        return torch.cat([x, x * x.mean((2, 3), keepdim=True)], 1)
