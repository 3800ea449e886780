"""Padding a 1x1 convolution adds a ring of pixels that contain only the bias."""

import torch
from torch import nn


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.mix = nn.Conv2d(16, 32, 1, padding=0)  # CVL302

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.mix(torch.relu(self.stem(x))))
