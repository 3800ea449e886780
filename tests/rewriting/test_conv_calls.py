"""Calls of convolutions that also build layers which stay dense: the condition stands in the caller's code."""

from __future__ import annotations

import ast
from typing import Any

import pytest
import torch

from convlint.ir import Graph, Layer, Replacement
from convlint.rewriting import helpers
from convlint.rewriting.base import EditedCall, KindOptions
from convlint.rewriting.candidates import drafts_of
from convlint.rewriting.kinds import of_code
from convlint.rewriting.layer_use import LayerArguments, LayerUse
from convlint.source_text import call_sites, edits, lines
from convlint.source_text.texts import SourceTexts

DENSE = LayerArguments(32, 64, (3, 3))
STEM = LayerArguments(3, 64, (3, 3))
POINTWISE = LayerArguments(32, 64, (1, 1))
DEPTHWISE = LayerArguments(32, 32, (3, 3), groups=32)


def rewritten(
    text: str,
    *others: LayerArguments,
    code: str = "CVL502",
    number: int = 0,
    name: str = "Conv2d",
    form: Replacement | None = None,
) -> str:
    """The file after its first call of Conv2d was rewritten for DENSE, and not for ``others``, by one of the drafts."""
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and name in ast.unparse(n.func)]
    texts = SourceTexts({"net.py": text.encode()})
    call = call_sites.at(lines.span("net.py", calls[0], lines.split(text)), texts)
    assert call is not None
    use: Any = LayerUse(None, DENSE, None, ())  # type: ignore[arg-type]
    place = EditedCall(call.site, call, (use,), others)
    draft = list(drafts_of(of_code(code), place, form or Replacement(code), all_fit=not others))[number]
    return edits.apply(text.encode(), helpers.edits("net.py", text, [draft])).decode()


def added(before: str, after: str) -> list[str]:
    """The lines of ``after`` below the inserted class that ``before`` does not have."""
    body = after.partition("1, bias=bias)\n")[2] or after.partition("out_channels, 1)\n")[2]
    return [line.strip() for line in body.splitlines() if line.strip() and line not in before.splitlines()]


HEAD = "from torch import nn\n\n\n"
PARTIAL = "import functools\nfrom torch import nn\nconv3 = functools.partial(nn.Conv2d, kernel_size=3, {})\n"


@pytest.mark.parametrize(
    ("given", "call", "expected"),
    [
        ("bias=False", "conv3(32, 64)", "DepthwiseSeparableConv2d(32, 64, kernel_size=3, bias=False)"),
        ("stride=1", "conv3(32, 64, stride=2)", "DepthwiseSeparableConv2d(32, 64, stride=2, kernel_size=3)"),
        ("groups=2", "conv3(32, 64)", "separable(conv3(32, 64))"),
        ("bias=BIAS", "conv3(32, 64)", "separable(conv3(32, 64))"),
    ],
)
def test_a_partial_that_also_builds_a_stem_is_not_called(given: str, call: str, expected: str) -> None:
    text = f"{PARTIAL.format(given)}layer = {call}\nstem = conv3(3, 32)\n"
    assert rewritten(text, name="conv3").splitlines()[-2] == f"layer = {expected}"


HELPER = HEAD + "def conv3x3(i, o, k=3, g=1):\n    return nn.Conv2d(i, o, k, padding=1, bias=False{})\n"
CLASS = "conv = DepthwiseSeparableConv2d if {} else nn.Conv2d"


@pytest.mark.parametrize(
    ("others", "condition"), [([STEM], "i > 4"), ([POINTWISE], "k != 1"), ([POINTWISE, STEM], "k != 1 and i > 4")]
)
def test_a_condition_in_the_helper_chooses_the_class(others: list[LayerArguments], condition: str) -> None:
    text = HELPER.format("")
    after = rewritten(text, *others)
    assert added(text, after) == [CLASS.format(condition), "return conv(i, o, k, padding=1, bias=False)"]


