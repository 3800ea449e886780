"""8 divides both 24 input and 32 output channels."""

import torch
from torch import nn


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, padding=1)
        self.mix = nn.Conv2d(24, 32, 3, padding=1, groups=8)
        self.depthwise = nn.Conv2d(32, 64, 3, groups=32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.depthwise(torch.relu(self.mix(torch.relu(self.stem(x)))))
