"""The second convolution expects in_planes channels but receives hidden, which is equal here."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, in_planes: int, hidden: int, out_planes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, hidden, 3, padding=1)
        self.conv2 = nn.Conv2d(hidden, out_planes, 3, padding=1)  # CVL203

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv2(torch.relu(self.conv1(x))))


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.block = Block(32, 32, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(torch.relu(self.stem(x)))
