from torch import nn


class Block(nn.Module):
    def __init__(self, in_planes, out_planes):
        super().__init__()
        self.conv = nn.Conv2d(in_planes, out_planes, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_planes)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()


def Net():
    return nn.Sequential(nn.Conv2d(3, 16, 3), Block(16, 16), Block(16, 32))
