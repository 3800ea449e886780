from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 16, 3, padding=1)
        self.third = nn.Conv2d(16, 16, 3, padding=1)
        self.again = nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x):
        x = self.first(x)
        x = x + self.second(x)  # the map between is used by itself
        x = self.third(x.relu())
        for _ in range(3):
            x = self.again(x).relu()  # its weights also process the output of a ReLU
        return x
