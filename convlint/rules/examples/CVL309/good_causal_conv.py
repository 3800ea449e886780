# example: --input 4,100
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.causal = nn.Conv1d(4, 8, 2, padding=1)

    def forward(self, x):
        return self.causal(x)[:, :, :-1]
