"""Modules that stand for those that a class takes as arguments, such as the projection of a shortcut."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

_MOST_WIDTHS = 8
_CONVS = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}


class StandIn(nn.Module):
    """A projection to ``channels`` of whatever it receives; None leaves its input as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.channels: int | None = None
        self.stride = 1
        self.received: int | None = None
        self.dimensions = 0

    def forward(self, x: Tensor, *_: object, **__: object) -> Tensor:
        """Project the input."""
        if self.channels is None:
            return x
        self.dimensions = x.dim() - 2
        conv = _CONVS.get(x.dim())
        if conv is None:
            self.received = x.shape[-1]
            return functional.linear(x, torch.zeros(self.channels, x.shape[-1]))
        self.received = x.shape[1]
        return conv(x, torch.zeros(self.channels, x.shape[1], *(1,) * self.dimensions), stride=self.stride)

    @property
    def text(self) -> str:
        """Source text that builds a module that does the same."""
        if self.channels is None or self.received is None:
            return "Identity()"
        if self.dimensions not in (1, 2, 3):
            return f"Linear({self.received}, {self.channels})"
        return f"Conv{self.dimensions}d({self.received}, {self.channels}, 1, {self.stride})"


def settings(modules: list[StandIn], widths: list[int]) -> Iterator[None]:
    """Give all modules the widths and strides with which they may fit, one after the other."""
    if not modules:
        yield
        return
    for channels, stride in product((None, *widths[:_MOST_WIDTHS]), (1, 2)):
        if channels is None and stride > 1:
            continue
        for module in modules:
            module.channels, module.stride = channels, stride
        yield
