from torch import nn


class Net(nn.Module):
    def __init__(self, width=64, classes=10):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(width, classes)  # CVL203

    def forward(self, x):
        return self.head(self.pool(self.conv(x).relu()).flatten(1))
