"""The replacement of an expression in a syntax tree: it is found by its place, and whoever walks the tree sees it."""

import ast

import pytest

from convlint.latent.substitution import Substitution
from convlint.static.program.parse import walk

TEXT = """\
def outer(width):
    @register(width * 2)
    def inner(depth):
        return conv(width, [depth,
                            width + depth], key=width // 8)
    return inner
"""


def expression(text: str) -> ast.expr:
    """The expression of another tree of the same text."""
    nodes = [node for node in ast.walk(ast.parse(TEXT)) if isinstance(node, ast.expr)]
    return next(node for node in nodes if ast.get_source_segment(TEXT, node) == text)


@pytest.mark.parametrize("text", ["width * 2", "width + depth", "width // 8", "inner", "conv"])
def test_every_walker_sees_the_replacement_and_then_the_original(text: str) -> None:
    tree = ast.parse(TEXT)
    before = ast.unparse(tree)
    names = sorted(node.id for node in walk(tree) if isinstance(node, ast.Name))
    with Substitution(tree).replaced(expression(text), "other") as is_possible:
        assert is_possible
        assert ast.unparse(tree) == before.replace(
            f"return {text}" if text == "inner" else text, "return other" if text == "inner" else "other"
        )
        assert [node.id for node in walk(tree.body[0]) if isinstance(node, ast.Name)].count("other") == 1
    assert ast.unparse(tree) == before
    assert sorted(node.id for node in walk(tree) if isinstance(node, ast.Name)) == names


def test_an_expression_that_the_tree_does_not_have_cannot_be_replaced() -> None:
    tree = ast.parse(TEXT.replace("width // 8", "width"))
    with Substitution(tree).replaced(expression("width // 8"), "other") as is_possible:
        assert not is_possible


def test_a_second_replacement_of_a_place_hides_the_first() -> None:
    tree = ast.parse(TEXT)
    edits = Substitution(tree)
    with edits.replaced(expression("width // 8"), "one"):
        with edits.replaced(expression("width // 8"), "two"):
            assert "key=two" in ast.unparse(tree)
        assert "key=one" in ast.unparse(tree)


def test_the_nodes_of_a_function_are_those_of_the_standard_library() -> None:
    tree = ast.parse(TEXT)
    for _ in range(2):  # the second time, they are kept
        for node in (tree, tree.body[0]):
            found = {each for each in walk(node) if not isinstance(each, ast.operator | ast.expr_context)}
            assert found == {each for each in ast.walk(node) if not isinstance(each, ast.operator | ast.expr_context)}
