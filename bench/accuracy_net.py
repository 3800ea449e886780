"""The network and the images of ``bench.accuracy``, as files of a user, and its training."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from importlib import import_module

import torch
from torch import Tensor, nn

NET = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(64)
        self.conv3 = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(64)
        self.conv4 = nn.Conv2d(64, 128, 3, padding=1, bias=False)
        self.norm4 = nn.BatchNorm2d(128)
        self.conv5 = nn.Conv2d(128, 128, 3, padding=1, bias=False)
        self.norm5 = nn.BatchNorm2d(128)
        self.pool = nn.MaxPool2d(2)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        x = self.relu(self.norm1(self.conv1(x)))
        x = self.pool(self.relu(self.norm2(self.conv2(x))))
        x = self.relu(self.norm3(self.conv3(x)))
        x = self.pool(self.relu(self.norm4(self.conv4(x))))
        x = self.relu(self.norm5(self.conv5(x)))
        return self.head(x.mean((2, 3)))
"""

LOADER = """import torch


def loader():
    x, y = torch.load("images.pt", weights_only=True)
    yield from zip(x.split(128), y.split(128))
"""

Images = tuple[Tensor, Tensor]


def images(seed: int, *, train: bool, times: int = 4) -> Images:
    """Digits of scikit-learn, 8x8, at random places of 12x12 pixels with noise: 1,200 of them, or the 597 others."""
    digits = import_module("sklearn.datasets").load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    chosen = order[:1200] if train else order[1200:]
    draw = torch.Generator().manual_seed(seed + 1000 * train)
    found = []
    for _ in range(times):
        for image in x[chosen]:
            canvas = torch.randn(1, 12, 12, generator=draw) * 0.2
            row, column = torch.randint(0, 5, (2,), generator=draw).tolist()
            canvas[0, row : row + 8, column : column + 8] += image
            found.append(canvas)
    return torch.stack(found), y[chosen].repeat(times)


def built() -> nn.Module:
    """The network with random weights."""
    namespace: dict[str, type[nn.Module]] = {}
    exec(NET, namespace)  # noqa: S102 - the text above
    return namespace["Net"]()


def trained(model: nn.Module, data: Images, epochs: int, rate: float, seed: int) -> nn.Module:
    """Train a model in place, and return it."""
    x, y = data
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs * -(-len(x) // 50), pct_start=0.2)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=draw).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def accuracy(model: nn.Module, data: Images) -> float:
    """The share of images that a model classifies correctly, in percent."""
    model.eval()
    with torch.no_grad():
        found = torch.cat([model(images).argmax(1) for images in data[0].split(500)])
    return 100 * (found == data[1]).float().mean().item()


def recalibrated(model: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """A copy whose norms have the statistics of these images; no weight changes. PyTorch alone."""
    model = copy.deepcopy(model).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
            module.train()
    with torch.no_grad():
        for images in batches:
            model(images)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1
    return model.eval()


def size_of(model: nn.Module) -> int:
    """The number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
