"""After the pooling the map is 16x16."""

import torch
from torch import nn


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(16 * 16 * 16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(torch.relu(self.stem(x))).flatten(1))
