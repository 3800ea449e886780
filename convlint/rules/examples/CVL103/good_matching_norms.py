from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 8, 3, bias=False),
        nn.InstanceNorm2d(8, affine=True),
    )
