"""The pure parts of rewrites: helpers put into any file, other ways to build its models, and what is chosen."""

from __future__ import annotations

import ast
from textwrap import dedent
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlint import calls, edits, lines
from convlint.model import Amounts, Change, Form, Suggestion, Verified
from convlint.rewriting import helpers
from convlint.rewriting.choosing import Goal, ranked, together, totals_of, worth
from convlint.rewriting.kind import Place
from convlint.rewriting.kinds import of_code
from convlint.rewriting.numbers import Numbers
from convlint.rewriting.ways import ways

# --- helpers in a file

SEPARABLE = Form("CVL502")
DENSE_PARAMS = 9 * 32 * 64 + 64
SEPARABLE_PARAMS = 9 * 32 + 32 + 32 * 64 + 64
NET = "\n\ndef net():\n    return nn.Conv2d(32, 64, 3)\n"


def rewritten(
    text: str, form: Form = SEPARABLE, *, number: int = 0, others: tuple[Numbers, ...] = ()
) -> str:
    """A file in which one of its calls ``Conv2d(a, b, c)`` is given to a helper, or edited where there are ``others``
    that it builds.
    """
    tree, source = ast.parse(text), lines.split(text)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and is_dense(node)]
    found.sort(key=lambda node: node.lineno)
    with lines.standing_for({"net.py": text.encode()}):
        call = calls.at(lines.span("net.py", found[number], source))
        assert call is not None
        drafts = of_code(form.code).drafts(
            Place(call.site, call, (), others), form, all_fit=not others
        )
        draft = list(drafts)[0 if others else -1]
    return edits.apply(text.encode(), helpers.edits("net.py", text, [draft])).decode()


def is_dense(call: ast.Call) -> bool:
    return ast.unparse(call.func).endswith("Conv2d") and len(call.args) == 3


def ran(text: str) -> dict[str, Any]:
    """The names of a file after it ran."""
    names: dict[str, Any] = {"__name__": "net"}
    exec(compile(text, "net.py", "exec"), names)  # noqa: S102 - a text of these tests
    return names


def params(text: str) -> int:
    """Parameters of what ``net()`` gives, which runs as well."""
    model = ran(text)["net"]()
    assert model(torch.zeros(1, 32, 9, 9)).shape == (1, 64, 7, 7)
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("imports", "conv", "added"),
    [
        ("from torch import nn", "nn.Conv2d", ""),
        ("import torch", "torch.nn.Conv2d", ""),
        ("import torch as t", "t.nn.Conv2d", ""),
        ("import torch.nn", "torch.nn.Conv2d", ""),
        ("import torch.nn as tnn", "tnn.Conv2d", ""),
        ("if True:\n    from torch import nn", "nn.Conv2d", ""),
        ("from torch.nn import Conv2d", "Conv2d", "from torch import nn"),
        ("from torch.nn import *", "Conv2d", "from torch import nn"),
        ("import os", "__import__('torch').nn.Conv2d", "from torch import nn"),
        ("", "__import__('torch').nn.Conv2d", "from torch import nn"),
        (
            "from torch.nn import Conv2d\nnn = 'mine'",
            "Conv2d",
            "from torch import nn as torch_nn",
        ),
        (
            "import torch.nn.functional as nn\nfrom torch.nn import Conv2d",
            "Conv2d",
            "from torch import nn as torch_nn",
        ),
        (
            "try:\n    from torch import nn\nexcept ImportError:\n    nn = None",
            "nn.Conv2d",
            "from torch import nn as torch_nn",
        ),
    ],
)
def test_a_helper_says_torch_nn_as_its_file_does(imports: str, conv: str, added: str) -> None:
    text = f"{imports}\n\n\ndef net():\n    return {conv}(32, 64, 3)\n"
    after = rewritten(text)
    assert (params(text), params(after)) == (DENSE_PARAMS, SEPARABLE_PARAMS)
    new = [line for line in after.splitlines() if line not in text.splitlines()]
    assert [line for line in new if "import" in line] == ([added] if added else [])


def test_a_helper_is_defined_behind_what_it_needs_whatever_stands_before() -> None:
    head = "import warnings\n\nwarnings.filterwarnings('error')\nfrom torch import nn\n"
    after = rewritten(head + NET)
    assert after.startswith(f"{head}\n\nclass DepthwiseSeparableConv2d(nn.Conv2d):\n")
    assert params(after) == SEPARABLE_PARAMS


