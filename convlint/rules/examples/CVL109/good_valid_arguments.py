from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding="same", padding_mode="reflect"),
        nn.MaxPool2d(2, padding=1),
        nn.PixelShuffle(2),
    )
