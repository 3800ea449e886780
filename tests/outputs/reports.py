"""Reports that the output formats are tested with. They point into the files that ``write_files`` writes.

``python -m tests.outputs.reports`` writes tests/outputs/golden anew.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

import convlint
from convlint.ir import (
    Coverage,
    EarlierReport,
    Edit,
    Finding,
    Fix,
    Graph,
    Model,
    Occurrence,
    Problem,
    Related,
    Repair,
    Report,
    Row,
    Severity,
    Site,
    Stopped,
    Totals,
    Witness,
)
from convlint.outputs import formats, renderer

GOLDEN = Path(__file__).parent / "golden"
NO_GOLDEN = {"html"}
"""Formats that are looked at in a browser."""

NET = """\
from torch import nn


class Block(nn.Module):
    def __init__(self, c: int, d: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c, d, 3)
        self.norm = nn.BatchNorm2d(c)
        self.mix = nn.Conv2d(
            d, d, 3,
            groups=3,
        )
"""
ODD_PATH = "größe/a,b:c %25 😀.py"
ODD = """\
from torch import nn

größe, gesicht = 8, "😀"; tief = nn.Conv2d(größe, 4, 1)
netz = nn.Sequential(tief, nn.ReLU())
"""

CONV, NORM = (Site("net.py", 7, 21, 7, 39, "Block.__init__"), Site("net.py", 8, 21, 8, 38, "Block.__init__"))
MIX = Site("net.py", 9, 20, 12, 10, "Block.__init__")
DEEP = Site(ODD_PATH, 3, 33, 3, 55)

LATENT = Finding(
    "CVL201",
    "latent-norm-channels",
    "error",
    "BatchNorm2d `norm` is built for `c` channels, but `d` arrive",
    NORM,
    module="layer1.0.norm",
    target="net.py:Block(4, 4)",
    related=(Related("the layer that gives `d` channels", CONV),),
    witness=Witness("Block(2, 4)", ("1x2x8x8",), "RuntimeError: expected 4, not 2", "Block(2, 2)"),
    fix=Fix("write d for c", "safe", (Edit(Site("net.py", 8, 36, 8, 37), "d"),)),
    instances=("layer1.0.norm", "layer1.1.norm"),
)
MIXED = Finding(
    "CVL307",
    "unmixed-groups",
    "info",
    "Conv2d `mix` has 3 groups, and nothing mixes them",
    MIX,
    confidence="medium",
    module="layer1.0.mix",
    target="net.py:Block(4, 4)",
)
PADDED = Finding(
    "CVL302",
    "padded-pointwise",
    "warning",
    "Conv2d pads a 1x1 kernel: `größe` | 100 % of the border is bias",
    DEEP,
    fix=Fix(
        "say so, twice",
        "unsafe",
        (Edit(Site(ODD_PATH, 3, 43, 3, 48), "breite"), Edit(Site(ODD_PATH, 3, 53, 3, 54), "3")),
    ),
)
REPAIRED = Finding(
    "CVL103",
    "norm-channels",
    "error",
    "BatchNorm2d `layer1.0.norm` expects 4 channels but receives 8 from Conv2d `layer1.0.conv`",
    NORM,
    module="layer1.0.norm",
    target="net.py:Block(4, 4)",
    related=(
        Related("Conv2d `layer1.0.conv` outputs 8 channels", CONV),
        Related("first fails here", MIX, is_failure=True),
    ),
    fix=Fix("num_features=8 (replace `c` with `d`)", "unsafe", (Edit(Site("net.py", 8, 36, 8, 37), "d"),)),
    repairs=(
        Repair(
            "num_features=8 (replace `c` with `d`)",
            (Edit(Site("net.py", 8, 36, 8, 37), "d"),),
            "run",
            "the model then runs",
        ),
        Repair("replace `größe` with `4`", (Edit(Site(ODD_PATH, 3, 43, 3, 48), "4"),), "run", "the model then runs"),
    ),
    instances=("layer1.0.norm", "layer1.1.norm"),
    occurrences=(
        Occurrence("net.py", 9, "layer1.0.norm", "net.py:Block(4, 4)"),
        Occurrence(ODD_PATH, 4, "layer1.1.norm", "net.py:Block(4, 4)"),
    ),
)
BUDGET = Finding(
    "CVL113", "over-budget", "warning", "164 parameters, 100 are allowed", None, target="net.py:Block(4, 4)"
)
TIMEOUT = Problem("timeout", "no answer within 5 s", target="my.nets:Other")
IMPORT = Problem("import-error", "No module named 'x'", "net.py", 1, "net.py:Block(4, 4)")
FOLLOWED = (
    Coverage(
        "net.py",
        4,
        "Block",
        None,
        3,
        2,
        (Stopped("net.py", 9, "`d` is unknown since line 5: `load(...)` is not followed", "load(...)"),),
    ),
    Coverage("net.py", 1, None, "net.py:Block(4, 4)", 3, 3),
)

CONV_ROW = Row(
    "layer1.0.conv",
    "Conv2d",
    1,
    (1, 4, 8, 8),
    (1, 4, 6, 6),
    kernel_size=(3, 3),
    stride=(1, 1),
    padding=(0, 0),
    dilation=(1, 1),
    groups=1,
    bias=True,
    params=4 * 4 * 9 + 4,
    trainable_params=4 * 4 * 9 + 4,
    params_bytes=4 * 148,
    macs=4 * 4 * 9 * 36,
    output_bytes=4 * 144,
    saved_bytes=4 * 256,
    site=CONV,
)
NORM_ROW = Row(
    "layer1.0.norm",
    "BatchNorm2d",
    1,
    (1, 4, 6, 6),
    (1, 4, 6, 6),
    params=8,
    trainable_params=8,
    params_bytes=32,
    output_bytes=4 * 144,
    saved_bytes=4 * 144,
    site=NORM,
)
HEAD_ROW = Row(
    "head",
    "Conv2d",
    2,
    (1, 4, 6, 6),
    (1, 2, 6, 6),
    kernel_size=(1, 1),
    groups=1,
    bias=False,
    params=8,
    trainable_params=8,
    params_bytes=32,
    macs=2 * 8 * 36,
    output_bytes=2 * 4 * 72,
    saved_bytes=None,
)
ROWS = (CONV_ROW, NORM_ROW, HEAD_ROW)
TOTALS = Totals(
    params=164,
    trainable_params=164,
    params_bytes=656,
    macs=4 * 4 * 9 * 36 + 2 * 8 * 36,
    input_bytes=1024,
    forward_backward_bytes=4 * 864,
    peak_inference_bytes=3000,
    saved_bytes=1600,
    training_bytes=None,
)
MODEL = Model(
    "net.py:Block(4, 4)",
    "complete",
    ("x: 1x4x8x8 float32",),
    ("1x2x6x6 float32",),
    "recorder",
    ROWS,
    TOTALS,
    Graph(input_source="--input"),
)
BEFORE = Totals(
    params=164,
    trainable_params=164,
    params_bytes=656,
    macs=4_192,
    input_bytes=1024,
    forward_backward_bytes=4 * 864,
    peak_inference_bytes=6000,
    saved_bytes=None,
    training_bytes=None,
)
EARLIER = EarlierReport(
    "runs/main.json",
    inputs={MODEL.target: MODEL.inputs},
    totals={MODEL.target: BEFORE},
    findings=(("CVL307", "net.py", "layer1.0.mix"), ("CVL101", "net.py", "gone by now")),
)

FULL = Report((LATENT, MIXED, PADDED, BUDGET), (MODEL,), (TIMEOUT, IMPORT), FOLLOWED, earlier=EARLIER)
"""Every part of a report once."""
REPAIRS = Report((REPAIRED,), (MODEL,))
"""A finding with two repairs, which are in two files."""
EMPTY = Report()
UNCHECKED = Report(problems=(TIMEOUT,))

EVIL = "<script>alert(1)</script> ]]> & %0A | `x` \x00\x1b[31m\x07\ufffe\udcff @user #1 ::error::\r\n##[error] é😀"
"""What text of others may hold."""


def many(count: int = 1_200) -> Report:
    """A report with so many findings, of all severities, and every one with text that wants to get out of its place."""
    return Report(tuple(_evil(count)), (MODEL,), (TIMEOUT, Problem("crash", EVIL, EVIL, 3, EVIL)))


def _evil(count: int) -> Iterator[Finding]:
    severities: tuple[Severity, ...] = ("info", "error", "warning")
    kinds = (LATENT, MIXED, PADDED, BUDGET)
    for n in range(count):
        base = kinds[n % 4]
        yield base.with_(
            severity=severities[n % 3],
            message=f"{n}: {EVIL}" if n % 5 else base.message,
            related=(Related(EVIL, CONV), Related("[link](9) \\", DEEP)) if n % 2 else (),
            witness=Witness(EVIL, (EVIL,), EVIL, "" if n % 3 else EVIL) if n % 7 == 0 else None,
        )


def write_files() -> None:
    """The files that the reports point into, in the working directory."""
    Path("net.py").write_text(NET, encoding="utf-8")
    Path(ODD_PATH).parent.mkdir(exist_ok=True)
    Path(ODD_PATH).write_text(ODD, encoding="utf-8")


def golden(name: str, report: Report) -> str:
    """A report in a format; the version of convlint is left out."""
    return renderer(name)(report).replace(f'"{convlint.__version__}"', '"VERSION"')


def main() -> None:
    """Write the golden files."""
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        write_files()
        for name in set(formats()) - NO_GOLDEN:
            for file, report in GOLDENS.items():
                (GOLDEN / f"{name}{file}.txt").write_text(golden(name, report), encoding="utf-8")


GOLDENS = {"": FULL, "_repairs": REPAIRS}
"""The reports that are stored, by the end of the file's name."""
REPORTS = {"empty": EMPTY, "full": FULL, "repairs": REPAIRS, "many": many(), "problems": UNCHECKED}
"""What every format is tested with."""


def lay_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the files there that the reports point into; the folder is not said to be part of a repository."""
    monkeypatch.chdir(folder)
    for variable in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    write_files()


if __name__ == "__main__":
    for variable in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        os.environ.pop(variable, None)
    main()
