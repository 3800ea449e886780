from torch import nn


def Net():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(16 * 16 * 16, 128),  # CVL308
        nn.ReLU(),
        nn.Linear(128, 10),
    )
