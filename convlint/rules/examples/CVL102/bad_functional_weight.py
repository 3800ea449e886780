# example: --input 4,100
import torch
from torch import nn
from torch.nn import functional as F


class Kernel(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 5, 3))

    def forward(self, x):
        return F.conv1d(x, self.weight)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = Kernel()  # CVL102

    def forward(self, x):
        return self.kernel(x)
