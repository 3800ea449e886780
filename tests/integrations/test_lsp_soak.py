"""A language server that is used for long keeps its size: every edit brings other names, numbers and findings."""

from __future__ import annotations

import gc
import time
from itertools import pairwise
from pathlib import Path

import pytest

from convlint.integrations.lsp.linting import EditorLinter
from convlint.symbolic import Dim
from tests.integrations.editor import Editor, processes

HOUR = 3600.0


def text(number: int) -> str:
    """A program with names and widths of its own, and a layer that does not fit."""
    name, width = f"net{number}", 8 + number % 500
    return (
        f"import torch\nfrom torch import nn\n\n\nclass Block{number}(nn.Module):\n"
        f"    def __init__(self, {name}, d=4):\n        super().__init__()\n"
        f"        self.conv{number} = nn.Conv2d({name}, {width}, 3)\n"
        f"        self.norm = nn.BatchNorm2d({width + 1})\n        self.list = nn.ModuleList(\n"
        f"            nn.Conv2d({width}, {width}, 3, padding=1) for _ in range({1 + number % 7}))\n\n"
        f"    def forward(self, x):\n        x = self.norm(self.conv{number}(x))\n        for each in self.list:\n"
        f"            x = each(x) + x\n        return x\n\n\nBlock{number}({number % 64 + 1})\n"
    )


def megabytes(mark: str) -> float:
    """The memory of a server and its processes."""
    pages = sum(int(Path(f"/proc/{process}/statm").read_text().split()[1]) for process in processes(mark))
    return pages * 4096 / 1e6


async def soaked(folder: Path, *, warm: int, edits: int, marks: int, seconds: float) -> tuple[list[float], int]:
    """Edit a file again and again, without a pause in which the server could tidy up.

    Returns the memory after ``warm`` edits, then after each of ``marks`` equal parts of the others, and the number of
    edits; where the time ends first, the marks that were not reached are the memory at the end.
    """
    editor = Editor(folder)
    await editor.start(mark=str(folder))
    editor.open("net.py", text(0))
    until, number, sizes = time.monotonic() + seconds, 0, []
    while number < warm + edits and time.monotonic() < until:
        number += 1
        editor.replace("net.py", text(number))
        assert "CVL103" in {one.code for one in await editor.told("net.py")}
        if number >= warm and (number - warm) % (edits // marks) == 0:
            sizes.append(megabytes(str(folder)))
    sizes += [megabytes(str(folder))] * (1 + marks - len(sizes))
    await editor.stop()
    return sizes, number


def test_no_expressions_are_kept_of_texts_that_were_edited(tmp_path: Path) -> None:
    linter, path = EditorLinter(), str(tmp_path / "net.py")

    def expressions_after(first: int, last: int) -> int:
        for number in range(first, last):
            assert linter.lint(path, {path: text(number).encode()}).findings
        gc.collect()
        return sum(type(each) is Dim for each in gc.get_objects())

    few = expressions_after(0, 5)
    assert expressions_after(5, 15) < few + 50  # 20 of an edit before


@pytest.mark.slow
async def test_memory_after_some_edits(tmp_path: Path) -> None:
    """What is kept at every edit shows in every part; Python takes another piece of memory now and then."""
    sizes, _ = await soaked(tmp_path, warm=15, edits=90, marks=3, seconds=90)
    assert min(late / early for early, late in pairwise(sizes)) < 1.005, sizes  # a kept syntax tree is 1.008


@pytest.mark.sweep
@pytest.mark.timeout(2 * HOUR)
async def test_memory_after_an_hour_of_edits(tmp_path: Path) -> None:
    (early, late), edits = await soaked(tmp_path, warm=100, edits=10**9, marks=1, seconds=HOUR)
    assert late < early * 1.05, f"{early:.0f} MB became {late:.0f} MB in {edits:,} edits"
