import inspect

from torch import nn


class Keeping(nn.Module):
    def save_hyperparameters(self, *names):
        values = inspect.currentframe().f_back.f_locals
        self.hparams = {name: values[name] for name in names}


class Net(Keeping):
    def __init__(self, in_channels=3, hidden_channels=64):  # CVL205
        super().__init__()
        self.save_hyperparameters("in_channels")
        self.conv = nn.Conv2d(self.hparams["in_channels"], 64, 3)

    def forward(self, x):
        return self.conv(x)
