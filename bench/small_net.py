"""Build, train and test a small network with PyTorch alone."""

from __future__ import annotations

import copy
import math
import runpy
from pathlib import Path

import torch
from torch import Tensor, nn

from convlint.ir import Replacement
from convlint.runtime.weights.checkpoint import convert_layer

BATCH = 50


def built(folder: Path, seed: int, weights: Path | None = None) -> nn.Module:
    """Load the network from its file, with random weights or with a checkpoint that must match exactly."""
    torch.manual_seed(seed)
    model: nn.Module = runpy.run_path(str(folder / "net.py"))["Net"]()
    if weights is not None:
        model.load_state_dict(torch.load(weights, weights_only=True), strict=True)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def trained(model: nn.Module, data: tuple[Tensor, Tensor], epochs: int, rate: float, seed: int) -> nn.Module:
    """Train ``model`` in place for so many epochs, and return it."""
    images, which = data
    dice = torch.Generator().manual_seed(seed)
    steps = epochs * math.ceil(len(images) / BATCH)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.2)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=dice).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), which[batch]).backward()
            optimizer.step()
            schedule.step()
    return model


def accuracy(model: nn.Module, data: tuple[Tensor, Tensor]) -> float:
    """Return the share of images that it classifies correctly."""
    model.eval()
    with torch.no_grad():
        said = torch.cat([model(images).argmax(1) for images in data[0].split(500)])
    return (said == data[1]).float().mean().item()


def normed(model: nn.Module, images: Tensor) -> nn.Module:
    """Return a copy whose norms have the statistics of these images; no weight changes."""
    model = copy.deepcopy(model).train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
    with torch.no_grad():
        for some in images.split(500):
            model(some)
    return model


def exact(model: nn.Module) -> tuple[nn.Module, float]:
    """Return a copy with nine pairs instead of each dense 3x3 convolution, and the largest error of a weight.

    ``convlint suggest`` does not propose this, because it saves nothing.
    """
    model = copy.deepcopy(model)
    errors = []
    for module in list(model.modules()):
        for name, conv in module.named_children():
            if isinstance(conv, nn.Conv2d):
                into, out = conv.in_channels, conv.out_channels
                state, error = convert_layer(conv.weight, None, Replacement("CVL505", pairs=9))
                pair = nn.Sequential(
                    nn.Conv2d(into, 9 * into, 3, conv.stride[0], 1, groups=into, bias=False),
                    nn.Conv2d(9 * into, out, 1, bias=False),
                )
                pair.load_state_dict({"0.weight": state["depthwise.weight"], "1.weight": state["pointwise.weight"]})
                setattr(module, name, pair)
                errors.append(error)
    return model, max(errors)
