from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(3, affine=False, track_running_stats=False),  # CVL104
        nn.ReLU(),
        nn.Conv2d(8, 10, 1),
    )
