from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 4, stride=4),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, padding=1),
        nn.AvgPool2d(2),
        nn.Conv2d(16, 32, 1),
    )
