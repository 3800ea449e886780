# example: --max-params 100k
"""The target device has memory for 100,000 parameters."""

import torch
from torch import nn


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1)
        self.body = nn.Conv2d(64, 256, 3, padding=1)  # CVL113

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(torch.relu(self.stem(x))))
