from torch import nn


def conv(into, out, groups=1):
    return nn.Conv2d(into, out, 3, groups=groups)


def Net():
    return nn.Sequential(
        conv(3, 16),
        nn.ReLU(),
        conv(16, 32, groups=3),  # CVL101
        nn.ReLU(),
        conv(32, 64, groups=8),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 30, 2, groups=4),  # CVL101
    )
