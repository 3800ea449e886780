"""Inception: branches of a wrapper that hands its keywords on to the convolution."""

import torch
import torch.nn.functional as F
from torch import nn


class BasicConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    def __init__(self, in_channels, pool_features):
        super().__init__()
        self.branch1x1 = BasicConv2d(in_channels, 16, kernel_size=1)
        self.branch5x5_1 = BasicConv2d(in_channels, 12, kernel_size=1)
        self.branch5x5_2 = BasicConv2d(12, 16, kernel_size=5, padding=2)
        self.branch3x3_1 = BasicConv2d(in_channels, 16, kernel_size=1)
        self.branch3x3_2 = BasicConv2d(16, 24, kernel_size=3, padding=1)
        self.branch7x7_1 = BasicConv2d(24, 24, kernel_size=(1, 7), padding=(0, 3))
        self.branch7x7_2 = BasicConv2d(24, 24, kernel_size=(7, 1), padding=(3, 0))
        self.branch_pool = BasicConv2d(in_channels, pool_features, kernel_size=1)

    def forward(self, x):
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7_2(self.branch7x7_1(three))
        pool = self.branch_pool(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        return torch.cat([self.branch1x1(x), five, seven, pool], 1)


class Net(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.stem = nn.Sequential(
            BasicConv2d(3, 16, kernel_size=3, stride=2),
            BasicConv2d(16, 32, kernel_size=3, padding=1),
            nn.MaxPool2d(3, stride=2),
        )
        self.mixed1 = Inception(32, pool_features=8)
        self.mixed2 = Inception(64, pool_features=16)
        self.fc = nn.Linear(72, num_classes)

    def forward(self, x):
        x = self.mixed2(self.mixed1(self.stem(x)))
        return self.fc(x.mean([2, 3]))
