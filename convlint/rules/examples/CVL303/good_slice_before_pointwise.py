from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.short = nn.Conv2d(3, 16, 1)

    def forward(self, x):
        return self.main(x) + self.short(x[:, :, ::2, ::2])
