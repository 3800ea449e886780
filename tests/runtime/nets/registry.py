"""Layers are looked up in a registry, their arguments are a dict of settings."""

import torch
from torch import nn

LAYERS = {"Conv2d": nn.Conv2d, "BN": nn.BatchNorm2d, "ReLU": nn.ReLU, "MaxPool": nn.MaxPool2d}
BLOCKS = {}

CONFIG = {
    "stem": {"type": "Conv2d", "in_channels": 3, "out_channels": 16, "kernel_size": 3},
    "stages": [
        {"block": "plain", "in_channels": 16, "out_channels": 32, "depth": 2},
        {"block": "residual", "in_channels": 32, "out_channels": 32, "depth": 2},
        {"block": "plain", "in_channels": 32, "out_channels": 64, "depth": 1},
    ],
    "head": {"out_features": 10},
}


def register(name):
    def add(cls):
        BLOCKS[name] = cls
        return cls

    return add


def build(cfg, **more):
    cfg = dict(cfg)
    return LAYERS[cfg.pop("type")](**cfg, **more)


@register("plain")
class Plain(nn.Sequential):
    def __init__(self, in_channels, out_channels):
        conv = {"type": "Conv2d", "in_channels": in_channels, "out_channels": out_channels}
        super().__init__(
            build(conv, kernel_size=3, padding=1, bias=False),
            build({"type": "BN", "num_features": out_channels}),
            build({"type": "ReLU", "inplace": True}),
        )


@register("residual")
class Residual(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)

    def forward(self, x):
        return torch.relu(x + self.conv(x))


class Net(nn.Module):
    def __init__(self, config=None):
        super().__init__()
        config = config or CONFIG
        self.stem = build(config["stem"], padding=1)
        self.stages = nn.ModuleList()
        for stage in config["stages"]:
            block, width = BLOCKS[stage["block"]], stage["out_channels"]
            layers = [block(stage["in_channels"], width)]
            layers += [block(width, width) for _ in range(stage["depth"] - 1)]
            self.stages.append(nn.Sequential(*layers, nn.MaxPool2d(2)))
        self.head = nn.Linear(width, **config["head"])

    def forward(self, x):
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(x.flatten(2).mean(-1))
