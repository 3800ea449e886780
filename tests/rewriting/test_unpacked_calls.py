"""Calls with ``*args``: the new class has the same positions, and a condition is on parameters that get names."""

from __future__ import annotations

import pytest
import torch

from convlint.rewriting.layer_use import LayerArguments
from tests.rewriting.test_conv_calls import HEAD, POINTWISE, STEM, rewritten

CLASS = "DepthwiseSeparableConv2d"
WRAPPER = "def conv(*args, **kwargs):\n    return nn.Conv2d(*args, **kwargs)\n"


def end(text: str, *others: LayerArguments) -> list[str]:
    """The lines below the new class."""
    after = rewritten(HEAD + text, *others)
    return after[after.index("class Depthwise") :].partition("\n\n\n")[2].splitlines()


def test_a_wrapper_calls_the_other_class() -> None:
    assert end(WRAPPER) == ["def conv(*args, **kwargs):", f"    return {CLASS}(*args, **kwargs)"]


@pytest.mark.parametrize(
    ("others", "names", "condition"),
    [
        ((STEM,), "in_channels", "in_channels > 4"),
        ((POINTWISE,), "in_channels, out_channels, kernel_size", "kernel_size != 1"),
        ((STEM, POINTWISE), "in_channels, out_channels, kernel_size", "in_channels > 4 and kernel_size != 1"),
    ],
)
def test_what_a_condition_needs_gets_a_name(others: tuple[LayerArguments, ...], names: str, condition: str) -> None:
    assert end(WRAPPER, *others) == [
        f"def conv({names}, *args, **kwargs):",
        f"    conv_class = {CLASS} if {condition} else nn.Conv2d",
        f"    return conv_class({names}, *args, **kwargs)",
    ]


def test_names_follow_those_that_the_function_has() -> None:
    text = "def conv(name, i, *args):\n    return nn.Conv2d(i, *args)\n"
    assert end(text, POINTWISE)[0] == "def conv(name, i, out_channels, kernel_size, *args):"


@pytest.mark.parametrize(
    "text",
    [
        "def conv(*args, **kwargs):\n    print(args)\n    return nn.Conv2d(*args, **kwargs)\n",  # args is read
        "def conv(*args, **kwargs):\n    return nn.Conv2d(*args)\n",  # a keyword would reach the class
        "def conv(x=1, *args):\n    return nn.Conv2d(*args)\n",  # a parameter without a default cannot follow
        "def conv(in_channels, *args):\n    return nn.Conv2d(*args)\n",  # the name is taken
        "def conv(*args):\n    return nn.Conv2d(*args, *args)\n",
    ],
)
def test_where_names_would_change_what_a_call_means_the_result_is_converted(text: str) -> None:
    assert "separable(nn.Conv2d(*args" in rewritten(HEAD + text, STEM)


def test_groups_by_position_are_an_error_and_not_a_bias() -> None:
    names: dict[str, type[torch.nn.Module]] = {}
    exec(rewritten(HEAD + WRAPPER), names)  # noqa: S102
    with pytest.raises(TypeError, match="positional arguments"):
        names["conv"](32, 64, 3, 1, 1, 1, 32)
    assert names["conv"](32, 64, 3, bias=False)(torch.rand(1, 32, 8, 8)).shape == (1, 64, 6, 6)
