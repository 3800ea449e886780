"""Mistakes in which item of a list is taken, and in a number that two layers share."""

from __future__ import annotations

import ast

import pytest

from convlint.repairs.list_items import other_items
from convlint.repairs.names_in_scope import unread_lists, widths
from tests.repairs.small_programs import HEAD, assert_mended, folder

__all__ = ["folder"]

LOOP = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, widths=(16, 24, 40)):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.downs = nn.ModuleList()
        for i in range(len(widths) - 1):
            self.downs.append(nn.Conv2d(widths[i], widths[i + 1], 3, 2, 1))
        self.laterals = nn.ModuleList()
        for i in range(len(widths)):
            self.laterals.append(nn.Conv2d(widths[i], 8, 1))

    def forward(self, x):
        maps = [self.stem(x)]
        for down in self.downs:
            maps.append(down(maps[-1]))
        return [lateral(x) for lateral, x in zip(self.laterals, maps)]
"""


def test_the_item_that_a_loop_counts_is_a_repair() -> None:
    assert_mended(LOOP.replace("nn.Conv2d(widths[i], 8, 1)", "nn.Conv2d(widths[-1], 8, 1)"), "widths[-1]", "widths[i]")


def test_the_item_before_the_one_that_a_loop_counts_is_a_repair() -> None:
    wrong = LOOP.replace("nn.Conv2d(widths[i], widths[i + 1]", "nn.Conv2d(widths[i + 1], widths[i + 1]")
    assert_mended(wrong, "widths[i + 1]", "widths[i]")


def test_a_variable_that_two_layers_read_is_repaired_once() -> None:
    source = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, inputs=3, width=16, depth=3):
        super().__init__()
        self.left, self.right = nn.ModuleList(), nn.ModuleList()
        self.stem = nn.Conv2d(inputs, width, 1)
        for i in range(depth):
            channels = width * (i + 1)
            self.left.append(nn.Conv2d(channels, width, 3, padding=1))
            self.right.append(nn.Conv2d(channels, width, 3, padding=1))

    def forward(self, x):
        x = y = self.stem(x)
        for left, right in zip(self.left, self.right):
            x, y = left(x), right(y)
        return x + y
"""
    assert_mended(source, "channels = ", "width")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("widths[-1]", ["widths[i]", "widths[i + 1]", "widths[i - 1]", "widths[0]", "widths[-2]"]),
        ("widths[0]", ["widths[1]", "widths[-1]", "widths[i]", "widths[i + 1]", "widths[i - 1]"]),
        ("widths[i]", ["widths[i + 1]", "widths[i - 1]"]),
    ],
)
def test_other_items(text: str, expected: list[str]) -> None:
    scope = ast.parse(f"def build(widths):\n for i in range(3):\n  for _ in range(2):\n   Conv({text})").body[0]
    node = next(node for node in ast.walk(scope) if isinstance(node, ast.Subscript))
    assert list(other_items(node, scope)) == expected


def test_names_of_lists_and_texts_are_no_widths() -> None:
    source = """
def build(channels, width, name="relu", options=None):
    layers = []
    stage = Block(width, channels)
    run(layers, name)
    run(stage, options)
    return Conv(width, channels)
"""
    scope = ast.parse(source).body[0]
    assert isinstance(scope, ast.FunctionDef)
    assert sorted(widths(scope, ast.Name("width"))) == ["channels", "options", "width"]


def test_a_list_that_is_filled_and_never_read() -> None:
    source = """
def build(channels):
    skips, kept = [channels], []
    skips.append(2 * channels)
    kept.append(channels)
    return kept.pop()
"""
    scope = ast.parse(source).body[0]
    assert isinstance(scope, ast.FunctionDef)
    assert unread_lists(scope) == ["skips"]
