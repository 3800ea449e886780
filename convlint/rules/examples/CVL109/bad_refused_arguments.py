from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.still = nn.Conv2d(3, 16, 3, stride=0)  # CVL109
        self.pool = nn.MaxPool2d(2, padding=2)  # CVL109
        self.up = nn.PixelShuffle(3)  # CVL109

    def forward(self, x):
        return self.up(self.pool(self.still(x).relu()))
