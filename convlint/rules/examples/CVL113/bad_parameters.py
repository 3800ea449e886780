# example: --max-params 100k
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3)
        self.body = nn.Conv2d(64, 256, 3)  # CVL113

    def forward(self, x):
        return self.body(self.stem(x).relu()).relu()
