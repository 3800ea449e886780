"""Planted mistakes: which numbers are changed, what counts as refused, and the score of an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import home_packages, planted, recovery_scores
from bench.children import call
from bench.home_packages import Family
from bench.planted import Mistake
from bench.recovery_scores import Answer, Case, Error

MODEL = """
from torch import nn

from .blocks import block

class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.body = block(3, width)
        joined = 8 + width
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))
"""

BLOCKS = """
from torch import nn

def block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3), nn.BatchNorm2d(outputs))

def unused():
    return nn.Conv2d(7, 7, 1)
"""

FILES = {"net/model.py": MODEL, "net/blocks.py": BLOCKS, "net/other.py": "", "net/__init__.py": "from .other import x"}
FAMILY = Family("net.model", "Net()", (3, 8, 8))


def test_the_copy_has_the_files_that_the_model_needs(tmp_path: Path) -> None:
    home_packages.write(tmp_path, FILES)
    copied = home_packages.sources(tmp_path, "net.model")
    assert copied == {"net/model.py": MODEL, "net/blocks.py": BLOCKS, "net/__init__.py": ""}


def test_mistakes_are_planted_where_layers_are_built(tmp_path: Path) -> None:
    home_packages.write(tmp_path, {**FILES, "net/__init__.py": ""})
    found = call(planted.candidates, tmp_path, FAMILY, 0)
    assert {(each.path, each.line, each.before, each.kind) for each in found} >= {
        ("net/blocks.py", 5, "inputs", "channels"),
        ("net/blocks.py", 5, "outputs", "norm"),
        ("net/model.py", 9, "width", "channels"),
        ("net/model.py", 11, "width", "linear"),
    }
    assert not [each for each in found if each.path == "net/blocks.py" and each.line > 5]
    for each in found:
        changed = planted.planted(FILES, (each,))
        assert [name for name in FILES if changed[name] != FILES[name]] == [each.path]


SUM = "The size of tensor a (8) must match the size of tensor b (9) at non-singleton dimension"


@pytest.mark.parametrize(
    ("edited", "error", "kind"),
    [
        ("channels", "expected input[1, 3, 8, 8] to have 4 channels, but got 3 channels instead", "channels"),
        ("cat", "expected input[1, 3, 8, 8] to have 4 channels, but got 3 channels instead", "cat"),
        (
            "channels",
            "The size of tensor a (8) must match the size of tensor b (9) at non-singleton dimension 1",
            "residual",
        ),
        ("channels", "The size of tensor a (8) must match the size of tensor b (9) at non-singleton dimension 2", None),
        ("linear", "mat1 and mat2 shapes cannot be multiplied (1x8 and 9x2)", "linear"),
        ("channels", "NameError: name 'w' is not defined", None),
    ],
)
def test_the_kind_of_a_mistake_is_what_is_wrong(edited: str, error: str, kind: str | None) -> None:
    assert planted.kind(edited, error) == kind


ONE = Mistake("net/model.py", 9, 10, 4, "width", "8", "channels")
OTHER = Mistake("net/blocks.py", 5, 5, 4, "outputs", "8", "norm")


def test_the_score_of_the_edited_line_first() -> None:
    score = recovery_scores.score(
        Case(FAMILY, (ONE,)), Answer([Error("net/model.py", 10, ""), Error("net/blocks.py", 5, "")])
    )
    assert (score.first, score.errors, score.reported) == (1, 2, 1)


def test_the_score_of_two_mistakes_in_any_order() -> None:
    said = Answer([Error("net/blocks.py", 5, ""), Error("net/model.py", 9, "")])
    score = recovery_scores.score(Case(FAMILY, (ONE, OTHER)), said)
    assert (score.first, score.errors, score.reported) == (2, 2, 2)


def test_the_score_of_another_line() -> None:
    said = Answer([Error("net/blocks.py", 9, "CVL102 use in_channels=0")])
    score = recovery_scores.score(Case(FAMILY, (ONE,)), said)
    assert (score.first, score.impossible, score.repaired) == (0, 1, False)
