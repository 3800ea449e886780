from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.MaxPool2d(8),
        nn.ReLU(),
        nn.Conv2d(16, 10, 3, dilation=2),  # CVL106
    )