@pytest.mark.parametrize(
    ("written", "others", "condition"),
    [
        ("i, o, bias=False, **kwargs", [POINTWISE], 'kwargs["kernel_size"] != 1'),
        ("i, o, bias=False, **kwargs", [POINTWISE, STEM], 'kwargs["kernel_size"] != 1 and i > 4'),
        ("i, o, 3, **kwargs", [DEPTHWISE], 'kwargs.get("groups", 1) == 1'),
        ("**kwargs", [STEM], 'kwargs["in_channels"] > 4'),
    ],
)
def test_the_condition_may_be_on_arguments_that_the_call_unpacks(
    written: str, others: list[LayerArguments], condition: str
) -> None:
    text = f"{HEAD}def block(i, o, **kwargs):\n    return nn.Conv2d({written})\n"
    after = rewritten(text, *others)
    assert added(text, after) == [CLASS.format(condition), f"return conv({written})"]


def test_no_condition_is_on_the_default_of_an_option_that_the_call_makes() -> None:
    text = f"{HEAD}def block(i, o, **kwargs):\n    return nn.Conv2d(i, o, 3, **dict(kwargs))\n"
    assert "separable(nn.Conv2d(i, o, 3, **dict(kwargs)))" in rewritten(text, DEPTHWISE)


def test_groups_that_vary_are_part_of_the_condition_and_not_of_the_new_call() -> None:
    text = HELPER.format(", groups=g")
    after = rewritten(text, DEPTHWISE)
    assert added(text, after) == ["if g == 1:", "return DepthwiseSeparableConv2d(i, o, k, padding=1, bias=False)"]
    names: dict[str, Any] = {}
    exec(after, names)  # noqa: S102 - a text of this test
    assert type(names["conv3x3"](32, 64)).__name__ == "DepthwiseSeparableConv2d"
    assert names["conv3x3"](32, 32, 3, 32).groups == 32
    assert names["conv3x3"](32, 64)(torch.rand(1, 32, 8, 8)).shape == (1, 64, 8, 8)


def test_an_assignment_gets_both_branches() -> None:
    text = (
        HEAD
        + "def f(self, i, g):\n    if i:\n        self.conv = nn.Conv2d(\n            i, 8, 3, groups=g,\n        )\n"
    )
    after = rewritten(text, DEPTHWISE)
    ast.parse(after)
    assert "        if g == 1:\n            self.conv = DepthwiseSeparableConv2d(i, 8, 3)\n        else:\n" in after
    assert "            self.conv = nn.Conv2d(\n                i, 8, 3, groups=g,\n            )\n" in after


def test_a_long_condition_among_arguments_is_three_lines() -> None:
    call = "nn.Conv2d(i, o, kernel_size, stride, padding, groups=groups, bias=False),"
    names = "i, o, kernel_size=3, stride=1, padding=1, groups=1"
    text = f"{HEAD}def block({names}):\n    return nn.Sequential(\n        {call}\n        nn.ReLU(),\n    )\n"
    assert added(text, rewritten(text, DEPTHWISE)) == [
        "DepthwiseSeparableConv2d(i, o, kernel_size, stride, padding, bias=False)",
        "if groups == 1",
        f"else {call}",
    ]


def test_two_conditions_in_a_statement_have_variables_of_their_own() -> None:
    text = HEAD + "def f(i, o):\n    return [nn.Conv2d(o, i, 3), nn.Conv2d(i, o, 3)]\n"
    second = rewritten(text, STEM)
    assert "    conv = DepthwiseSeparableConv2d if o > 4 else nn.Conv2d\n" in second


def test_a_name_that_the_function_uses_is_not_taken() -> None:
    text = HEAD + "def f(conv, i):\n    return conv(nn.Conv2d(i, 64, 3))\n"
    assert "    conv_class = DepthwiseSeparableConv2d if i > 4 else nn.Conv2d\n" in rewritten(text, STEM)


def test_a_comprehension_chooses_the_class_in_the_call() -> None:
    text = HEAD + "def f(sizes):\n    return [nn.Conv2d(i, 64, 3) for i in sizes]\n"
    assert "[(DepthwiseSeparableConv2d if i > 4 else nn.Conv2d)(i, 64, 3) for" in rewritten(text, STEM)


