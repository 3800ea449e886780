from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, bias=False)  # noqa: CVL301  # CVL900
        self.norm = nn.BatchNorm2d(16)  # convlint: ignore[CVL103]  # CVL900

    def forward(self, x):
        return self.norm(self.conv(x)).relu()
