"""Sizes of unknown inputs that fit for none of them, or only for the smallest maps."""

from __future__ import annotations

import pytest

from convlint.source_text.texts import SourceTexts
from convlint.static import Project, check_file

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, 2, 1)
        self.down = nn.Conv2d(width, width, 3, 2, 1)
        self.conv = nn.Conv2d(width, width, 3, padding={padding})

    def forward(self, clip):
        b, t, c, h, w = clip.shape
        x = self.stem(clip.reshape(b * t, c, h, w))
        {forward}
"""


def errors(forward: str, padding: int = 1) -> list[str]:
    """The errors of static analysis."""
    data = NET.format(forward=forward, padding=padding).encode()
    checked = check_file("net.py", data, Project(".", (), SourceTexts({"net.py": data})))
    return [finding.code for finding in checked.findings if finding.severity == "error"]


def fails_in_torch(forward: str, padding: int = 1) -> bool:
    """Whether PyTorch refuses clips of several sizes."""
    import torch

    names: dict[str, type] = {}
    exec(NET.format(forward=forward, padding=padding), names)  # noqa: S102 - a text of this file
    outcomes = set()
    for height, width in ((32, 32), (48, 64), (64, 40)):
        try:
            names["Net"]()(torch.zeros(2, 3, 3, height, width))
            outcomes.add(False)
        except RuntimeError:
            outcomes.add(True)
    assert len(outcomes) == 1
    return outcomes.pop()


VIEWS = (
    "return x.view(b, t, -1, h // 2, w // 2)",
    "return x.view(b, t, x.size(1), h // 2, w // 2)",
    "return x.view(b, t, x.size(1), h // 4, w // 4)",
    "return self.down(x).view(b, t, x.size(1), h // 4, w // 4)",
    "return self.down(x).view(b, t, x.size(1), h // 2, w // 2)",
    "return x.view(b, t, x.size(1) // 2, h // 2, w // 2)",
    "return x.view(b, t, 2 * x.size(1), h // 2, w // 4)",
)


@pytest.mark.parametrize("forward", VIEWS)
def test_a_view_for_another_stride_fits_no_map(forward: str) -> None:
    assert bool(errors(forward)) == fails_in_torch(forward)


@pytest.mark.parametrize("forward", ["return x + self.conv(x)", "return x * self.conv(x).transpose(2, 3).mT"])
@pytest.mark.parametrize("padding", [0, 1])
def test_a_sum_with_a_smaller_map_fits_none(forward: str, padding: int) -> None:
    assert bool(errors(forward, padding)) == fails_in_torch(forward, padding)


@pytest.mark.parametrize(
    "forward",
    [
        "return x.view(8, 16, 16, 16)",  # of two clips of four frames
        "return x.view(b, t, x.size(1), h // 2, h // 2)",  # of square maps
        "return x + self.conv(x).mean((2, 3), keepdim=True)",
    ],
)
def test_what_fits_some_map_is_no_error(forward: str) -> None:
    assert errors(forward) == []
