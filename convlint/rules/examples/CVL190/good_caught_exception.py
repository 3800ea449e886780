from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3)

    def forward(self, x):
        try:
            return self.missing(x)
        except AttributeError:
            return self.stem(x)
