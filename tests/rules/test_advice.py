"""What advice says: the share of a map that is skipped, and how severe it is.

The examples of the rules say where advice is reported; these tests say with which words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from convlint.ir import Finding
from convlint.rules.base import Decides
from convlint.rules.example_files import Example
from convlint.rules.registry import rule
from tests.rules.check_example import Check, StartWorker

BOTH = pytest.mark.parametrize("mode", ["source", "run"])


@pytest.fixture
def findings(start_worker: StartWorker, tmp_path: Path) -> Callable[..., list[Finding]]:
    def check(code: str, example: str, mode: Decides) -> list[Finding]:
        (one,) = [each for each in (*rule(code).bad, *rule(code).good) if each.name == example]
        found = Check(mode, start_worker, tmp_path / "net.py", one).source(one.source)
        return [finding for finding in found if finding.code == code]

    return check


@BOTH
def test_the_share_of_skipped_voxels_counts_all_three_dimensions(
    mode: Decides, findings: Callable[..., list[Finding]]
) -> None:
    (finding,) = findings("CVL303", "volume", mode)
    assert finding.message.startswith("87.5% of the input voxels are never read by this Conv3d")
    assert "shortcut" not in finding.message


@BOTH
def test_the_message_names_a_shortcut_also_where_its_output_is_split(
    mode: Decides, findings: Callable[..., list[Finding]]
) -> None:
    (finding,) = findings("CVL303", "sliced_shortcut", mode)
    assert "(a shortcut: " in finding.message


RESIDUAL_AFTER_DOWNSAMPLING = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.down = nn.Conv2d(8, 8, 1, stride=2)
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        x = self.down(self.stem(x).relu())
        return x + self.conv(x.relu())
"""


@BOTH
def test_a_residual_block_after_a_strided_pointwise_layer_does_not_make_it_a_shortcut(
    mode: Decides, start_worker: StartWorker, tmp_path: Path
) -> None:
    check = Check(mode, start_worker, tmp_path / "net.py", Example("net", RESIDUAL_AFTER_DOWNSAMPLING))
    (finding,) = [f for f in check.source(RESIDUAL_AFTER_DOWNSAMPLING) if f.code == "CVL303"]
    assert "shortcut" not in finding.message


HOOKED_BY_ANOTHER_FUNCTION = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x):
        return self.norm(self.conv(x))


def with_features(features):
    net = Net()
    net.conv.register_forward_hook(lambda module, inputs, output: features.append(output))
    return net
"""


def test_a_bias_is_useful_where_another_function_of_the_file_hooks_the_layer(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    def codes(text: str) -> set[str]:
        check = Check("source", start_worker, tmp_path / "net.py", Example("net", text))
        return {finding.code for finding in check.source(text)}

    assert "CVL301" not in codes(HOOKED_BY_ANOTHER_FUNCTION)
    assert "CVL301" in codes(HOOKED_BY_ANOTHER_FUNCTION.replace("net.conv.register", "net.norm.register_full_back"))
