"""Latent defects of every kind are really run: a call fails, works with the repair written in, and has a control."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from convlint.findings.confirm import confirmed
from convlint.ir import Finding
from convlint.pipelines.file_linter import lint_text
from convlint.runtime.worker.client import Worker
from convlint.static import Project
from tests.latent.planted import HEAD, Planted
from tests.latent.planted_builders import BUILDERS
from tests.latent.planted_joints import JOINTS
from tests.latent.planted_layers import LAYERS


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


def proved(worker: Worker, folder: Path, source: str) -> list[Finding]:
    file = folder / "blocks.py"
    file.write_text(source)
    found = lint_text(str(file), source.encode(), Project(str(folder))).findings
    return confirmed([each for each in found if each.code < "CVL3"], worker.prove)


@pytest.mark.slow
@pytest.mark.parametrize("planted", [*LAYERS, *JOINTS, *BUILDERS], ids=repr)
def test_a_wrong_number_is_proved_with_its_repair(planted: Planted, tmp_path: Path, worker: Worker) -> None:
    (finding,) = proved(worker, tmp_path, planted.wrong)
    assert finding.severity == "error"
    assert finding.witness is not None
    assert finding.witness.verified == "run"
    assert finding.repairs[0].verified == "run"


FLAG = """
class Block(nn.Module):
    def __init__(self, inplanes, planes, use_skip=False):
        super().__init__()
        self.conv = nn.Conv2d(inplanes, planes, 3, padding=1)
        self.skip = nn.Conv2d(planes, planes, 1) if use_skip else None

    def forward(self, x):
        return self.conv(x) if self.skip is None else self.conv(x) + self.skip(x)
"""


def test_a_flag_is_part_of_the_call(tmp_path: Path, worker: Worker) -> None:
    (finding,) = proved(worker, tmp_path, HEAD + FLAG)
    assert finding.witness is not None
    assert finding.witness.call == "Block(2, 10, use_skip=True)"
    assert finding.witness.control == "Block(2, 10)"
    assert finding.repairs[0].effect == "the class then runs"


def test_the_module_of_a_shortcut_is_part_of_the_call(tmp_path: Path, worker: Worker) -> None:
    (finding,) = proved(
        worker,
        tmp_path,
        f"""{HEAD}
class Block(nn.Module):
    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1)
        self.conv2 = nn.Conv2d(inplanes, planes, 3, 1, 1)
        self.downsample = downsample

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        return self.conv2(self.conv1(x)) + identity
""",
    )
    assert finding.witness is not None
    assert finding.witness.call == "Block(2, 10, downsample=Conv2d(2, 10, 1, 1))"
    assert finding.witness.inputs == ("1x2x8x8",)


def test_a_class_that_fails_for_all_arguments_is_run_with_its_repair(tmp_path: Path, worker: Worker) -> None:
    (finding,) = proved(
        worker,
        tmp_path,
        f"""{HEAD}
class Grow(nn.Module):
    def __init__(self, in_ch, out_ch):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_ch, in_ch // 2, 2, 2)
        self.conv = nn.Conv2d(in_ch, out_ch, 3)

    def forward(self, x):
        return self.conv(self.up(x))
""",
    )
    assert finding.severity == "error"
    assert finding.witness is not None
    assert (finding.witness.verified, finding.witness.control) == ("run", "")


def test_what_a_run_refutes_is_dropped(tmp_path: Path, worker: Worker) -> None:
    """Static analysis does not see that the layer is another one when the class is really built."""
    source = f"""{HEAD}
class ConvNorm(nn.Module):
    def __init__(self, in_chs, out_chs):
        super().__init__()
        self.conv = nn.Conv2d(in_chs, out_chs, 3)
        self.norm = nn.BatchNorm2d(in_chs)

    def forward(self, x):
        return self.norm(self.conv(x))
"""
    assert len(proved(worker, tmp_path, source)) == 1
    other = f"{source}\nsetattr(nn, 'BatchNorm2d', lambda width: nn.Identity())\n"
    assert proved(worker, tmp_path, other) == []


def test_two_inputs_of_different_sizes(tmp_path: Path, worker: Worker) -> None:
    (finding,) = proved(
        worker,
        tmp_path,
        f"""{HEAD}
class Up(nn.Module):
    def __init__(self, in_ch, skip_ch, out_ch):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_ch, in_ch, 2, 2)
        self.reduce = nn.Conv2d(skip_ch, out_ch, 1)
        self.conv = nn.Conv2d(in_ch + skip_ch, out_ch, 3, padding=1)

    def forward(self, x, skip):
        return self.conv(torch.cat([self.up(x), self.reduce(skip)], 1))
""",
    )
    assert finding.witness is not None
    assert finding.witness.inputs == ("1x2x8x8", "1x10x16x16")


def test_a_vector_of_conditions_beside_a_map(tmp_path: Path, worker: Worker) -> None:
    (finding,) = proved(
        worker,
        tmp_path,
        f"""{HEAD}
class Conditional(nn.Module):
    def __init__(self, width, condition):
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.scale = nn.Linear(condition, width)
        self.shift = nn.Linear(condition, condition)

    def forward(self, x, c):
        return self.norm(x) * self.scale(c)[:, :, None, None] + self.shift(c)[:, :, None, None]
""",
    )
    assert finding.witness is not None
    assert finding.witness.inputs == ("1x2x8x8", "1x10")


FIXED = """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.second = nn.Conv2d(16, 8, 3)

    def forward(self, x):
        return self.second(self.first(x))
"""


def test_an_error_without_arguments_is_repeated(tmp_path: Path, worker: Worker) -> None:
    (finding,) = proved(worker, tmp_path, HEAD + FIXED)
    assert finding.witness is not None
    assert finding.witness.call == "Block()"
    assert "expected input[1, 8, " in finding.witness.error
    assert finding.repairs[0].verified == "run"
