from torch import nn


def Net():
    return nn.Conv2d(3, 16, (1, 7), padding=(0, 3))  # CVL302
