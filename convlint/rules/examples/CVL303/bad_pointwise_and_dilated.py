from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.reduce = nn.Conv2d(3, 16, 1, stride=2)  # CVL303
        self.conv = nn.Conv2d(16, 16, 2, stride=3)  # CVL303
        self.dilated = nn.Conv2d(16, 16, 3, stride=2, dilation=2, padding=2)  # CVL303

    def forward(self, x):
        return self.dilated(self.conv(self.reduce(x).relu()).relu())
