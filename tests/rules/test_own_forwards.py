"""Modules that a forward uses in its own way: a part of a norm, a layer on one branch, numbers that are no integers."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor, nn
from torch.nn import functional

import convlint


class SlimNorm(nn.BatchNorm2d):
    """Uses as many channels as arrive."""

    def forward(self, x: Tensor) -> Tensor:
        assert self.running_mean is not None
        assert self.running_var is not None
        c = x.shape[1]
        mean, var = self.running_mean[:c], self.running_var[:c]
        return functional.batch_norm(x, mean, var, self.weight[:c], self.bias[:c], self.training)


class Slim(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, bias=False)
        self.norm = SlimNorm(64)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)).relu()


def test_a_norm_that_uses_a_part_of_its_channels_is_right() -> None:
    report = convlint.check(Slim(), input=(3, 8, 8))
    assert report.findings == ()
    assert not report.problems


CONDITIONAL = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.label = nn.Linear(4, 4)
        self.forgotten = nn.Linear(4, 4)
        nn.init.zeros_(self.forgotten.weight)

    def forward(self, x, y=None):
        x = self.conv(x)
        return x if y is None else x + self.label(y)[:, :, None, None]
"""


def test_a_module_of_another_branch_may_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(CONDITIONAL)
    report = convlint.check("net.py:Net", input=(3, 8, 8), train=True)
    assert {finding.module: finding.severity for finding in report.findings} == {
        "label": "info",
        "forgotten": "warning",
    }
    (label,) = (finding.message for finding in report.findings if finding.module == "label")
    assert "this forward did not call it" in label


NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self, width=17):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 1)
        self.last = nn.Conv2d(width / 2, 8, 1, groups=2)

    def forward(self, x):
        return self.last(self.first(x))
"""


def test_channels_that_are_no_integers_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    (finding,) = convlint.check("net.py:Net", input=(3, 8, 8)).findings
    assert "in_channels=8.5 must be an integer" in finding.message
    assert [repair.title for repair in finding.repairs] == ["replace `width / 2` with `width // 2`"]
