"""The mutator that measures recovery: its edits are what they say, and its packages run."""

from __future__ import annotations

import ast
from pathlib import Path
from random import Random

import pytest

from bench import mutator
from bench.children import ChildFailedError, call

each_family = pytest.mark.parametrize("family", mutator.FAMILIES, ids=lambda family: family.file)
SOURCE = """
self.stem = nn.Conv2d(3, width, 3, bias=False)
self.norm = norm_layer(num_features=width * 2)
self.deep = Conv2dNormActivation(
    width,
    width, groups=width)
self.head = nn.Linear(512 * 7 * 7, 10)
self.other = Block(width, width)
"""


def test_every_count_and_group_of_a_layer_is_edited_once() -> None:
    found = [(e.call, e.argument, e.line, e.before) for e in mutator.edits(SOURCE, Random(0))]
    assert found == [
        ("Conv2d", "in_channels", 2, "3"),
        ("Conv2d", "out_channels", 2, "width"),
        ("Conv2d", "groups", 2, ""),
        ("norm_layer", "num_features", 3, "width * 2"),
        ("Conv2dNormActivation", "in_channels", 5, "width"),
        ("Conv2dNormActivation", "out_channels", 6, "width"),
        ("Conv2dNormActivation", "groups", 6, "width"),
        ("Linear", "in_features", 7, "512 * 7 * 7"),
    ]


def test_all_edits_can_be_made_at_once() -> None:
    edits = tuple(mutator.edits(SOURCE, Random(0)))
    text = mutator.apply(SOURCE, edits)
    assert text.count("\n") == SOURCE.count("\n")
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    assert len(calls) == 5
    assert "groups=width + 1" in text


@pytest.mark.slow
@each_family
def test_an_edit_changes_one_call_of_the_real_file(family: mutator.Family) -> None:
    source = mutator.original(family)
    for edit in mutator.edits(source, Random(1)):
        before = calls(source)
        after = calls(mutator.apply(source, (edit,)))
        changed = [line for (line, a), (_, b) in zip(before, after, strict=True) if a != b]
        assert edit.call_line in changed


def calls(source: str) -> list[tuple[int, str]]:
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [(node.lineno, ast.dump(node)) for node in nodes]


def test_edits_are_the_same_for_the_same_seed() -> None:
    source = mutator.original(mutator.FAMILIES[2])
    assert mutator.edits(source, Random(7)) == mutator.edits(source, Random(7))
    assert mutator.edits(source, Random(7)) != mutator.edits(source, Random(8))


@pytest.mark.slow
@pytest.mark.parametrize("family", mutator.FAMILIES[:3], ids=lambda family: family.file)
def test_an_unchanged_copy_runs(family: mutator.Family, tmp_path: Path) -> None:
    path = mutator.write(tmp_path / "mutant", family)
    assert len(path.read_text().split("\n")) == len(mutator.original(family).split("\n"))
    assert call(mutator.failure, tmp_path, family) is None


@pytest.mark.slow
def test_a_changed_copy_fails_as_pytorch_says(tmp_path: Path) -> None:
    family = mutator.FAMILIES[0]
    edits = mutator.edits(mutator.original(family), Random(0))
    wrong = next(edit for edit in edits if edit.argument == "in_features")
    mutator.write(tmp_path / "mutant", family, (wrong,))
    assert "mat1 and mat2 shapes cannot be multiplied" in call(mutator.failure, tmp_path, family)


def test_a_child_that_raises_dies_or_hangs_is_named() -> None:
    with pytest.raises(ChildFailedError, match="ZeroDivisionError"):
        call(divmod, 1, 0)
    with pytest.raises(ChildFailedError, match="exit code 3"):
        call(os_exit, 3)
    with pytest.raises(ChildFailedError, match="no answer within"):
        call(sleep, 60, timeout=0.5)


def os_exit(code: int) -> None:
    import os

    os._exit(code)


def sleep(seconds: float) -> None:
    import time

    time.sleep(seconds)
