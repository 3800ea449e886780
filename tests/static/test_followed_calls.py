"""Calls of libraries and choices of modules through which shapes are followed."""

from __future__ import annotations

import pytest

from convlint.source_text.texts import SourceTexts
from convlint.static import Project, check_file

NET = """\
import itertools
import torch
from fractions import Fraction
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub
from torch.utils.checkpoint import checkpoint_sequential
from elsewhere import flag


class Net(nn.Module):
    def __init__(self, width=None):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        {built}
        self.head = nn.Conv2d({channels}, 8, 1)

    def forward(self, x):
        x = self.stem(x)
        {forward}
        return self.head(x)
"""
FOLLOWED = {
    "checkpoints of a sequence": (
        "self.blocks = nn.Sequential(nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1))",
        "x = checkpoint_sequential(self.blocks, 2, x)",
    ),
    "stubs of quantization": ("self.a, self.b = QuantStub(), DeQuantStub()", "x = self.b(self.a(x))"),
    "sums so far": ("a, b = itertools.accumulate((6, 10)); self.conv = nn.Conv2d(b, 10 + a, 1)", "x = self.conv(x)"),
    "an annotated tensor": ("pass", "x = torch.jit.annotate(torch.Tensor, x)"),
    "pairs of widths": (
        "self.blocks = nn.Sequential(*[nn.Conv2d(a, b, 1) for a, b in itertools.pairwise((16, 8, 16))])",
        "x = self.blocks(x)",
    ),
    "a fraction": ("self.conv = nn.Conv2d(16, int(Fraction(2, 3) * 24), 1)", "x = self.conv(x)"),
    "a width or the default": ("self.conv = nn.Conv2d(16, width or 16, 1)", "x = self.conv(x)"),
    "an activation that may be left out": ("self.act = nn.ReLU() if flag() else nn.Identity()", "x = self.act(x)"),
    "a norm that only one branch has": (
        "self.normalize = flag()\n        if self.normalize:\n            self.norm = nn.BatchNorm2d(16)",
        "if self.normalize:\n            x = self.norm(x)",
    ),
    "two ways to the same shape": (
        "self.a, self.b = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 3, padding=1)",
        "if flag():\n            x = self.a(x)\n        else:\n            x = self.b(x)",
    ),
}
UNDECIDED = {
    "two widths": (
        "self.conv = nn.Conv2d(16, 16, 1)\n        if flag():\n            self.conv = nn.Conv2d(16, 24, 1)",
        "x = self.conv(x)",
    ),
    "an alternative for another input": (
        "self.conv = nn.Conv2d(24, 16, 1) if flag() else nn.Conv2d(16, 24, 1)",
        "x = self.conv(x)",
    ),
}


def errors(built: str, channels: int, forward: str) -> list[str]:
    """Return the codes of the errors of a net, whose head gets ``channels``."""
    data = NET.format(built=built, channels=channels, forward=forward).encode()
    checked = check_file("net.py", data, Project(".", (), SourceTexts({"net.py": data})))
    return [finding.code for finding in checked.findings if finding.severity == "error"]


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_width_behind_it_is_known(name: str) -> None:
    built, forward = FOLLOWED[name]
    assert errors(built, 16, forward) == []
    assert errors(built, 24, forward) == ["CVL102"]


@pytest.mark.parametrize("name", UNDECIDED)
@pytest.mark.parametrize("channels", [16, 24, 32])
def test_a_width_that_is_not_decided_is_no_error(name: str, channels: int) -> None:
    built, forward = UNDECIDED[name]
    assert errors(built, channels, forward) == []
