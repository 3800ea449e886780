"""Calls as they stand in a file: found by their span, read, and edited."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlint.ir import Site
from convlint.source_text import call_sites, edits, lines
from convlint.source_text.texts import SourceTexts

PATH = "<text>"


def written(text: str, function: str = "f") -> list[call_sites.WrittenCall]:
    """The calls of a function's name in a text, in order; the text stands for a file."""
    source = lines.split(text)
    names = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(function)
    ]
    texts = SourceTexts({PATH: text.encode()})
    found = [call_sites.at(lines.span(PATH, node, source), texts) for node in names]
    assert None not in found
    return sorted(filter(None, found), key=lambda call: (call.site.line, call.site.column))


@pytest.mark.parametrize(
    ("header", "call", "callee"),
    [
        ("import torch.nn as n", "n.Conv2d", "torch.nn.Conv2d"),
        ("import torch.nn", "torch.nn.Conv2d", "torch.nn.Conv2d"),
        ("from torch import nn as n", "n.Conv2d", "torch.nn.Conv2d"),
        ("from torch.nn import Conv2d as C", "C", "torch.nn.Conv2d"),
        ("from torch.nn import *", "Conv2d", ""),
        ("from .layers import Conv2d", "Conv2d", ""),
        ("from torch import nn\nnn = mine", "nn.Conv2d", ""),
        ("from torch import nn\ndef g(nn): ...", "nn.Conv2d", ""),
        ("from torch.nn import Conv2d\nclass Conv2d(Conv2d): ...", "Conv2d", ""),
        ("from torch.nn import Conv2d as C\nfrom mine import C", "C", ""),
        ("from torch import nn", "[nn][0].Conv2d", ""),
    ],
)
def test_a_callee_is_named_as_it_is_imported(header: str, call: str, callee: str) -> None:
    (found,) = written(f"{header}\n{call}(1)\n", call)
    assert found.callee == callee


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("f(1, 2, 3)", "3"),
        ("f(1, b=2, c=3)", "3"),
        ("f(*a, c=3)", "3"),
        ("f(1, 2)", None),
        ("f(*a, 2, 3)", None),
        ("f(1, 2, *a)", None),
        ("f(**c)", None),
    ],
)
def test_an_argument_is_found_by_name_or_position(call: str, expected: str | None) -> None:
    (found,) = written(call)
    given_ = found.argument("c", 2)
    assert (given_ and ast.unparse(given_)) == expected
    assert found.unpacks == ("*" in call)


def test_there_is_no_call_where_none_is() -> None:
    texts = SourceTexts({PATH: b"f(1)\n", "broken.py": b"f(1\n"})
    assert call_sites.at(Site(PATH, 1, 1, 1, 5), texts) is not None
    assert call_sites.at(Site(PATH, 1, 1, 1, 4), texts) is None
    assert call_sites.at(Site("broken.py", 1, 1, 1, 4), texts) is None
    assert call_sites.at(Site(PATH, 1, 1, 1, 5), SourceTexts()) is None


def test_calls_within_f_strings_are_left() -> None:
    texts = SourceTexts({PATH: b"x = f'''{\nf(1)}'''\n"})
    assert all(
        call_sites.at(Site(PATH, line, column, line, column + 4), texts) is None
        for line in (1, 2)
        for column in range(1, 12)
    )


SPACE = st.lists(st.sampled_from([" ", "\n", "# (a) comment,\n", "  "]), max_size=3).map("".join)
VALUES = st.sampled_from(["1", "(1)", "((1))", "(1, 2)", "g(1)", "'é)'", "x[(1)]", "(yes if x else no)"])


@st.composite
def call_texts(draw: st.DrawFn) -> str:
    """A call in any layout."""
    named = draw(st.lists(st.sampled_from(["a=", "b=", "*", "**"]), max_size=2, unique=True))
    names = [""] * draw(st.integers(0, 2)) + sorted(named, key=["*", "a=", "b=", "**"].index)
    given_ = [draw(SPACE) + name + draw(VALUES) for name in names]
    comma = draw(st.sampled_from(["", ","])) if given_ else ""
    text = ",".join(f"{argument}{draw(SPACE)}" for argument in given_)
    return f"é = h(f({text}{comma}{draw(SPACE)}), 2)\n"


