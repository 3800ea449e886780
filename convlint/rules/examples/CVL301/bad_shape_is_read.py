import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)  # CVL301
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x):
        x = self.conv(x)
        noise = torch.zeros_like(x)
        batch, channels = x.shape[:2]
        return (self.norm(x) + noise).view(batch, channels, -1)
