from torch import nn


class Block(nn.Module):
    def __init__(self, in_planes, hidden, out_planes):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, hidden, 3, padding=1)
        self.conv2 = nn.Conv2d(hidden, out_planes, 3, padding=1)

    def forward(self, x):
        return self.conv2(self.conv1(x).relu())


def Net():
    return nn.Sequential(nn.Conv2d(3, 16, 3), Block(16, 16, 32))
