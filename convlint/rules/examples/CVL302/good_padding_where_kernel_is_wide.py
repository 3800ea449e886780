from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 1),
        nn.ReLU(),
        nn.Conv2d(16, 16, (1, 7), padding=(0, 3)),
        nn.ReLU(),
        nn.Conv2d(16, 16, 1, padding="same"),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 16, 1, padding=1),  # here padding cuts off
    )
