"""One vector is made of the whole batch: only a batch of one sample fits the linear layer."""

import torch
from torch import nn


class Net(nn.Module):
    example_input_array = torch.zeros(4, 3, 16, 16)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.fc = nn.Linear(8 * 8 * 8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv(x))
        x = x.view(-1)  # CVL114
        return self.fc(x)
