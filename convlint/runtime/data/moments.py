"""Second moments of the inputs and outputs of a layer, from which weights are fitted to its outputs."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import torch
from torch import Tensor, nn

MAX_FEATURES = 5000  # inputs of an output value; the moments of more would take over 200 MB
_ROWS = 2048  # positions of one batch that are used


def is_fitted(layer: nn.Module) -> bool:
    """Return whether the outputs of a layer are linear in patches of its input that are extracted here."""
    if isinstance(layer, nn.Linear):
        return layer.in_features <= MAX_FEATURES
    if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return False
    return layer.in_channels * prod(layer.kernel_size) <= MAX_FEATURES


class Moments:
    """Sums over positions: of patches x (P), outputs y (D), and their products; in float64.

    Positions are drawn where a batch has many. The order of features is that of ``weight.flatten(1)`` of a layer
    without groups: channel first, then the position in the kernel.
    """

    def __init__(self, layer: nn.Module) -> None:
        assert isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
        self.layer = layer
        if isinstance(layer, nn.Linear):
            size, out = layer.in_features, layer.out_features
        else:
            size, out = layer.in_channels * prod(layer.kernel_size), layer.out_channels
        self.count = 0
        self._x, self._y = torch.zeros(size, dtype=torch.float64), torch.zeros(out, dtype=torch.float64)
        self._xx = torch.zeros(size, size, dtype=torch.float64)
        self._yx = torch.zeros(out, size, dtype=torch.float64)
        self._yy = torch.zeros(out, dtype=torch.float64)
        self._draw = torch.Generator().manual_seed(0)

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        """Add a batch: the input of the layer, and the outputs to fit."""
        y = outputs.detach()
        y = y.flatten(0, -2) if isinstance(self.layer, nn.Linear) else y.movedim(1, -1).flatten(0, -2)
        rows = torch.arange(len(y))
        if len(y) > _ROWS:
            rows = torch.randperm(len(y), generator=self._draw)[:_ROWS]
        x, y = _patches(self.layer, inputs.detach(), rows).float(), y[rows].float()
        self.count += len(x)
        self._x += x.sum(0)
        self._y += y.sum(0)
        self._xx += x.T @ x
        self._yx += y.T @ x
        self._yy += y.square().sum(0)

    def centred(self, centre: bool) -> tuple[Tensor, Tensor, Tensor]:
        """The means of x xᵀ, y xᵀ and y², around the means of x and y if ``centre``."""
        n = max(self.count, 1)
        xx, yx, yy = self._xx / n, self._yx / n, self._yy / n
        if centre:
            x, y = self._x / n, self._y / n
            xx, yx, yy = xx - torch.outer(x, x), yx - torch.outer(y, x), yy - y.square()
        return xx, yx, yy

    def bias(self, dense: Tensor) -> Tensor:
        """The bias with which a kernel (D, P) has the mean outputs."""
        n = max(self.count, 1)
        return self._y / n - dense.double() @ (self._x / n)


def _patches(layer: nn.Module, x: Tensor, rows: Tensor) -> Tensor:
    """The patches (rows, P) that a layer reads at some of its positions in all samples."""
    if isinstance(layer, nn.Linear):
        return x.flatten(0, -2)[rows]
    assert isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    sizes = len(layer.kernel_size)
    if x.dim() == sizes + 1:
        x = x[None]
    x = _padded(layer, x)
    for axis, (kernel, step, spread) in enumerate(zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)):
        x = x.unfold(axis + 2, (kernel - 1) * spread + 1, step)[..., ::spread]
    # (N, C, *positions, *kernel) to (N, *positions, C, *kernel), of which only the rows are copied
    x = x.movedim(1, 1 + sizes)
    return x[torch.unravel_index(rows, x.shape[: 1 + sizes])].flatten(1)


def _padded(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
    sides: Iterable[tuple[int, int]]
    if layer.padding == "same":
        totals = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        sides = [(total // 2, total - total // 2) for total in totals]
    elif isinstance(layer.padding, str):
        sides = [(0, 0) for _ in layer.kernel_size]
    else:
        sides = [(p, p) for p in layer.padding]
    amounts = [amount for side in reversed(list(sides)) for amount in side]
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return nn.functional.pad(x, amounts, mode=mode)
