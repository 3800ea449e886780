# example: --max-macs 1M --max-activation-bytes 100k
from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 64, 3),  # CVL113
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(64, 10, 1),
    )
