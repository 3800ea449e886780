"""Classes whose forward reads the items of a list: what they read from one item says nothing about the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import convlint

HEAD = """
import torch
import torch.nn.functional as F
from torch import nn
"""

NUMBERED = """
class Neck(nn.Module):
    def __init__(self, widths, out):
        super().__init__()
        self.first = nn.Conv2d(widths[0], out, 1)
        self.second = nn.Conv2d(widths[1], out, 1)

    def forward(self, maps):
        return self.first(maps[0]) + F.interpolate(self.second(maps[1]), scale_factor=2)
"""
COUNTED = """
class Neck(nn.Module):
    def __init__(self, widths, out):
        super().__init__()
        self.widths = widths
        self.convs = nn.ModuleList([nn.Conv2d(width, out, 1) for width in widths])

    def forward(self, maps):
        assert len(maps) == len(self.widths)
        laterals = [conv(maps[i]) for i, conv in enumerate(self.convs)]
        for i in range(len(laterals) - 1, 0, -1):
            laterals[i - 1] = laterals[i - 1] + F.interpolate(laterals[i], scale_factor=2)
        return laterals[0]
"""
SHIFTED = """
class Neck(nn.Module):
    def __init__(self, widths, out, start=0):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(width, out, 1) for width in widths])
        self.start = start

    def forward(self, maps):
        laterals = [conv(maps[i + self.start]) for i, conv in enumerate(self.convs)]
        return sum(F.interpolate(x, size=laterals[0].shape[2:]) for x in laterals)
"""


@pytest.mark.parametrize("source", [NUMBERED, COUNTED, SHIFTED])
def test_items_of_a_list_may_have_different_widths(source: str, tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": "neck"}
    exec(HEAD + source, names)  # noqa: S102 - the program under test
    names["Neck"]([4, 6], 5)([torch.zeros(2, 4, 8, 8), torch.zeros(2, 6, 4, 4)])
    file = tmp_path / "neck.py"
    file.write_text(HEAD + source)
    assert [finding.code for finding in convlint.check(str(file))] == []


def test_an_item_that_does_not_fit_is_still_an_error(tmp_path: Path) -> None:
    file = tmp_path / "neck.py"
    file.write_text(HEAD + NUMBERED.replace("nn.Conv2d(widths[1], out, 1)", "nn.Conv2d(widths[1], out + 1, 1)"))
    (finding,) = [finding for finding in convlint.check(str(file)) if finding.severity == "error"]
    assert finding.site is not None
    assert "out + 1" in file.read_text().splitlines()[finding.site.line - 1]
