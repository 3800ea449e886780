from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=-1),  # CVL109
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Conv2d(8, 8, 9, padding=4, padding_mode="reflect"),  # CVL109
    )
