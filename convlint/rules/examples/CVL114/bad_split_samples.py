# example: run only --input 3,24,24
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 5)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(16 * 5 * 5, 10)

    def forward(self, x):
        x = self.pool(self.conv(x).relu())
        x = x.view(-1, 16 * 5 * 5)  # CVL114
        return self.fc(x)
