# example: --input 3,8,32,32
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv3d(3, 8, 3, padding=1)
        self.down = nn.Conv3d(8, 16, 1, stride=2)  # CVL303

    def forward(self, x):
        return self.down(self.stem(x).relu())
