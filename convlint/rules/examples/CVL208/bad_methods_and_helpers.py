"""Methods that forward calls, a helper that only builds, and an attribute that is assigned at every call."""

from torch import nn


def conv3x3(into, out):
    return nn.Conv2d(into, out, 3, padding=1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv3x3(3, 8)

    def block(self, x, width):
        layers = nn.Sequential(  # CVL208
            nn.Conv2d(x.size(1), width, 3, bias=False), nn.ReLU()
        )
        return layers(x)

    def forward(self, x):
        x = self.block(self.stem(x), 16)
        x = conv3x3(16, 16)(x)  # CVL208
        self.head = nn.Conv2d(16, 4, 1)  # CVL208
        return self.head(x.relu())