def test_only_the_parameters_that_are_passed_are_declared() -> None:
    text = HEAD + "net = nn.Conv2d(32, 64, 3, dilation=2)\n"
    after = rewritten(text)
    assert "def __init__(self, in_channels, out_channels, kernel_size, dilation=1):\n" in after
    assert "dilation=dilation, groups=in_channels, bias=False" in after
    assert "self.pointwise = nn.Conv2d(in_channels, out_channels, 1)\n" in after


READS = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(32, 64, 3)
        nn.init.zeros_(self.conv.bias)
"""


def test_code_that_reads_the_weight_reads_that_of_the_pointwise_convolution() -> None:
    text = HEAD + READS
    assert "zeros_(self.conv.bias)" in rewritten(text)  # tried first: not all code that is read runs
    after = rewritten(text, number=2)
    assert "zeros_(self.conv.pointwise.bias)" in after
    assert "@property" not in after
    other = text + "\n    def more(self, x):\n        self.conv = x\n"  # which has no pointwise convolution
    assert "@property" in rewritten(other, number=2)


@pytest.mark.parametrize(("docstring", "expected"), [("", False), ('    """One."""\n', True)])
def test_a_class_has_a_docstring_as_those_of_the_file_do(docstring: str, expected: bool) -> None:
    after = rewritten(f"{HEAD}class Own:\n{docstring}    net = nn.Conv2d(32, 64, 3, 1)\n")
    assert ("A depthwise convolution, then" in after) is expected


@pytest.mark.parametrize(("comment", "lines"), [("", 3), (f"# {'long ' * 21}\n", 1)])
def test_new_lines_are_as_long_as_those_of_the_file(comment: str, lines: int) -> None:
    after = rewritten(f"{HEAD}{comment}net = nn.Conv2d(32, 64, 3, 1)\n")
    start, end = after.index("self.depthwise ="), after.index("self.pointwise =")
    assert after[start:end].count("\n") == lines


def test_the_new_layer_has_two_plain_children_and_one_bias() -> None:
    names: dict[str, Any] = {}
    exec(rewritten(HEAD + "net = nn.Conv2d(32, 64, 3)\n"), names)  # noqa: S102 - a text of this test
    layer = names["net"]
    assert [type(child) for child in layer.children()] == [torch.nn.Conv2d, torch.nn.Conv2d]
    assert [name for name, _ in layer.named_parameters()] == ["depthwise.weight", "pointwise.weight", "pointwise.bias"]


def test_a_factorized_layer_takes_numbers() -> None:
    after = rewritten(HEAD + "net = nn.Conv2d(32, 64, 3, padding=1)\n", code="CVL503")
    assert "self.horizontal = nn.Conv2d(\n" in after
    assert "(1, kernel_size), padding=(0, padding), bias=False" in after
    names: dict[str, Any] = {}
    exec(after, names)  # noqa: S102 - a text of this test
    assert names["net"](torch.rand(1, 32, 12, 14)).shape == (1, 64, 12, 14)


OWN = """\
class Separable(nn.Module):
    def __init__(self, nin, nout, kernel_size, {}):
        super().__init__()
        self.dw = nn.Conv2d(nin, nin, kernel_size, padding=padding, groups=nin, bias=False)
        self.pw = nn.Conv2d(nin, nout, kernel_size=1)


