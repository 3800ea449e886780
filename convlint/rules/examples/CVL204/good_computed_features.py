from torch import nn


class Net(nn.Module):
    def __init__(self, size=32, classes=10):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=4, padding=1)
        self.head = nn.Linear(16 * (size // 4) * (size // 4), classes)

    def forward(self, x):
        return self.head(self.conv(x).relu().flatten(1))
