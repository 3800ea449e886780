"""A file that is also run: it then builds the net with other numbers."""

import argparse

import torch
from torch import nn


class Squeeze(nn.Module):
    def __init__(self, channels, ratio=4):
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // ratio, 1)
        self.expand = nn.Conv2d(channels // ratio, channels, 1)

    def forward(self, x):
        scale = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.expand(torch.relu(self.reduce(scale))))


class Net(nn.Module):
    def __init__(self, in_channels=3, width=32, kernel=3, groups=1, classes=10):
        super().__init__()
        pad = kernel // 2
        self.first = nn.Conv2d(in_channels, width, kernel, padding=pad)
        self.second = nn.Conv2d(width, width, kernel, padding=pad, groups=groups)
        self.third = nn.Conv2d(width, 2 * width, kernel, stride=2, padding=pad)
        self.squeeze = Squeeze(2 * width)
        self.fourth = nn.Conv2d(2 * width, 2 * width, kernel, padding=pad)
        self.fc = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = torch.relu(self.first(x))
        x = torch.relu(self.third(torch.relu(self.second(x))))
        x = torch.relu(self.fourth(self.squeeze(x)))
        return self.fc(x.mean((2, 3)))


def main(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=18)
    options = parser.parse_args(arguments)
    small = Net(in_channels=1, width=options.width, kernel=5, classes=3)
    grouped = Net(width=24, groups=6)
    pointwise = Net(width=12, kernel=1)
    gray, colour = torch.rand(2, 1, 28, 28), torch.rand(2, 3, 32, 32)
    print(small(gray).shape, grouped(colour).shape, pointwise(colour).shape)


if __name__ == "__main__":
    main()
