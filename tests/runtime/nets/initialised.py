"""Weights are set in loops that ask what each module is, and read the layers' numbers."""

import math

from torch import nn


class Encoder(nn.Module):
    def __init__(self, channels=(3, 24, 48, 48)):
        super().__init__()
        self.conv1 = nn.Conv2d(channels[0], channels[1], 5, stride=2, padding=2)
        self.conv2 = nn.Conv2d(channels[1], channels[2], 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(self.conv2.out_channels)
        self.conv3 = nn.Conv2d(self.conv2.out_channels, channels[3], 3, padding=1)
        self.relu = nn.LeakyReLU(0.1)
        nn.init.zeros_(self.conv3.bias)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.conv3(x))


class Net(nn.Module):
    def __init__(self, num_classes=7):
        super().__init__()
        self.encoder = Encoder()
        self.refine = nn.Conv2d(48, 48, 3, padding=1)
        self.head = nn.Conv2d(self.refine.out_channels, num_classes, 1)
        self.init_weights()

    def init_weights(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                n = m.kernel_size[0] * m.kernel_size[1] * m.out_channels
                m.weight.data.normal_(0, math.sqrt(2.0 / n))
                if m.bias is not None:
                    m.bias.data.zero_()
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)
        for name, parameter in self.encoder.named_parameters():
            if name.endswith("weight") and parameter.dim() == 4:
                nn.init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")
        nn.init.xavier_uniform_(self.refine.weight)

    def forward(self, x):
        return self.head(self.refine(self.encoder(x)))
