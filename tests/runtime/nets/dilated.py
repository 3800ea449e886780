"""Paddings in words, dilations, reflected borders; device and dtype are handed on."""

import torch
from torch import nn


class Pyramid(nn.Module):
    """Convolutions with holes of several sizes, side by side."""

    def __init__(self, channels, rates=(1, 2, 4), *, device=None, dtype=None):
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        self.branches = nn.ModuleList(
            nn.Conv2d(channels, channels // 2, 3, padding="same", dilation=rate, **factory) for rate in rates
        )
        self.project = nn.Conv2d(len(rates) * channels // 2, channels, 1, **factory)

    def forward(self, x):
        return self.project(torch.cat([branch(x) for branch in self.branches], dim=1))


class Net(nn.Module):
    def __init__(self, width=32, out_channels=3, device=None, dtype=None):
        super().__init__()
        self.enter = nn.Conv2d(3, width, 7, padding=3, padding_mode="reflect", device=device, dtype=dtype)
        self.down = nn.Conv2d(width, 2 * width, 3, 2, 1, padding_mode="reflect", device=device, dtype=dtype)
        self.norm = nn.InstanceNorm2d(2 * width, affine=True, device=device, dtype=dtype)
        self.pyramid = Pyramid(2 * width, device=device, dtype=dtype)
        self.valid = nn.Conv2d(2 * width, width, 3, padding="valid", dtype=dtype, device=device)
        self.circular = nn.Conv2d(width, width, 5, padding=2, padding_mode="circular")
        self.leave = nn.Conv2d(width, out_channels, kernel_size=3, padding=1, device=device)

    def forward(self, x):
        x = torch.relu(self.norm(self.down(self.enter(x))))
        x = torch.relu(self.valid(self.pyramid(x)))
        return torch.tanh(self.leave(self.circular(x)))
