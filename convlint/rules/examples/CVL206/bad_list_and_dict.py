from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = [nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)]  # CVL206
        self.heads = {"class": nn.Conv2d(3, 10, 1)}  # CVL206

    def forward(self, x):
        for conv in self.convs:
            x = conv(x).relu()
        return self.heads["class"](x)
