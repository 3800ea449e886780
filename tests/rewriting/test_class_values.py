"""Calls of a value that is a class: a parameter, a variable, an attribute, an entry of a registry, a partial."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from convlint.ir import Replacement
from convlint.rewriting import helpers
from convlint.rewriting.base import EditedCall
from convlint.rewriting.kinds import of_code
from convlint.rewriting.layer_use import LayerUse
from convlint.source_text import call_sites, edits, lines
from convlint.source_text.texts import SourceTexts
from tests.rewriting.suggest_project import project
from tests.rewriting.test_conv_calls import DENSE, HEAD, STEM, rewritten

PARTIAL = "from functools import partial\n\n\n"
CLASS = "DepthwiseSeparableConv2d"


def changed(text: str, *, name: str = "conv", stem: bool = False) -> list[str]:
    """The lines that the rewritten file has besides the new class and those of ``text``."""
    after = rewritten(HEAD + text, *([STEM] if stem else []), name=name)
    assert "def separable(" not in after
    new = after[after.index(f"class {CLASS}") :].partition("\n\n\n")[2]
    return [line.strip() for line in new.splitlines() if line and line not in text.splitlines()]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def f(i, conv=nn.Conv2d):\n    return conv(i, 64, 3)\n", f"def f(i, conv={CLASS}):"),
        ("def f(i, *, conv=nn.Conv2d):\n    return conv(i, 64, 3)\n", f"def f(i, *, conv={CLASS}):"),
        ("class A:\n    conv = nn.Conv2d\n\n    def f(self):\n        return self.conv(8, 64, 3)\n", f"conv = {CLASS}"),
        (
            "def f(i, dims):\n    conv = nn.Conv2d if dims == 2 else nn.Conv3d\n    return conv(i, 64, 3)\n",
            f"conv = {CLASS} if dims == 2 else nn.Conv3d",
        ),
        (
            f"{PARTIAL}def f(i, k):\n    conv = partial(nn.Conv2d, padding=k // 2)\n    return conv(i, 64, k)\n",
            f"conv = partial({CLASS}, padding=k // 2)",
        ),
        ("conv = nn.Conv2d\nlayer = conv(8, 64, 3)\n", f"conv = {CLASS}"),
    ],
)
def test_the_class_is_replaced_where_a_name_gets_it(text: str, line: str) -> None:
    assert changed(text) == [line]


@pytest.mark.parametrize(
    ("callee", "condition"),
    [
        ("self.kinds[kind]", "self.kinds[kind] is nn.Conv2d"),
        ("kinds[0]", "kinds[0] is nn.Conv2d"),
        ("self.cls", "self.cls is nn.Conv2d"),
        ("getattr(nn, kind)", 'kind == "Conv2d"'),
    ],
)
def test_a_class_that_comes_from_elsewhere_is_compared(callee: str, condition: str) -> None:
    text = f"def f(self, kind, kinds):\n    return {callee}(8, 64, 3)\n"
    chosen = f"conv = {CLASS} if {condition} else {callee}"
    assert changed(text, name=callee) == [chosen, "return conv(8, 64, 3)"]


def test_a_class_that_is_looked_up_by_a_literal_name_is_known() -> None:
    assert changed('layer = getattr(nn, "Conv2d")(8, 64, 3)\n', name="getattr(") == [f"layer = {CLASS}(8, 64, 3)"]


def test_a_call_that_also_builds_a_stem_has_both_conditions() -> None:
    text = "def f(i, conv):\n    return conv(i, 64, 3)\n"
    assert f"conv_class = {CLASS} if conv is nn.Conv2d and i > 4 else conv" in changed(text, stem=True)


@pytest.mark.parametrize(
    "text",
    [
        "def f(i, conv):\n    first = conv(i, 64, 3)\n    return first, conv\n",  # it is passed on
        "def f(i, conv=nn.Conv2d):\n    return [conv(i, 64, 3), conv(3, 64, 3)]\n",  # a second call is not rewritten
        "def f(i, conv):\n    a = conv(i, 64, 3)\n    conv = nn.Conv3d\n    return a\n",  # it changes later
        "def f(i, conv: type[nn.Conv2d] = nn.Conv2d):\n    return conv(i, 64, 3)\n",  # it would not have its type
    ],
)
def test_a_name_that_something_else_reads_keeps_its_class(text: str) -> None:
    assert any(line.startswith(f"conv_class = {CLASS} if conv is nn.Conv2d") for line in changed(text))


@pytest.mark.parametrize("form", [Replacement("CVL501", groups=2), Replacement("CVL501", groups=2, shuffled=True)])
def test_groups_are_an_argument_of_a_class_value_too(form: Replacement) -> None:
    text = "from functools import partial\nimport torch\nfrom torch.nn import Conv2d\n"
    text += "conv = partial(Conv2d, padding=1)\nlayer = conv(32, 64, 3)\n"
    shuffle = "torch.nn.Sequential(torch.nn.ChannelShuffle(2), " if form.shuffled else ""
    after = rewritten(text, name="conv", code="CVL501", form=form)
    assert after == text.replace("conv(32, 64, 3)", f"{shuffle}conv(32, 64, 3, groups=2){')' if shuffle else ''}")


def test_the_class_comes_below_constants_that_are_computed() -> None:
    text = "from torch import nn\n\nA = 1\nB = dict(a=1)\n\n\ndef f(i):\n    return nn.Conv2d(i, 8, 3)\n"
    assert rewritten(text).startswith(f"from torch import nn\n\nA = 1\nB = dict(a=1)\n\n\nclass {CLASS}(")


def shared(text: str, name: str) -> list[str]:
    """The lines that differ, if all calls in a function are rewritten."""
    calls = [n for n in ast.walk(ast.parse(HEAD + text)) if isinstance(n, ast.Call) and name in ast.unparse(n.func)]
    sites = frozenset(lines.span("net.py", node, lines.split(HEAD + text)) for node in calls)
    texts = SourceTexts({"net.py": (HEAD + text).encode()})
    made = []
    for site in sites:
        call = call_sites.at(site, texts)
        assert call is not None
        place = EditedCall(site, call, (LayerUse(None, DENSE, None, ()),), together=sites)  # type: ignore[arg-type]
        made.append(next(of_code("CVL502").drafts(place, Replacement("CVL502"), all_fit=True)))
    after = edits.apply((HEAD + text).encode(), helpers.edits("net.py", HEAD + text, made)).decode()
    return [line.strip() for line in after[after.index("def f(") :].splitlines() if line not in text.splitlines()]


def test_several_calls_in_a_function_share_a_variable() -> None:
    text = "def f(self):\n    self.a = self.kind(8, 64, 3)\n    if self.b:\n        self.b = self.kind(64, 64, 3)\n"
    assert shared(text, "kind") == [
        f"conv_cls = {CLASS} if self.kind is nn.Conv2d else self.kind",
        "self.a = conv_cls(8, 64, 3)",
        "self.b = conv_cls(64, 64, 3)",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "def f(self):\n    a = self.kind(8, 64, 3)\n    self.kind = None\n    return a, self.kind(8, 64, 3)\n",
        "def f(self):\n    if self.b:\n        return self.kind(8, 64, 3)\n    return self.kind(8, 64, 3)\n",
        "def f(self, kinds):\n    return [\n        self.kind(8, 64, 3),\n        kinds[0].kind(8, 64, 3),\n    ]\n",
    ],
    ids=["another value", "another branch", "another class"],
)
def test_calls_that_may_be_of_different_classes_share_none(text: str) -> None:
    assert not [line for line in shared(text, "kind") if "conv_cls" in line]


def test_a_function_of_the_file_is_no_class() -> None:
    text = HEAD + "def make(i):\n    return nn.Conv2d(i, 64, 3)\n\n\nlayer = make(8)\n"
    assert "layer = separable(make(8))" in rewritten(text, name="make")


NET = """from torch import nn


class Encoder(nn.Module):
    def __init__(self, dims, width, conv=None):
        super().__init__()
        conv = conv or (nn.Conv2d if dims == 2 else nn.Conv3d)
        self.down = conv(width, width * 2, 3, stride=2, padding=1)
        self.wide = conv(width * 2, width * 4, 3, padding=1)

    def forward(self, x):
        return self.wide(self.down(x).relu())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.encoder = Encoder(2, 16)

    def forward(self, x):
        return self.encoder(self.stem(x))
"""


def test_one_line_changes_the_class_of_all_calls(tmp_path: Path) -> None:
    """Both calls share the variable, so that an assignment before the first of them is all that the file needs."""
    with project(tmp_path) as here:
        here.write("net.py", NET)
        given = ("net.py:Net", "--input", "3,32,32", "--kind", "depthwise-separable")
        here.apply(here.suggest(*given, "--output-format", "diff").out)
    line = "        conv = DepthwiseSeparableConv2d if conv is nn.Conv2d else conv\n"
    after = (tmp_path / "net.py").read_text()
    assert HEAD + after[after.index("class Encoder") :] == NET.replace(
        "        self.down =", f"{line}        self.down ="
    )
