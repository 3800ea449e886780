"""An activation between the two convolutions makes the second one useful."""

import torch
from torch import nn


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, padding=1)
        self.second = nn.Conv2d(32, 64, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))))
