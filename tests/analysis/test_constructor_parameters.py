"""The parameters of constructors, beside their signatures in PyTorch."""

from __future__ import annotations

import inspect

import pytest

from convlint.analysis.constructor_parameters import parameter_of, position

LAYERS = {
    "conv2d": "Conv2d",
    "conv_transpose3d": "ConvTranspose3d",
    "linear": "Linear",
    "batch_norm": "BatchNorm2d",
    "instance_norm": "InstanceNorm2d",
    "group_norm": "GroupNorm",
    "layer_norm": "LayerNorm",
    "prelu": "PReLU",
    "max_pool2d": "MaxPool2d",
    "avg_pool1d": "AvgPool1d",
    "interpolate": "Upsample",
}


@pytest.mark.parametrize("op", LAYERS)
def test_positions_are_those_of_the_signature(op: str) -> None:
    from torch import nn

    names = [*inspect.signature(getattr(nn, LAYERS[op])).parameters]
    known = {name: at for name in names if (at := position(op, name)) is not None}
    assert known
    assert known == {name: names.index(name) for name in known}


@pytest.mark.parametrize("op", LAYERS)
def test_a_number_of_a_layer_is_a_parameter_of_it(op: str) -> None:
    from torch import nn

    names = inspect.signature(getattr(nn, LAYERS[op])).parameters
    numbers = {parameter_of(op, label) for label in ("in", "out")} - {None}
    assert numbers <= set(names)
    assert bool(numbers) == (op not in ("max_pool2d", "avg_pool1d", "interpolate"))
