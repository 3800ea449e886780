"""Other tools that make a trained network smaller, at a size: tensorly's Tucker-2, spatial SVD, Torch-Pruning."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib import import_module

import torch
from torch import nn

from bench.accuracy_net import size_of
from convlint.ir import Replacement
from convlint.runtime.data.convert import convert_on_data
from convlint.runtime.data.loader import Batch
from convlint.runtime.weights.replace_layers import rewritten

CONVS = ("conv2", "conv3", "conv4", "conv5")
Share = float


def largest(make: Callable[[Share], nn.Module], size: int) -> nn.Module:
    """The largest model of at most ``size`` parameters that ``make`` returns for a share of its channels."""
    low, high = 0.01, 1.0
    best = make(low)
    for _ in range(9):
        middle = (low + high) / 2
        model = make(middle)
        if size_of(model) <= size:
            best, low = model, middle
        else:
            high = middle
    return best


def tensorly_tucker(model: nn.Module, share: Share) -> nn.Module:
    """Tucker-2 of tensorly with this share of the channels as both ranks, in all layers."""
    import_module("tensorly").set_backend("pytorch")
    partial_tucker = import_module("tensorly.decomposition").partial_tucker
    made = copy.deepcopy(model)
    for name in CONVS:
        conv = getattr(made, name)
        ranks = [max(1, round(share * conv.out_channels)), max(1, round(share * conv.in_channels))]
        (core, (out, into)), _ = partial_tucker(conv.weight.detach(), rank=ranks, modes=[0, 1], init="svd")
        layers = nn.Sequential(
            nn.Conv2d(conv.in_channels, ranks[1], 1, bias=False),
            nn.Conv2d(ranks[1], ranks[0], 3, padding=1, bias=False),
            nn.Conv2d(ranks[0], conv.out_channels, 1, bias=False),
        )
        with torch.no_grad():
            for layer, weight in zip(layers, (into.T[:, :, None, None], core, out[:, :, None, None]), strict=True):
                nn.Module.get_parameter(layer, "weight").copy_(weight)
        setattr(made, name, layers)
    return made


def spatial_svd(model: nn.Module, share: Share) -> nn.Module:
    """The nearest kx1 and 1xk kernels with this share of the output channels as rank, in all layers."""
    forms = {
        name: Replacement("CVL507", ranks=(max(1, round(share * getattr(model, name).out_channels)),), base="Conv2d")
        for name in CONVS
    }
    return rewritten(model, forms, weights=True)


def torch_pruning(model: nn.Module, share: Share) -> nn.Module:
    """Torch-Pruning's magnitude pruner, which removes whole channels and leaves this share of them."""
    torch_pruning = import_module("torch_pruning")
    made = copy.deepcopy(model)
    pruner = torch_pruning.pruner.MagnitudePruner(
        made,
        torch.zeros(1, 1, 12, 12),
        importance=torch_pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=1 - share,
        ignored_layers=[made.head],
    )
    pruner.step()
    return made.eval()


PEERS = {"tensorly Tucker-2": tensorly_tucker, "spatial SVD": spatial_svd, "Torch-Pruning": torch_pruning}


def of_kind(model: nn.Module, name: str, share: Share, batches: list[Batch], *, fitted: bool) -> nn.Module:
    """All layers in one kind of convlint with one share; ``fitted`` to their outputs, else the nearest weights."""
    forms: dict[str, Replacement] = {}
    for layer in CONVS:
        conv = getattr(model, layer)
        into, out = (max(1, round(share * n)) for n in (conv.in_channels, conv.out_channels))
        forms[layer] = {
            "tucker": Replacement("CVL506", ranks=(into, out), base="Conv2d"),
            "low-rank": Replacement("CVL507", ranks=(out,), base="Conv2d"),
            "depthwise-separable": Replacement("CVL505", pairs=max(1, int(share * 9))),
            "grouped": Replacement("CVL501", groups=2 ** min(4, max(1, int(1 / share) - 1).bit_length())),
        }[name]
    if not fitted:
        return rewritten(model, forms, weights=True)
    return convert_on_data(model, forms, batches, calibrated=True)[0]
