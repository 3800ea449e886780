"""Projects that select convolutions by the names of their classes: the new class is not taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewriting.suggest_project import project

NET = """from torch import nn


def init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.constant_(m.weight.data, 0.5)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.{}(32, 64, 3, padding=1)
        self.apply(init)

    def forward(self, x):
        return self.conv(x)
"""


@pytest.mark.parametrize(
    ("cls", "kind", "name"),
    [
        ("Conv2d", "depthwise-separable", "DepthwiseSeparable2d"),
        ("ConvTranspose2d", "depthwise-separable", "DepthwiseSeparableTranspose2d"),
        ("Conv2d", "low-rank", "LowRank2d"),
    ],
)
def test_the_new_class_has_a_name_that_does_not_select_it(tmp_path: Path, cls: str, kind: str, name: str) -> None:
    with project(tmp_path) as here:
        here.write("net.py", NET.format(cls))
        here.apply(here.suggest("net.py:Net", "--input", "32,8,8", "--kind", kind, "--output-format", "diff").out)
        conv = here.load("net.py")["Net"]().conv
    assert type(conv).__name__ == name
    assert not hasattr(conv, "weight")
    assert all((part.weight == 0.5).all() for part in conv)