"""


def test_a_depthwise_separable_class_of_the_file_is_used_if_it_takes_the_arguments() -> None:
    text = "\n\ndef f(i):\n    return nn.Conv2d(i, 64, 3, padding=1)\n"
    before = HEAD + text
    for parameters, used in (("padding=0", True), ("stride=1", False), ("*, padding", True)):
        after = rewritten_call(before.replace("def f", OWN.format(parameters) + "def f"))
        assert ("return Separable(i, 64, 3, padding=1)" in after) == used
        assert ("class DepthwiseSeparableConv2d" in after) != used


def rewritten_call(text: str) -> str:
    """The file after its last call of Conv2d was rewritten."""
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and "Conv2d" in ast.unparse(n.func)]
    last = max(calls, key=lambda call: call.lineno)
    texts = SourceTexts({"net.py": text.encode()})
    call = call_sites.at(lines.span("net.py", last, lines.split(text)), texts)
    assert call is not None
    use: Any = LayerUse(None, DENSE, None, ())  # type: ignore[arg-type]
    draft = next(of_code("CVL502").drafts(EditedCall(call.site, call, (use,), ()), Replacement("CVL502"), all_fit=True))
    return edits.apply(text.encode(), helpers.edits("net.py", text, [draft])).decode()


def test_code_that_reads_numbers_and_weights_of_the_layer_gets_them_in_later_drafts() -> None:
    text = HEAD + "def f(net):\n    net.c = nn.Conv2d(32, 64, 3)\n    return net.c.out_channels, net.c.bias\n"
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    texts = SourceTexts({"net.py": text.encode()})
    call = call_sites.at(lines.span("net.py", calls[0], lines.split(text)), texts)
    assert call is not None
    use: Any = LayerUse(None, DENSE, None, ())  # type: ignore[arg-type]
    drafts = list(
        of_code("CVL502").drafts(EditedCall(call.site, call, (use,), ()), Replacement("CVL502"), all_fit=True)
    )
    written = [edits.apply(text.encode(), helpers.edits("net.py", text, [draft])).decode() for draft in drafts]
    assert "self.out_channels" not in written[0]
    assert "self.out_channels = out_channels\n" in written[2]
    assert "def bias(self):\n        return self.pointwise.bias\n" in written[5]


# --- lines that get too long

ARGUMENTS = "in_channels, out_channels, kernel_size, stride=stride, padding=pad"
LONG = HEAD + f"def conv(in_channels, out_channels, kernel_size, stride, pad, g):\n    {{}}nn.Conv2d({ARGUMENTS}{{}})\n"


@pytest.mark.parametrize("start", ["return ", "layer = "])
def test_a_new_branch_has_lines_no_longer_than_a_line_may_be(start: str) -> None:
    more = ", groups=g"
    after = rewritten(LONG.format(start, more), DEPTHWISE)
    branch = "    if g == 1:\n        " + start + "DepthwiseSeparableConv2d(\n"
    assert branch + f"            {ARGUMENTS}\n        )\n" in after


def test_a_longer_name_moves_the_arguments_to_a_line_of_their_own() -> None:
    after = rewritten(LONG.format("return ", ""))
    assert after.endswith(f"    return DepthwiseSeparableConv2d(\n        {ARGUMENTS}\n    )\n")
    element = LONG.format("return [", "").replace("pad)\n", "pad)]\n")
    assert f"return [DepthwiseSeparableConv2d({ARGUMENTS})]" in rewritten(element)


# --- types

TYPED = HEAD + "def conv(i: int, o: int) -> nn.Module:\n    return nn.Conv2d(i, o, {})\n"


@pytest.mark.parametrize(
    ("given", "text", "types"),
    [
        ("3, padding=1", TYPED, {"in_channels", "out_channels", "kernel_size", "padding", "return"}),
        ("3, padding=1", TYPED.replace("o: int", "o"), set()),
        ("(3, 3), padding=1", TYPED, set()),
        ("3, padding='same'", TYPED, set()),
    ],
)
def test_the_class_has_types_where_the_functions_of_the_file_have(given: str, text: str, types: set[str]) -> None:
    functions = [n for n in ast.walk(ast.parse(rewritten(text.format(given)))) if isinstance(n, ast.FunctionDef)]
    (made,) = [function for function in functions if function.name == "__init__"]
    found = {argument.arg for argument in made.args.args if argument.annotation}
    assert found | ({"return"} if made.returns else set()) == types


def test_branches_of_two_classes_assign_a_module() -> None:
    text = HEAD + "class A(nn.Module):\n    def __init__(self, i: int, o: int, g: int) -> None:\n"
    text += "        self.conv = nn.Conv2d(i, o, 3, groups=g)\n"
    branch = "        if g == 1:\n            self.conv: nn.Module = DepthwiseSeparableConv2d(i, o, 3)\n        else:\n"
    assert branch in rewritten(text, DEPTHWISE)
    assert "            self.conv = DepthwiseSeparableConv2d(" in rewritten(text.replace(" -> None", ""), DEPTHWISE)


@pytest.mark.parametrize("code", ["CVL506", "CVL507"])
def test_low_ranks_too_are_chosen_in_the_helper_and_build_no_layer_to_drop_it(code: str) -> None:
    rank = Replacement(code, ranks=(6,) if code == "CVL507" else (6, 6), per=16, base="Conv2d")
    name = "LowRankConv2d" if code == "CVL507" else "TuckerConv2d"
    after = rewritten(HELPER.format(""), STEM, code=code, form=rank)
    assert f"    if i > 4:\n        return {name}(" in after
    assert "i, o, k, padding=1, bias=False, ranks=(max(1, " in after
    assert after.endswith("    return nn.Conv2d(i, o, k, padding=1, bias=False)\n")


WIDER = "    layer = nn.Conv2d(channels, channels * expansion_of_block, kernel_size=kernel, padding=kernel // 2{})\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    return nn.Conv2d(cin, 64, 3)\n", "    return nn.Conv2d(cin, 64, 3, groups=2 if cin >= 32 else 1)\n"),
        (
            "    return nn.Conv2d(cin, 64, 3, groups=g)\n",
            "    return nn.Conv2d(cin, 64, 3, groups=2 if cin >= 32 and g == 1 else g)\n",
        ),
        (
            WIDER.format("").replace("channels", "cin", 1),
            "    groups = 2 if cin >= 32 else 1\n" + WIDER.format(", groups=groups").replace("channels", "cin", 1),
        ),
    ],
)
def test_groups_get_a_condition_where_a_call_builds_narrow_layers_as_well(before: str, after: str) -> None:
    text = f"{HEAD}def block(cin, g=1, kernel=3, channels=4, expansion_of_block=2):\n"
    form = Replacement("CVL501", groups=2, width=16)
    narrow = LayerArguments(16, 64, (3, 3))
    assert rewritten(text + before, narrow, code="CVL501", form=form) == text + after


def test_forms_with_many_groups_are_wide_enough_for_the_layers_to_rewrite_and_not_for_narrower_ones() -> None:
    use: Any = LayerUse(Layer("conv", "Conv2d", "Conv2d"), DENSE, None, ())  # type: ignore[arg-type]
    grouped = of_code("CVL501")
    forms = {form.groups: form for form in grouped.alternatives([use], KindOptions(), Graph())}
    narrow = LayerArguments(16, 16, (3, 3))
    assert [grouped.fits(each, forms[4], KindOptions()) for each in (DENSE, narrow)] == [True, False]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "    net = nn.Conv2d(32, 64,\n                    3,\n\n                    padding=1)\n",
            "    net = DepthwiseSeparableConv2d(32, 64,\n{0}3,\n\n{0}padding=1)\n".format(" " * 35),
        ),
        (
            "    net = nn.Conv2d(\n        32, 64, 3,\n    )\n",
            "    net = DepthwiseSeparableConv2d(\n        32, 64, 3,\n    )\n",
        ),
    ],
)
def test_further_lines_of_a_call_stay_below_its_first_argument(before: str, after: str) -> None:
    assert rewritten(f"{HEAD}def f():\n{before}").endswith(f"def f():\n{after}")


def test_further_lines_follow_a_shorter_name_too() -> None:
    call = "    return nn.Conv2d(cin, 64, 3,\n                     padding=1)\n"
    after = rewritten(f"{HEAD}def f(cin):\n{call}", LayerArguments(3, 64, (3, 3)))
    assert after.endswith("    return conv(cin, 64, 3,\n                padding=1)\n")
