"""The constructor checks the condition and states it in its error."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, in_planes: int, out_planes: int) -> None:
        super().__init__()
        if out_planes % in_planes:
            raise ValueError(f"out_planes must be a multiple of {in_planes}, not {out_planes}")
        self.conv = nn.Conv2d(in_planes, out_planes, 3, groups=in_planes)
        self.norm = nn.GroupNorm(1, out_planes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(x)))


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.block = Block(32, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(torch.relu(self.stem(x)))
