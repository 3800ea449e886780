"""The convolution is a parameter, a class attribute or a partial."""

from functools import partial

import torch
from torch import nn

conv3 = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)


class Residual(nn.Module):
    conv_layer = nn.Conv2d

    def __init__(self, channels, norm_layer=None, act_layer=nn.SiLU):
        super().__init__()
        norm_layer = norm_layer or partial(nn.GroupNorm, 8)
        self.conv = self.conv_layer(channels, channels, 3, padding=1)
        self.norm = norm_layer(channels)
        self.act = act_layer()

    def forward(self, x):
        return x + self.act(self.norm(self.conv(x)))


class ConvAct(nn.Sequential):
    def __init__(self, in_chs, out_chs, kernel_size=3, stride=1, conv_layer=nn.Conv2d, **kwargs):
        pad = kernel_size // 2
        super().__init__(
            conv_layer(in_chs, out_chs, kernel_size, stride=stride, padding=pad, **kwargs), nn.ReLU(inplace=True)
        )


class Net(nn.Module):
    def __init__(self, classes=10, conv_layer=nn.Conv2d, norm_layer=nn.BatchNorm2d):
        super().__init__()
        self.stem = ConvAct(3, 24, stride=2, conv_layer=conv_layer)
        self.expand = ConvAct(24, 48, stride=2, conv_layer=conv_layer, bias=False)
        self.mix = nn.Sequential(conv3(48, 48), norm_layer(48), conv3(48, 64, stride=2))
        self.residual = Residual(64)
        self.head = nn.Linear(64, classes)

    def forward(self, x):
        x = self.residual(self.mix(self.expand(self.stem(x))))
        return self.head(torch.amax(x, dim=(-2, -1)))
