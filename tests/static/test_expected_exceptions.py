"""Exceptions that a program expects, or that callers of a class avoid, are no errors."""

from __future__ import annotations

import pytest

from convlint.ir import Finding
from convlint.pipelines.file_linter import lint_text
from convlint.source_text.texts import SourceTexts
from convlint.static import Project

HEAD = """\
import pytest
import torch
from torch import nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, inplanes, planes, stride=1, style="pytorch"):
        super().__init__()
        assert style in ("pytorch", "caffe")
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1)
        self.pool = nn.AvgPool2d(5)

    def forward(self, x):
        return self.pool(x + self.conv1(x))


"""


def errors(text: str) -> list[Finding]:
    data = (HEAD + text).encode()
    found = lint_text("net.py", data, Project(".", (), SourceTexts({"net.py": data}))).findings
    return [finding for finding in found if finding.severity == "error"]


FAILING = "Block(8, 16)(torch.rand(1, 8, 9, 9))"


@pytest.mark.parametrize("expecting", ["pytest.raises(RuntimeError)", "self.assertRaises(RuntimeError)"])
def test_the_error_that_a_test_expects(expecting: str) -> None:
    assert errors(f"def test_sizes(self):\n    with {expecting}:\n        {FAILING}\n") == []
    assert errors(f"def test_sizes(self):\n    with torch.no_grad():\n        {FAILING}\n")


def test_an_error_after_an_expected_one() -> None:
    expected = "    with pytest.raises(AssertionError):\n        Block(8, 8, style='other')\n"
    assert errors(f"def test_sizes():\n{expected}    {FAILING}\n")
    assert errors(f"def test_sizes():\n{expected}    block = Block(8, 16, stride=2)\n    assert block.conv1\n") == []


UPSAMPLE = """\
class Upsample(nn.Module):
    def __init__(self, size=None, scale_factor=None):
        super().__init__()
        self.size, self.scale_factor = size, scale_factor

    def forward(self, x):
        return F.interpolate(x, self.size, self.scale_factor)


"""


def test_an_argument_that_callers_have_to_choose() -> None:
    assert errors(UPSAMPLE) == []
    assert errors(f"{UPSAMPLE}Upsample(scale_factor=2)(torch.rand(1, 3, 8, 8))\n") == []
    assert errors(f"{UPSAMPLE}Upsample()(torch.rand(1, 3, 8, 8))\n")


def test_a_layer_of_a_library_whose_callers_have_to_choose() -> None:
    derived = "class Up(nn.Upsample):\n    def forward(self, x):\n        return super().forward(x.float())\n\n\n"
    assert errors(derived) == []
    assert errors(f"{derived}Up()(torch.rand(1, 3, 8, 8))\n")


def test_a_call_that_never_has_one() -> None:
    text = UPSAMPLE.replace("self, size=None, scale_factor=None", "self").replace(
        "self.size, self.scale_factor)", "None)"
    )
    assert errors(text.replace("self.size, self.scale_factor = size, scale_factor", "self.size = None"))
