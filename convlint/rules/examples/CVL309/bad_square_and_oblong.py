from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 4, padding=1),  # CVL309
        nn.ReLU(),
        nn.Conv2d(16, 16, (3, 2), padding=1),  # CVL309
    )