@given(call_texts())
def test_an_argument_is_added_behind_the_others(text: str) -> None:
    (call,) = written(text)
    after = edits.apply(text.encode(), [call.adding("new=3")]).decode()
    (changed,) = written(after)
    expected = [ast.unparse(keyword) for keyword in call.node.keywords]
    assert [ast.unparse(keyword) for keyword in changed.node.keywords] == [*expected, "new=3"]
    assert list(map(ast.dump, changed.node.args)) == list(map(ast.dump, call.node.args))
    assert after.count("#") == text.count("#")


@given(call_texts())
def test_an_argument_is_replaced(text: str) -> None:
    (call,) = written(text)
    for keyword in call.node.keywords:
        after = edits.apply(text.encode(), [call.replacing(keyword.value, "3")]).decode()
        (changed,) = written(after)
        assert f"{keyword.arg}=3" in [f"{k.arg}={ast.unparse(k.value)}" for k in changed.node.keywords]


@given(call_texts())
def test_an_argument_is_removed(text: str) -> None:
    (call,) = written(text)
    for keyword in call.node.keywords:
        (changed,) = written(edits.apply(text.encode(), [call.removing(keyword)]).decode())
        assert list(map(ast.dump, changed.node.args)) == list(map(ast.dump, call.node.args))
        rest = [ast.dump(each) for each in call.node.keywords if each is not keyword]
        assert list(map(ast.dump, changed.node.keywords)) == rest


@pytest.mark.parametrize(
    ("text", "always"),
    [
        ("f(1)\nf(2)", True),
        ("f(f(2))", True),
        ("if f(1): x\nf(2)", True),
        ("if x:\n f(1)\n f(2)", True),
        ("if x:\n f(1)\nf(2)", True),
        ("f(1)\nif x:\n f(2)", False),
        ("if x:\n f(1)\nelse:\n f(2)", False),
        ("f(1)\nfor x in y:\n f(2)", False),
        ("for x in y:\n f(1)\n f(2)", True),
        ("for x in y:\n f(1)\n if x: break\n f(2)", False),
        ("f(1)\nx and f(2)", False),
        ("f(1)\nf(2) and x", True),
        ("f(1)\nx if y else f(2)", False),
        ("f(1)\n[f(2) for x in y]", False),
        ("f(1)\nlambda: f(2)", False),
        ("f(1)\ntry:\n f(2)\nexcept E: ...", False),
        ("f(1)\ntry: ...\nfinally:\n f(2)", True),
        ("f(1)\nmatch x:\n case 1:\n  f(2)", False),
        ("def g(a=f(1)):\n f(2)", False),
        ("def g():\n f(1)\n if x: return\n f(2)", False),
        ("def g():\n f(1)\n def h(): return\n f(2)", False),  # a way out of another function
        ("class A:\n f(1)\nclass B:\n f(2)", False),
    ],
)
def test_one_call_comes_with_another(text: str, always: bool) -> None:
    first, second = written(f"{text}\n")
    assert first.implies(second) == always


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("f(a, k=1)", "f(a)"),
        ("f((a), k=1)", "f((a))"),
        ("f(k=1)", "f()"),
        ("f(k=1, b=2)", "f(b=2)"),
        ("f(a, k=(1), b=(2))", "f(a, b=(2))"),
        ("f(a,\n  k=1,\n)", "f(a,\n)"),
        ("f(\n    a,\n    k=1,\n    **b,\n)", "f(\n    a,\n    **b,\n)"),
        ("f(k=1,)", "f()"),
    ],
)
def test_an_argument_is_removed_with_its_comma(text: str, after: str) -> None:
    (call,) = written(text)
    (keyword,) = [each for each in call.node.keywords if each.arg == "k"]
    assert edits.apply(text.encode(), [call.removing(keyword)]).decode() == after
