from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, bias=False)
        self.body = nn.Conv2d(24, 16, 3, bias=False)
        self.wide = nn.GroupNorm(8, 32)  # CVL105
        self.slopes = nn.PReLU(8)  # CVL105
        self.head = nn.Conv2d(16, 8, 3)
        self.last = nn.LayerNorm(32)  # CVL105
        self.scores = nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x).relu()
        x = self.head(self.slopes(self.wide(self.body(x))))
        return self.scores(self.last(x.permute(0, 2, 3, 1)))
