from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3)
        self.mix = nn.Conv2d(24, 32, 3, groups=3)  # CVL101
        self.norm = nn.BatchNorm2d(32)
        self.up = nn.ConvTranspose2d(32, 30, 2, groups=4)  # CVL101

    def forward(self, x):
        return self.up(self.norm(self.mix(self.stem(x).relu())).relu())
