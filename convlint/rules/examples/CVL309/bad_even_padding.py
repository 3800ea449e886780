from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv = nn.Conv2d(3, 8, 4, padding=1)  # CVL309

    def forward(self, x):
        return self.conv(self.pad(x))
