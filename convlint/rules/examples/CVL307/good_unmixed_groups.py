"""A channel shuffle lets every group read the output of all others."""

import torch
from torch import nn


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.first = nn.Conv2d(32, 32, 3, padding=1, groups=4)
        self.shuffle = nn.ChannelShuffle(4)
        self.second = nn.Conv2d(32, 32, 3, padding=1, groups=4)
        self.head = nn.Conv2d(32, 10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = torch.relu(self.first(x))
        return self.head(torch.relu(self.second(self.shuffle(x))))
