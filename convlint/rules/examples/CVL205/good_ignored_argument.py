from torch import nn


class Block(nn.Module):
    def __init__(self, in_channels, hidden_channels=64, dilation=1):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, hidden_channels, 3, padding=1)
        self.head = nn.Conv2d(hidden_channels, 10, 1)

    def forward(self, x):
        return self.head(self.conv(x).relu())


class Identity(nn.Module):
    def __init__(self, in_channels):  # has no layer that could depend on it
        super().__init__()

    def forward(self, x):
        return x


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(Block(3), Identity(10))
