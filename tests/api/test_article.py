"""The tables of the article that this project grew from, to the printed digit.

All at 64x224x224, batch 1. "MB" is 2**20 bytes; the total is input, forward and backward, and
parameters, as torchsummary counts them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import convlint
from tests.support.commands import command

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Row:
    """A row of the article: parameters by layer, then megabytes."""

    target: str
    params: tuple[int, ...]
    forward_backward: str
    params_size: str
    total: str


ROWS = (
    Row("conv.py:Conv(64, 256, groups=1)", (147_712,), "98.00", "0.56", "110.81"),
    Row("conv.py:Conv(64, 256, groups=8)", (18_688,), "98.00", "0.07", "110.32"),
    Row("group.py:Group", (18_688,), "98.00", "0.07", "110.32"),
    Row("depthwise_separable.py:DepthwiseSeparableConv", (640, 16_640), *("122.50", "0.07", "134.82")),
    Row("depthwise_separable.py:DepthwiseSeparableConvNorm", (576, 128, 16_384, 512), *("360.97", "0.07", "373.28")),
    Row("gdconv.py:GDConv(64, 64, 224, 0)", (3_211_264, 128), "0.00", "12.25", "24.50"),
)
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.target)


@pytest.mark.slow
@each_row
def test_summary_from_python(row: Row, shared_worker: None) -> None:
    (model,) = convlint.summary(f"{ROOT}/fixtures/{row.target}", input=(64, 224, 224)).models
    assert tuple(layer.params for layer in model.layers if layer.params) == row.params
    totals = model.totals
    sizes = (totals.input_bytes, totals.forward_backward_bytes, totals.params_bytes)
    shown = [f"{size / 2**20:.2f}" for size in (*sizes, sum(sizes))]
    assert shown == ["12.25", row.forward_backward, row.params_size, row.total]


@pytest.mark.slow
@each_row
def test_summary_from_the_command_line(row: Row) -> None:
    done = command(ROOT, "summary", f"fixtures/{row.target}", "--input", "64,224,224", "--classic", "--exact")
    assert done.returncode == 0
    numbers = re.findall(r"[\d,.]*\d", done.stdout)
    assert {f"{count:,}" for count in row.params} <= set(numbers)
    assert f"{sum(row.params):,}" in numbers
    assert {"12.25", row.forward_backward, row.params_size, row.total} <= set(numbers)


def test_ratio_of_parameters_in_groups_of_eight() -> None:
    dense, grouped = (sum(row.params) for row in ROWS[:2])
    assert f"{grouped / dense:.5f}" == "0.12652"  # not the 0.14038 that the article prints
