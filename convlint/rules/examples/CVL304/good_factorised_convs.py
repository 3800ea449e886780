from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, groups=16),  # depthwise separable
        nn.Conv2d(16, 64, 1),
        nn.ReLU(),
        nn.Conv2d(64, 8, 1),  # low rank: 64 * 8 + 8 * 64 is less than 64 * 64
        nn.Conv2d(8, 64, 1),
        nn.ReLU(),
        nn.Conv2d(64, 64, (1, 3), padding=(0, 1)),  # a 3x3 split in two
        nn.Conv2d(64, 64, (3, 1), padding=(1, 0)),
    )
