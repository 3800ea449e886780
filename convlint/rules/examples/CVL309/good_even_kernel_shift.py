"""An odd kernel has a center, and so has the extent of a dilated one; a stride changes the size anyway."""

import torch
from torch import nn


class Net(nn.Module):
    example_input_array = torch.zeros(1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.body = nn.Conv2d(16, 32, 3, padding=1)
        self.down = nn.Conv2d(32, 32, 4, stride=2, padding=1)
        self.dilated = nn.Conv2d(32, 32, 2, dilation=2, padding=1)
        self.whole = nn.Conv2d(32, 32, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.body(torch.relu(self.stem(x))))
        return self.whole(torch.relu(self.dilated(torch.relu(self.down(x)))))
