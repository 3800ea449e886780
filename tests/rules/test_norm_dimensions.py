"""A norm of the wrong dimension is one finding at its constructor, and PyTorch runs the repaired text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import convlint
from convlint.ir import Finding
from convlint.source_text.edits import apply

INPUT = (3, 16, 16)
MODES = pytest.mark.parametrize("mode", ["static", pytest.param("run", marks=pytest.mark.slow)])
NETS = {
    "after a Conv1d": ("nn.Conv1d(3, 8, 3)", "nn.BatchNorm2d(8)", "x[:, :, 0]", "nn.BatchNorm1d"),
    "after a Conv2d": ("nn.Conv2d(3, 8, 3)", "nn.BatchNorm1d(8)", "x", "nn.BatchNorm2d"),
    "after a Conv3d": ("nn.Conv3d(3, 8, 1)", "nn.BatchNorm2d(8)", "x[:, :, None]", "nn.BatchNorm3d"),
    "after a Linear": (
        "nn.Linear(3, 8)",
        "nn.BatchNorm3d(8)",
        "nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)",
        "nn.BatchNorm1d",
    ),
    "an instance norm": ("nn.Conv3d(3, 8, 1)", "nn.InstanceNorm2d(8)", "x[:, :, None]", "nn.InstanceNorm3d"),
    "a name that is imported": ("nn.Conv1d(3, 8, 3)", "BatchNorm2d(8)", "x[:, :, 0]", "BatchNorm1d"),
}
UNREPAIRED = {
    "a name that is not imported": ("nn.Conv2d(3, 8, 3)", "BatchNorm1d(8)", "x", "BatchNorm2d"),
    "a class that is passed in": ("nn.Conv1d(3, 8, 3)", "norm(8)", "x[:, :, 0]", "BatchNorm1d"),
}


def source(layer: str, norm: str, x: str) -> str:
    imported = "BatchNorm1d, BatchNorm2d" if norm == "BatchNorm2d(8)" else "BatchNorm1d"
    return (
        f"import torch\nfrom torch import nn\nfrom torch.nn import {imported}\n\n\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, norm=nn.BatchNorm2d):\n"
        "        super().__init__()\n"
        f"        self.layer = {layer}\n"
        f"        self.norm = {norm}  # here\n\n"
        f"    def forward(self, x):\n        return self.norm(self.layer({x})).relu()\n"
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_worker: None) -> None:
    monkeypatch.chdir(tmp_path)


def error(text: str, mode: str) -> Finding:
    Path("net.py").write_text(text)
    report = convlint.check("net.py:Net", input=INPUT) if mode == "run" else convlint.check("net.py")
    (found,) = [finding for finding in report.findings if finding.severity == "error"]
    assert found.code == "CVL115"
    assert found.site is not None
    assert text.splitlines()[found.site.line - 1].endswith("# here")
    return found


@MODES
@pytest.mark.parametrize("name", NETS)
def test_the_class_that_fits_is_a_verified_repair(name: str, mode: str) -> None:
    layer, norm, x, fitting = NETS[name]
    text = source(layer, norm, x)
    (repair,) = error(text, mode).repairs
    assert repair.verified == mode
    edited = apply(text.encode(), repair.edits).decode()
    assert f"self.norm = {fitting}(8)" in edited
    runs(edited)


@MODES
@pytest.mark.parametrize("name", UNREPAIRED)
def test_a_class_that_cannot_be_written_is_named(name: str, mode: str) -> None:
    layer, norm, x, fitting = UNREPAIRED[name]
    found = error(source(layer, norm, x), mode)
    assert not found.repairs
    assert found.message.endswith(f"; use {fitting}")


def runs(text: str) -> None:
    """Let PyTorch build and run a model; raises what it raises."""
    import torch

    names: dict[str, Any] = {}
    exec(text, names)  # noqa: S102 - the program under test
    names["Net"]().eval()(torch.rand(2, *INPUT))
