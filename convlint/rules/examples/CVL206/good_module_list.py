from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)])
        self.order = [self.convs[1], self.convs[0]]  # registered already

    def forward(self, x):
        for conv in self.order:
            x = conv(x).relu()
        return self.convs[2](x)