STATEMENTS = (
    "import os, math\n",
    "from typing import (\n    Any,\n    List,  # for old Python\n)\n",
    "try:\n    import no_such_thing\nexcept ImportError:\n    no_such_thing = None\n",
    "if 'a' in 'b':\n    import sys\nelse:\n    pass\n",
    '__all__ = ["net"]\n',
    "WIDTH: int = 3\n",
    "TABLE = dict(a=1)\n",
    "# A comment.\n",
    "\n",
    "\n\n",
    "import torch\n",
    "'''A string\n\nin lines.'''\n",
    "class First:  # with words\n    pass\n",
    "# About it.\n@str\n# And more.\n@repr\ndef decorated():\n    return 1\n",
    "def caf\u00e9(nn):\n    return nn\n",
    "for number in range(3):\n    pass\n",
)


@given(
    st.sampled_from(["", '"""A docstring."""\n', "#!/usr/bin/env python\n# coding: utf-8\n"]),
    st.sampled_from(["", "from __future__ import annotations\n"]),
    st.lists(st.sampled_from(STATEMENTS), max_size=6),
    st.sampled_from(STATEMENTS),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_a_helper_goes_into_any_file(
    head: str, future: str, before: list[str], between: str, end: str, ended: bool
) -> None:
    text = f"{head}{future}{''.join(before)}from torch import nn\n{between}{NET}"
    text = text.replace("\n", end) if ended else text.replace("\n", end).rstrip()
    after = rewritten(text)
    assert params(after) == SEPARABLE_PARAMS
    assert "\n" not in after.replace(end, "")
    assert after.endswith(end) == ended
    left = iter(after.splitlines())
    assert all(line in left for line in text.splitlines()[:-1])  # each, and in this order


def test_a_helper_stands_behind_the_imports_and_above_the_comments_of_what_follows() -> None:
    text = 'import re\nfrom torch import nn\n\n__all__ = ["net"]\n\n\n# About it.\n@re.cache\n'
    text = text.replace("re.", "functools.").replace("import re", "import functools") + NET.lstrip()
    after = rewritten(text)
    head, tail = text.split("# About it.")
    assert after.startswith(f"{head}class DepthwiseSeparableConv2d(nn.Conv2d):\n")
    assert after.endswith(
        "\n\n\n# About it." + tail.replace("nn.Conv2d(32, 64, 3)", "separable(nn.Conv2d(32, 64, 3))")
    )
    assert params(after) == SEPARABLE_PARAMS


@pytest.mark.parametrize(
    "mine",
    [
        "def separable(x):\n    return 'mine'\n",
        "separable = 'mine'\n",
        "import math as separable\n",
        "from math import pi as separable\n",
        "class DepthwiseSeparableConv2d:\n    pass\n",
        "def f(separable, DepthwiseSeparableConv2d=3):\n    return separable\n",
        "def separable():\n    pass\n\n\nseparable2 = 'mine'\n",
    ],
)
def test_a_name_that_the_file_uses_is_left_to_it(mine: str) -> None:
    text = f"from torch import nn\n\n\n{mine}{NET}"
    after = rewritten(text)
    assert mine in after
    assert params(after) == SEPARABLE_PARAMS


TWO = "from torch import nn\n\n\ndef net():\n    return nn.Conv2d(32, 64, 3)\n{}".format(
    NET.replace("net", "again")
)


def test_a_second_rewrite_uses_the_helpers_that_are_there() -> None:
    once = rewritten(TWO)
    twice = rewritten(once, number=1)
    assert len(twice) == len(once) + len("separable()")
    for name in ("net", "again"):
        assert sum(p.numel() for p in ran(twice)[name]().parameters()) == SEPARABLE_PARAMS


def test_a_second_rewrite_of_another_form_has_helpers_of_its_own() -> None:
    twice = rewritten(rewritten(TWO), Form("CVL505", pairs=2, between="norm"), number=1)
    names = ran(twice)
    assert sum(p.numel() for p in names["net"]().parameters()) == SEPARABLE_PARAMS
    pairs = 9 * 64 + 2 * 64 + 64 * 64 + 64  # twice the channels, with a norm, without a bias
    assert sum(p.numel() for p in names["again"]().parameters()) == pairs


@pytest.mark.parametrize(
    "text", [f"from torch import nn\n{NET}", f"import math\nfrom torch import nn\n{NET}"]
)
def test_a_module_that_an_argument_needs_is_imported_once(text: str) -> None:
    after = rewritten(text, Form("CVL501", groups=8), others=(Numbers(3, 5, (3, 3)),))
    assert after.count("import math\n") == 1
    assert "nn.Conv2d(32, 64, 3, groups=math.gcd(8, 32, 64))" in after
    assert "def grouped" not in after
    assert ran(after)["net"]().groups == 8


def test_a_text_that_python_cannot_parse_is_refused() -> None:
    with pytest.raises(ValueError, match=r"net\.py cannot be parsed"):
        helpers.edits("net.py", "def f(:\n", [])


# --- other ways to build

BUILDS = """\
class Net(nn.Module):
    def __init__(self, width=8, *, depth=1): ...

class Needs(nn.Module):
    def __init__(self, width): ...
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a = Net(8, depth=2)", ["Net(8, depth=2)"]),
        ("a = Needs(width=(1, [2, -3], {'a': None}))", ["Needs(width=(1, [2, -3], {'a': None}))"]),
        ("Needs(8); Needs(8); Needs(9)", ["Needs(8)", "Needs(9)"]),
        ("def f(n):\n    return Needs(n), Needs(*n), Needs(**n), Needs(8)", ["Needs(8)"]),
        ("if __name__ == '__main__':\n    Needs(3)", ["Needs(3)"]),
        ("other.Needs(3); Unknown(3)", []),
        ("def small():\n    return Net(4)", ["Net(4)", "small()"]),
        ("def small(width=4, *, depth=2):\n    return Net(width)", ["small()"]),
        (
            "def small(width=4):\n    '''Of four.'''\n    if width < 2:\n        raise ValueError\n"
            "    net: object = Needs(width)\n    return net",
            ["small()"],
        ),
        ("def small(pretrained=False, weights=None):\n    return Needs(1)", ["Needs(1)", "small()"]),
        ("def small(width):\n    return Net(width)", []),
        ("def small(*, width):\n    return Net(width)", []),
        ("def small(pretrained=True):\n    return Net(pretrained)", []),
        ("def small(*, weights='best'):\n    return Net(weights)", []),
        ("def _small(width=4):\n    return Net(width)", []),
        ("def count(n=3):\n    return n + 1", []),
        ("def nothing():\n    net = Net", []),
        ("async def small(n=4):\n    return Net(n)", []),
        ("def main(n=4):\n    print(n)\n    return Net(n)", []),
        ("def main(n=4):\n    for _ in range(n):\n        pass\n    return Net(n)", []),
        ("def main(n=4):\n    while n:\n        n -= 1\n    return Net(n)", []),
        ("def main(n=4):\n    with open('log') as f:\n        return Net(f)", []),
        ("def main(n=4):\n    import os\n    return Net(n)", []),
        ("def main(n=4):\n    net = Net(n)\n    net.train()\n    return net", []),
        ("def main(n=4):\n    yield Net(n)", []),
        ("def main(n=4):\n    return [Net(n) for _ in range(n)]", []),
        ("def main(n=4):\n    return train(Net(n))\n\n\ndef train(net):\n"
         "    for _ in range(90):\n        net().backward()\n    return net", []),
        ("def main(n=4):\n    return fitted(n)\n\n\ndef fitted(n):\n    return train(Net(n))\n\n\n"
         "def train(net):\n    print('training')\n    return net", []),
        ("def main(n=4):\n    return torch.hub.load('some/where', n)", []),
        ("def main(n=4):\n    state = load_state_dict_from_url(n)\n    return Net(state)", []),
    ],
)
def test_only_what_builds_is_called_again(text: str, expected: list[str]) -> None:
    targets = ways("net.py", f"from torch import nn\n\n{BUILDS}\n{dedent(text)}\n")
    found = [target.removeprefix("net.py:") for target in targets]
    assert sorted(found) == sorted({"Net()", *expected})


def test_a_text_that_cannot_be_parsed_has_no_ways() -> None:
    assert ways("net.py", "def f(:\n") == []


def test_of_very_many_ways_some_from_all_parts_of_the_file_are_left() -> None:
    text = BUILDS + "".join(f"Needs({number})\n" for number in range(1000))
    found = ways("net.py", text)
    assert 32 < len(found) <= 64
    numbers = [int(way.split("(")[1][:-1]) for way in found if "Needs" in way]
    assert min(numbers) < 20
    assert max(numbers) > 980
    assert numbers == sorted(numbers)


# --- which are chosen

TOTALS = Amounts(1000, 1000)


def suggestion(layers: str, *saved: int, error: float | None = None, name: str = "") -> Suggestion:
    """A rewrite of layers of a letter each, that saves so many parameters and MACs in the first of them."""
    before, after = Amounts(500, 500), Amounts(500 - saved[0], 500 - saved[-1])
    changes = [
        Change(layer, SEPARABLE, before, before if number else after, error)
        for number, layer in enumerate(layers)
    ]
    verified = Verified(ran=True, output_shapes_equal=True, params_equal=True, macs_equal=True)
    return Suggestion("CVL502", name, "", None, tuple(changes), (), "", verified, "")


def test_without_a_goal_the_best_of_every_call_is_chosen() -> None:
    a, b, c = suggestion("ab", 100), suggestion("ab", 200), suggestion("c", 50)
    assert together([a, b, c], TOTALS, Goal()) == [b, c]


def test_parameters_and_macs_count_alike_and_trained_weights_that_are_lost_against_it() -> None:
    macs = suggestion("a", 0, 100)
    assert worth(macs.changes, TOTALS) == worth(suggestion("a", 100, 0).changes, TOTALS) == 0.1
    assert worth(suggestion("a", 100, error=0.25).changes, TOTALS) == 0.75 * 0.2
    lossy, near = suggestion("a", 200, error=0.9), suggestion("a", 100, error=0.1)
    assert together([lossy, near], TOTALS, Goal()) == [near]
    assert ranked([lossy, macs, near], TOTALS) == [near, macs, lossy]


def test_a_goal_is_reached_with_few_edits_and_these_as_mild_as_can_be() -> None:
    small, middle, large = (suggestion("a", n) for n in (100, 200, 300))
    other = suggestion("b", 150)
    every = [small, middle, large, other]
    assert together(every, TOTALS, Goal(params=900)) == [small]
    assert together(every, TOTALS, Goal(params=850)) in ([middle], [other])
    assert together(every, TOTALS, Goal(params=750)) == [large]
    assert set(together(every, TOTALS, Goal(params=650))) == {middle, other}
    assert together(every, TOTALS, Goal(params=1000)) == []


def test_a_goal_that_cannot_be_reached_takes_nothing_that_leads_away_from_it() -> None:
    good, bad = suggestion("a", 10, 100), suggestion("b", 400, -50)
    assert together([good, bad], TOTALS, Goal(macs=1)) == [good]
    assert together([bad], TOTALS, Goal(macs=1)) == []


SAVED = st.integers(-20, 120)
CALLS = st.lists(st.lists(st.tuples(SAVED, SAVED), min_size=1, max_size=3), min_size=1, max_size=5)


def offered(calls_saved: list[list[tuple[int, int]]]) -> list[Suggestion]:
    return [
        suggestion("abcde"[number], *saved, name=f"{number} {way}")
        for number, options in enumerate(calls_saved)
        for way, saved in enumerate(options)
    ]


@given(CALLS, st.integers(500, 1000), st.sampled_from(["params", "macs"]))
def test_a_goal_that_can_be_reached_is_and_with_as_few_calls_as_can_be(
    calls_saved: list[list[tuple[int, int]]], most: int, what: str
) -> None:
    side = 0 if what == "params" else 1
    best = sorted((max(saved[side] for saved in options) for options in calls_saved), reverse=True)
    enough = [n for n in range(6) if sum(best[:n]) >= 1000 - most]
    goal = Goal(**{what: most})
    chosen = together(offered(calls_saved), TOTALS, goal)
    assert goal.reached(totals_of(chosen, TOTALS)) == bool(enough)
    if enough:
        assert len(chosen) == enough[0]


@given(
    CALLS, st.none() | st.integers(700, 1000), st.none() | st.integers(700, 1000), st.randoms()
)
def test_no_rewrite_of_a_set_that_reaches_its_goal_can_be_left_out(
    calls_saved: list[list[tuple[int, int]]], params: int | None, macs: int | None, random: Any
) -> None:
    suggestions, goal = offered(calls_saved), Goal(params, macs)
    random.shuffle(suggestions)
    chosen = together(suggestions, TOTALS, goal)
    layers = [name for one in chosen for name in one.instances]
    assert len(layers) == len(set(layers))
    if goal and goal.reached(totals_of(chosen, TOTALS)):
        for one in chosen:
            rest = [other for other in chosen if other is not one]
            assert not goal.reached(totals_of(rest, TOTALS))


@given(st.lists(st.tuples(st.sets(st.sampled_from("abcde"), min_size=1), SAVED), max_size=8))
def test_no_layer_is_rewritten_twice(parts: list[tuple[set[str], int]]) -> None:
    suggestions = [suggestion("".join(sorted(names)), saved) for names, saved in parts]
    for goal in (Goal(), Goal(params=800)):
        layers = [name for one in together(suggestions, TOTALS, goal) for name in one.instances]
        assert len(layers) == len(set(layers))
