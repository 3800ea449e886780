"""Draw a data set of ten shapes and textures, for a small classifier."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def drawn(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return images (count, 1, 32, 32) of ten shapes at random position, rotation, size and contrast, with noise;
    and their classes.
    """
    dice = torch.Generator().manual_seed(seed)

    def anything(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=dice)

    which = torch.randint(10, (count,), generator=dice)
    axis = torch.arange(32) - 15.5
    size, turn = anything(5, 10), anything(0, 2 * math.pi)
    y, x = axis[:, None] - anything(-6, 6), axis - anything(-6, 6)
    u = (turn.cos() * x + turn.sin() * y) / size
    v = (turn.cos() * y - turn.sin() * x) / size
    depth = _shapes(u, v)[which, torch.arange(count)] * size
    light = anything(-0.5, 0.5) + anything(-0.03, 0.03) * axis[:, None] + anything(-0.03, 0.03) * axis
    contrast = anything(0.5, 1) * anything(-1, 1).sign()
    noise = torch.randn(count, 32, 32, generator=dice)
    images = contrast * torch.sigmoid(3 * depth) + light + 0.15 * noise
    return images[:, None].contiguous(memory_format=torch.channels_last), which


def _shapes(u: Tensor, v: Tensor) -> Tensor:
    """Return a tensor (10, count, 32, 32): the distance inside each shape, negative outside."""
    radius, box = u.hypot(v), torch.maximum(u.abs(), v.abs())
    disc, least = 1 - radius, torch.minimum
    return torch.stack(
        [
            disc,
            0.25 - (radius - 0.75).abs(),  # ring
            0.8 - box,  # square
            0.2 - (box - 0.6).abs(),  # frame
            least(u + 0.5, 0.5 - 0.5 * u - 0.866 * v.abs()),  # triangle
            least(0.9 - box, 0.25 - least(u.abs(), v.abs())),  # cross
            0.7 + 0.3 * torch.cos(5 * torch.atan2(v, u)) - radius,  # star
            least(disc, (u - 0.5).hypot(v) - 0.7),  # crescent
            least(disc, torch.sin(7 * u) / 7),  # stripes
            least(disc, torch.sin(5 * u) * torch.sin(5 * v) / 5),  # chequered
        ]
    )
