"""Lines that end as on Windows, and letters that take more than one byte, häufig in Kommentaren."""

import torch
from torch import nn


class Net(nn.Module):
    """Zwei Zweige, grob und fein: 粗い枝と細かい枝."""

    def __init__(self, width=24, classes=5):
        super().__init__()
        self.eingang = nn.Conv2d(3, width, 3, stride=2, padding=1)  # halbe Größe
        self.zweige = nn.ModuleDict({"größer": nn.Conv2d(width, width, 5, padding=2), "kürzer": self.kürzer(width)})
        straße, größe = nn.Conv2d(2 * width, 2 * width, 3, padding=1), (2, 2)
        self.straße = nn.Sequential(straße, nn.BatchNorm2d(2 * width), nn.AvgPool2d(größe))
        self.ausgang = nn.Conv2d(
            2 * width,  # beide Zweige, aneinandergehängt
            2 * width,
            3,  # kleiner geht es nicht
            padding=1,
        )
        self.klassen = nn.Linear(2 * width, classes)

    @staticmethod
    def kürzer(width):
        return nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())

    def forward(self, x):
        x = torch.relu(self.eingang(x))
        x = torch.cat([zweig(x) for zweig in self.zweige.values()], dim=1)
        x = torch.relu(self.ausgang(self.straße(x)))
        return self.klassen(x.mean((2, 3)))
