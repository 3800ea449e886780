from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.Conv2d(16, 32, 3, padding=1),  # CVL304
        nn.ReLU(),
        nn.Conv2d(32, 32, 1),
        nn.Conv2d(32, 32, 1),  # CVL304
    )
