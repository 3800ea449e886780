from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 2, dilation=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 16),
    )
