"""Trees that are shared by all who ask: the nodes of a function, and expressions as text."""

from __future__ import annotations

import ast

import pytest

from convlint.source_text.trees import expression, nodes_of


def test_the_nodes_of_a_function_come_as_the_standard_library_walks_them() -> None:
    function = ast.parse("def f(a):\n    for b in a:\n        print(b + 1)\n").body[0]
    assert nodes_of(function) == tuple(ast.walk(function))


def test_an_expression_is_what_python_reads() -> None:
    assert ast.dump(expression("2 * width")) == ast.dump(ast.parse("2 * width", mode="eval").body)


def test_text_that_is_no_expression_is_refused() -> None:
    with pytest.raises(SyntaxError):
        expression("2 *")
