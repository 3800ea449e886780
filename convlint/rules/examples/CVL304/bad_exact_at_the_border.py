"""Without a constant, or without padding, one convolution computes the same."""

from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 8, 1, bias=False),
        nn.Conv2d(8, 32, 3, padding=1),  # CVL304
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.Conv2d(32, 32, 1),  # CVL304
    )
