from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 1)
        self.branch = nn.Conv2d(16, 24, 1)  # CVL110
        self.head = nn.Conv2d(16, 10, 1)

    def forward(self, x):
        x = self.stem(x).relu()
        return self.head(x + self.branch(x))
