"""Shapes of programs that static analysis follows in linear time; ``python -m bench.growth`` measures all of them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import pytest

from bench import growth_flows, growth_structures  # noqa: F401 - they add shapes
from bench.growth_shapes import SHAPES, files_of
from convlint.pipelines.file_linter import lint_text
from convlint.static import Project

STEEPEST = 1.3
SIZES = {  # at which a shape takes about a tenth of a second
    "lists that double": 100,
    "a long dict": 500,
    "a chain of globals": 200,
    "globals that are used backwards": 200,
    "codes in one suppression": 2000,
    "models in a file": 60,
    "useless biases": 60,
    "sums with the input": 40,
    "conditions in a forward": 100,
    "branches": 100,
    "inherited diamonds": 200,
    "exports of everything": 60,
    "merged dicts": 1500,
    "fields of a configuration": 300,
    "features that are concatenated again": 1200,
}


def calls(folder: Path, name: str, size: int) -> int:
    """The Python functions that a check of a shape calls."""
    folder.mkdir()
    for file, text in files_of(name, size).items():
        (folder / file).write_text(text, encoding="utf-8")
    count = 0

    def counted(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event == "call"

    project, path = Project(str(folder)), folder / "net.py"
    sys.setprofile(counted)
    try:
        lint_text(str(path), path.read_bytes(), project)
    finally:
        sys.setprofile(None)
    return count


def test_there_are_many_shapes() -> None:
    assert len(SHAPES) >= 100
    assert SIZES.keys() <= SHAPES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_work_is_linear_in_the_size(name: str, tmp_path: Path) -> None:
    size = SIZES[name]
    calls(tmp_path / "warm", name, 4)
    small, large = calls(tmp_path / "small", name, size), calls(tmp_path / "large", name, 4 * size)
    assert large < small * 4**STEEPEST
