from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 24, 3, bias=False)  # CVL103
        self.norm = nn.BatchNorm2d(32)
        self.head = nn.Conv2d(32, 10, 1)

    def forward(self, x):
        return self.head(self.norm(self.body(x)).relu())
