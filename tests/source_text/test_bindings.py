"""Where a function has bound what an expression reads."""

from __future__ import annotations

import ast

import pytest

from convlint.source_text.bindings import is_bound_at

FUNCTION = """
def __init__(self, width, depth=None):
    hidden = 2 * width
    self.early = hidden
    pairs = [(a, b) for a, b in zip(WIDTHS, WIDTHS)]
    depth = depth or [HERE for item in WIDTHS]
    self.late = depth
    after = 3
"""


@pytest.mark.parametrize(
    "text", ["width", "hidden", "self.early // 2", "depth", "self.inherited", "WIDTHS[0]", "item", "[a for a in x]"]
)
def test_what_is_bound_before_or_comes_from_elsewhere(text: str) -> None:
    assert is_bound_at(*function_and_place(), text)


@pytest.mark.parametrize("text", ["after", "2 * self.late", "hidden + after", "a"])
def test_what_is_bound_later(text: str) -> None:
    assert not is_bound_at(*function_and_place(), text)


def function_and_place() -> tuple[ast.FunctionDef, ast.expr]:
    (function,) = ast.parse(FUNCTION).body
    assert isinstance(function, ast.FunctionDef)
    place = next(node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == "HERE")
    return function, place
