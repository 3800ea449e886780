"""Global average pooling before the linear layer leaves it 8,448 parameters."""

import torch
from torch import nn


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(32, 256)
        self.last = nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.stem(x))).flatten(1)
        return self.last(torch.relu(self.head(x)))
