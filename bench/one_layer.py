"""A model of one layer: the time of a check beyond importing torch is convlint's start-up time."""

from __future__ import annotations

from torch import Tensor, nn


class OneLayer(nn.Module):
    """A convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, 3, H, W) -> (N, 8, H - 2, W - 2)."""
        out: Tensor = self.conv(x)
        return out
