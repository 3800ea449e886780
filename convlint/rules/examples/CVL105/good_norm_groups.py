"""8 groups divide 24 channels."""

import torch
from torch import nn


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(8, 24)
        self.slopes = nn.PReLU(24)
        self.last = nn.LayerNorm(24)
        self.one = nn.PReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.slopes(self.norm(self.stem(x)))
        return self.one(self.last(x.permute(0, 2, 3, 1)))
