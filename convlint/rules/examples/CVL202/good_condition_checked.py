from torch import nn


class Block(nn.Module):
    def __init__(self, in_planes, out_planes):
        super().__init__()
        if out_planes % in_planes:
            raise ValueError(f"{out_planes} is not a multiple of {in_planes}")
        self.conv = nn.Conv2d(in_planes, out_planes, 3, groups=in_planes)

    def forward(self, x):
        return self.conv(x).relu()


def Net():
    return nn.Sequential(nn.Conv2d(3, 16, 3), Block(16, 16), Block(16, 32))
