"""One helper that gives convolution, norm and activation, for every kernel size."""

from torch import nn


def conv_bn_relu(inp, oup, kernel=3, stride=1):
    padding = (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv2d(inp, oup, kernel, stride, padding, bias=False), nn.BatchNorm2d(oup), nn.ReLU(inplace=True)
    )


def conv_dw(inp, oup, stride):
    return nn.Sequential(
        nn.Conv2d(inp, inp, 3, stride, 1, groups=inp, bias=False),
        nn.BatchNorm2d(inp),
        nn.ReLU(inplace=True),
        conv_bn_relu(inp, oup, kernel=1),
    )


class Net(nn.Module):
    def __init__(self, n_class=10):
        super().__init__()
        self.model = nn.Sequential(
            conv_bn_relu(3, 32, stride=2),
            conv_dw(32, 64, 1),
            conv_bn_relu(64, 32, kernel=1),
            conv_bn_relu(32, 64),
            nn.MaxPool2d(2),
            conv_bn_relu(64, 128, kernel=5, stride=2),
            conv_bn_relu(128, 64, kernel=1),
            conv_bn_relu(64, 128),
            nn.AdaptiveAvgPool2d(1),
        )
        self.fc = nn.Linear(128, n_class)

    def forward(self, x):
        x = self.model(x)
        return self.fc(x.view(x.size(0), -1))
