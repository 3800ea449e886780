from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3)
        self.norm = nn.LayerNorm(32)  # CVL105
        self.head = nn.Linear(24, 10)

    def forward(self, x):
        return self.head(self.norm(self.stem(x).permute(0, 2, 3, 1)))
