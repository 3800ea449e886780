# example: run only
from torch import nn


class Net(nn.Module):
    def __init__(self, widths=(8, 16)):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[2], 3)  # CVL190

    def forward(self, x):
        return self.stem(x)
