# example: --extend-select CVL902
import os

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = getattr(nn, os.environ["CONV"])(3, 16, 3)  # CVL902

    def forward(self, x):
        return self.conv(x)  # CVL902
