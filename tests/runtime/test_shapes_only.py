"""Operators that are not computed have the shapes of PyTorch, and refuse what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from convlint.runtime.record.shapes_only import ShapesOnly

LAYERS = {
    "conv": (nn.Conv2d(6, 8, 3, stride=2), (1, 6, 9, 9)),
    "grouped conv": (nn.Conv1d(6, 8, 3, groups=2), (1, 6, 9)),
    "transposed conv": (nn.ConvTranspose2d(6, 8, 3, groups=2, output_padding=1, stride=2), (1, 6, 9, 9)),
    "linear": (nn.Linear(6, 8), (4, 6)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_an_output_has_the_shape_of_pytorch(name: str) -> None:
    layer, size = LAYERS[name]
    with ShapesOnly(compute=False):
        shape = layer(torch.zeros(size)).shape
    assert shape == layer(torch.zeros(size)).shape


@pytest.mark.parametrize("name", LAYERS)
def test_an_input_with_a_wrong_number_of_channels_is_refused(name: str) -> None:
    layer, (batch, channels, *pixels) = LAYERS[name]
    wrong: Tensor = torch.zeros((batch, channels // 2, *pixels))
    with pytest.raises(RuntimeError):
        layer(wrong)
    with ShapesOnly(compute=False), pytest.raises(RuntimeError):
        layer(wrong)
