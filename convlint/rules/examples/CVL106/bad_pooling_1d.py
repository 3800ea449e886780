# example: --input 4,8
from torch import nn


def Net():
    return nn.Sequential(nn.Conv1d(4, 8, 5), nn.ReLU(), nn.MaxPool1d(8))  # CVL106
