from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(3) for _ in range(2)])
        self.stateless = nn.GroupNorm(1, 3)

    def forward(self, x):
        for norm in self.norms:
            x = norm(x + self.stateless(self.conv(x)).relu()).relu()
        return x
