from torch import nn


class Block(nn.Module):
    def __init__(self, in_channels, hidden_channels=64):  # CVL205
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 64, 3, padding=1)
        self.head = nn.Conv2d(64, 10, 1)

    def forward(self, x):
        return self.head(self.conv(x).relu())


class Net(Block):
    def __init__(self):
        super().__init__(3)
