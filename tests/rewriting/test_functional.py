"""Modules that call ``F.conv2d`` with a weight of their own get groups; other rewrites are not defined for them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from convlint.ir import Replacement
from convlint.runtime.weights.checkpoint import convert
from tests.rewriting.suggest_project import Project

NET = """\
import torch
from torch import nn
import torch.nn.functional as F


class Scaled(nn.Module):
    def __init__(self, into, out, size=3):
        super().__init__()
        self.weight = nn.Parameter({weight})
        self.bias = nn.Parameter(torch.zeros(out))
        self.one = 1

    def forward(self, x):
        return F.conv2d(x, {used}, self.bias, padding=1{more})


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 32, 1), Scaled(32, 64), nn.Conv2d(64, 64, 1), Scaled(64, 32))
"""
ROWS = {"weight": "torch.randn(out, into, size, size)", "used": "self.weight", "more": ""}


@pytest.mark.parametrize(
    ("changed", "weight", "call"),
    [
        ({}, "torch.randn(out, into // 2, size, size)", "self.weight, self.bias, padding=1, groups=2)"),
        ({"used": "0.1 * self.weight"}, "into // 2", "0.1 * self.weight, self.bias, padding=1, groups=2)"),
        (
            {"weight": "torch.zeros((out, int(into), *(size, size)))", "more": ", groups=1"},
            "torch.zeros((out, int(into) // 2, *(size, size)))",
            "padding=1, groups=2)",
        ),
    ],
    ids=["plain", "computed", "tuple"],
)
@pytest.mark.slow
def test_the_weight_becomes_smaller_and_the_call_gets_groups(
    kept: Project, changed: dict[str, str], weight: str, call: str
) -> None:
    kept.emptied().write("net.py", NET.format(**{**ROWS, **changed}))
    result = kept.suggest("net.py:Net", "--input", "3,8,8", "--output-format", "json")
    (suggestion,) = [each for each in result.document["suggestions"] if each["code"] == "CVL501"]
    assert suggestion["instances"] == ["1", "3"]
    kept.apply(result.document["rewritten"]["diff"])
    after = (kept.folder / "net.py").read_text()
    assert weight in after
    assert call in after
    model = kept.load("net.py")["Net"]()
    assert model[1].weight.shape == (64, 16, 3, 3)
    assert model(torch.rand(1, 3, 8, 8)).shape == (1, 32, 8, 8)
    reasons = {each["code"]: each["reason"] for each in result.document["refusals"]}
    assert "not supported for a call of torch.nn.functional.conv2d" in reasons["CVL502"]


def test_a_rewrite_of_linear_layers_alone_says_that_it_is_not_supported(kept: Project) -> None:
    kept.emptied().write("net.py", NET.format(**ROWS))
    given = ("net.py:Net", "--input", "3,8,8", "--kind", "global-depthwise", "--layer", "1")
    (refusal,) = kept.suggest(*given, "--output-format", "json").document["refusals"]
    assert refusal["reason"].startswith("not supported for a call of torch.nn.functional.conv2d")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"weight": "shaped(out, into)"}, "the shape of its weight is not written in the constructor of its class"),
        ({"more": ", groups=self.one"}, "the shape of its weight is not written in the constructor of its class"),
    ],
)
@pytest.mark.slow
def test_what_is_not_written_plainly_stays(kept: Project, changed: dict[str, str], reason: str) -> None:
    helper = "def shaped(out, into):\n    return torch.randn(out, into, 3, 3)\n\n\nclass Scaled"
    kept.emptied().write("net.py", NET.format(**{**ROWS, **changed}).replace("class Scaled", helper))
    result = kept.suggest("net.py:Net", "--input", "3,8,8", "--output-format", "json")
    assert not result.document["suggestions"]
    assert {each["reason"] for each in result.document["refusals"] if each["code"] == "CVL501"} == {reason}


class Own(nn.Module):
    """A module after its weight, of any name, was divided into groups."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.register_parameter(name, nn.Parameter(torch.zeros(6, 4, 3, 3)))
        self.shift = nn.Parameter(torch.zeros(6))


@pytest.mark.parametrize("name", ["weight", "w", "kernel"])
def test_a_checkpoint_keeps_the_weights_inside_of_the_groups(name: str) -> None:
    dense, shift = torch.randn(6, 8, 3, 3), torch.randn(6)
    state, errors = convert(
        {f"own.{name}": dense, "own.shift": shift}, {"own": Replacement("CVL501", groups=2)}, modules={"own": Own(name)}
    )
    blocks = torch.cat((dense[:3, :4], dense[3:, 4:]))
    assert torch.equal(state[f"own.{name}"], blocks)
    assert torch.equal(state["own.shift"], shift)
    assert errors["own"] == pytest.approx((1 - blocks.square().sum() / dense.square().sum()).sqrt().item())


STANDARDIZED = "(self.weight - self.weight.mean()) / self.weight.std()"


@pytest.mark.slow
def test_a_weight_that_is_computed_in_several_steps_gets_groups(kept: Project) -> None:
    kept.emptied().write("net.py", NET.format(**{**ROWS, "used": STANDARDIZED}))
    result = kept.suggest("net.py:Net", "--input", "3,8,8", "--output-format", "json")
    (suggestion,) = [each for each in result.document["suggestions"] if each["code"] == "CVL501"]
    assert suggestion["instances"] == ["1", "3"]
