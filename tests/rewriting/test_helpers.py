"""Rewrites as text: the helpers that a file gets, whatever it imports and names, and what becomes of its calls."""

from __future__ import annotations

import ast
import difflib
import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlint.ir import Replacement, Site
from convlint.rewriting import helpers
from convlint.rewriting.base import Draft, EditedCall, Helper, NamedEdit
from convlint.rewriting.kinds import of_code
from convlint.rewriting.layer_use import LayerArguments
from convlint.source_text import call_sites, edits, lines
from convlint.source_text.texts import SourceTexts

# --- helpers in a file

SEPARABLE = Replacement("CVL502")
DENSE_PARAMS = 9 * 32 * 64 + 64
SEPARABLE_PARAMS = 9 * 32 + 32 * 64 + 64
NET = "\n\ndef net():\n    return nn.Conv2d(32, 64, 3)\n"


def rewritten(
    text: str, form: Replacement = SEPARABLE, *, number: int = 0, others: tuple[LayerArguments, ...] = ()
) -> str:
    """A file in which one of its calls ``Conv2d(a, b, c)`` is given to a helper, or edited where there are ``others``
    that it builds.
    """
    return rewritten_bytes(text.encode(), form, number=number, others=others).decode()


def rewritten_bytes(
    data: bytes, form: Replacement = SEPARABLE, *, number: int = 0, others: tuple[LayerArguments, ...] = ()
) -> bytes:
    """The same for a file in any encoding."""
    text, _ = lines.decode(data)
    tree, source = ast.parse(text), lines.split(text)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and is_dense(node)]
    found.sort(key=lambda node: node.lineno)
    texts = SourceTexts({"net.py": data})
    call = call_sites.at(lines.span("net.py", found[number], source), texts)
    assert call is not None
    place = EditedCall(call.site, call, (), others)
    drafts = list(of_code(form.code).drafts(place, form, all_fit=not others))
    draft = drafts[0] if others else next((d for d in drafts if len(d.helpers) == 2), drafts[-1])
    return edits.apply(data, helpers.edits("net.py", text, [draft]))


def edited(call: str, form: Replacement) -> str:
    """A call in a file, written as it is proposed first."""
    text = f"from torch import nn\nlayer = {call}\n"
    (node,) = [n.value for n in ast.parse(text).body if isinstance(n, ast.Assign)]
    texts = SourceTexts({"net.py": text.encode()})
    written = call_sites.at(lines.span("net.py", node, lines.split(text)), texts)
    assert written is not None
    draft = next(of_code(form.code).drafts(EditedCall(written.site, written, ()), form, all_fit=True))
    return edits.apply(text.encode(), draft.edits).decode().partition("layer = ")[2].rstrip()


def is_dense(call: ast.Call) -> bool:
    return ast.unparse(call.func).endswith("Conv2d") and len(call.args) == 3 and not call.keywords


def ran(text: str | bytes) -> dict[str, Any]:
    """The names of a file after it ran."""
    names: dict[str, Any] = {"__name__": "net"}
    exec(compile(text, "net.py", "exec"), names)  # noqa: S102 - a text of these tests
    return names


def params(text: str | bytes) -> int:
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
        ("from torch.nn import Conv2d\nnn = 'mine'", "Conv2d", "from torch import nn as torch_nn"),
        ("import torch.nn.functional as nn\nfrom torch.nn import Conv2d", "Conv2d", "from torch import nn as torch_nn"),
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
    assert [line for line in new if " import " in line] == ([added] if added else [])


def test_a_helper_is_defined_behind_what_it_needs_whatever_stands_before() -> None:
    head = "import warnings\n\nwarnings.filterwarnings('error')\nfrom torch import nn\n"
    after = rewritten(head + NET)
    assert after.startswith(f"{head}\n\nclass DepthwiseSeparableConv2d(nn.Sequential):\n")
    assert params(after) == SEPARABLE_PARAMS


STATEMENTS = (
    "import os, math\n",
    "import json; import re; NUMBER = 1\n",
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
    assert after.startswith(f"{head}class DepthwiseSeparableConv2d(nn.Sequential):\n")
    assert after.endswith("\n\n\n# About it." + tail.replace("nn.Conv2d(32, 64, 3)", "separable(nn.Conv2d(32, 64, 3))"))
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


TWO = "from torch import nn\n\n\ndef net():\n    return nn.Conv2d(32, 64, 3)\n{}".format(NET.replace("net", "again"))


def test_a_second_rewrite_uses_the_helpers_that_are_there() -> None:
    once = rewritten(TWO)
    twice = rewritten(once, number=1)
    assert len(twice) == len(once) + len("separable()")
    for name in ("net", "again"):
        assert sum(p.numel() for p in ran(twice)[name]().parameters()) == SEPARABLE_PARAMS


def test_a_second_rewrite_of_another_form_has_helpers_of_its_own() -> None:
    twice = rewritten(rewritten(TWO), Replacement("CVL505", pairs=2, between="norm"), number=1)
    names = ran(twice)
    assert sum(p.numel() for p in names["net"]().parameters()) == SEPARABLE_PARAMS
    pairs = 9 * 64 + 2 * 64 + 64 * 64 + 64  # twice the channels, with a norm
    assert sum(p.numel() for p in names["again"]().parameters()) == pairs


@pytest.mark.parametrize("text", [f"from torch import nn\n{NET}", f"import math\nfrom torch import nn\n{NET}"])
def test_a_module_that_an_argument_needs_is_imported_once(text: str) -> None:
    after = rewritten(text, Replacement("CVL501", groups=8), others=(LayerArguments(3, 5, (3, 3)),))
    assert after.count("import math\n") == 1
    assert "nn.Conv2d(32, 64, 3, groups=math.gcd(8, 32, 64))" in after
    assert "def grouped" not in after
    assert ran(after)["net"]().groups == 8


@pytest.mark.parametrize(
    "head",
    [
        "import torch; from torch import nn; x = 1\n",
        "import torch; from torch.nn import Conv2d; nn = 3\nfrom torch import nn\n",
        "x = str(1); from torch import nn\n",
        "import os;from torch import nn  # with a comment\n",
        '"""About it."""; from torch import nn;\n',
        "from __future__ import annotations; from torch import nn\n",
        "from torch import nn; print(nn); import os\n",
    ],
)
def test_a_helper_lands_below_imports_that_share_a_line(head: str) -> None:
    after = rewritten(head + NET)
    assert after.startswith(head)
    assert params(after) == SEPARABLE_PARAMS


def test_statements_above_the_first_definition_stay_together() -> None:
    head = "from torch import nn\n\nnames = []\nnames.append('net')\nfor name in names:\n    print(name)\n"
    after = rewritten(head + NET)
    assert after.startswith(f"{head}\n\nclass Depthwise")
    assert params(after) == SEPARABLE_PARAMS


def test_a_line_that_imports_and_needs_the_helper_is_split() -> None:
    text = "import os; from torch import nn; net = lambda: layer; layer = nn.Conv2d(32, 64, 3)\n"
    after = rewritten(text)
    head = "import os; from torch import nn; net = lambda: layer"
    assert after.startswith(f"{head}\n\n\nclass Depthwise")
    assert after.endswith("    )\n\n\nlayer = separable(nn.Conv2d(32, 64, 3))\n")
    assert params(after) == SEPARABLE_PARAMS


@pytest.mark.parametrize("head", ['"""Doc."""; from torch.nn import Conv2d\n', "\n# About.\n"])
def test_a_docstring_and_the_comments_of_a_file_stay_at_its_top(head: str) -> None:
    conv = "Conv2d" if "import" in head else "__import__('torch').nn.Conv2d"
    text = f"{head}def net():\n    return {conv}(32, 64, 3)\n"
    after = rewritten(text)
    assert after.startswith(f"{head}from torch import nn\n")
    assert ran(after)["__doc__" if "Doc" in head else "net"]
    assert params(after) == SEPARABLE_PARAMS


def test_a_future_import_that_shares_a_line_stays_first() -> None:
    head = "from __future__ import annotations; from torch.nn import Conv2d\n"
    after = rewritten(f"{head}{NET.replace('nn.Conv2d', 'Conv2d')}")
    assert after.startswith(f"{head}from torch import nn\n\n\nclass ")
    assert params(after) == SEPARABLE_PARAMS


@pytest.mark.parametrize("condition", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_an_import_for_type_checkers_does_not_count(condition: str) -> None:
    head = f"import typing\nfrom typing import TYPE_CHECKING\n\nif {condition}:\n    from torch import nn\n"
    conv = "__import__('torch').nn.Conv2d"
    after = rewritten(head + NET.replace("nn.Conv2d", conv))
    assert "from torch import nn as torch_nn\n" in after
    assert params(after) == SEPARABLE_PARAMS


def test_torch_imported_whole_with_a_star_does_not_bind_nn() -> None:
    conv = "__import__('torch').nn.Conv2d"
    after = rewritten("from torch import *\n" + NET.replace("nn.Conv2d", conv))
    assert "from torch import nn as torch_nn\n" in after
    assert params(after) == SEPARABLE_PARAMS


def test_names_in_functions_are_not_those_of_the_file() -> None:
    text = f"from torch import nn\n\n\ndef f(nn):\n    return nn.Conv2d\n{NET}"
    after = rewritten(text)
    assert after.count("import") == 1
    assert params(after) == SEPARABLE_PARAMS


HELPER = Helper(
    "wrap",
    """def wrap(layer, *, mode="wrap"):
    \'\'\'wrap(layer) is nn.Sequential: wrap, nn.\'\'\'
    # wrap what nn.Conv2d gives
    layer.wrap = layer.nn = f"wrap nn. {wrap.__name__}"
    return nn.Sequential(layer)
""",
)


def test_a_helper_that_gets_another_name_keeps_its_strings_and_comments() -> None:
    text = f"import torch as t\n\nwrap = 1\n{NET.replace('nn.', 't.nn.')}"
    draft = Draft((NamedEdit(Site("net.py", 7, 12, 7, 12), "wrap(", "wrap"),), (HELPER,))
    after = edits.apply(text.encode(), helpers.edits("net.py", text, [draft])).decode()
    (definition,) = re.findall(r"def wrap2.*?(?=\n\n)", after, re.DOTALL)
    assert definition == (
        HELPER.text.replace("def wrap(", "def wrap2(")
        .replace("{wrap.", "{wrap2.")
        .replace("return nn", "return t.nn")
        .rstrip()
    )
    assert "return wrap2(t.nn.Conv2d" in after


def test_a_string_in_a_call_keeps_the_name_of_a_helper() -> None:
    call = "nn.Conv2d(32, 64, int('3' or 'separable'))"
    text = f"from torch import nn\n\nseparable = 1\n{NET.replace('nn.Conv2d(32, 64, 3)', call)}"
    assert f"return separable2({call})" in rewritten(text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", ["\t", "  "])
def test_the_bytes_around_a_helper_stay_as_they_are(encoding: str, end: str, indent: str) -> None:
    cookie = "# -*- coding: latin-1 -*-\n" if encoding == "latin-1" else ""
    text = f"{cookie}# \u00e9t\u00e9\nfrom torch import nn; caf\u00e9 = '\u00e9'\n\x0c\n{NET}\nx = (1,\n  2 )  \n"
    data = text.replace("    ", indent).replace("\n", end).encode(encoding)
    after = rewritten_bytes(data)
    assert params(after) == SEPARABLE_PARAMS
    pieces = difflib.SequenceMatcher(None, data, after, autojunk=False).get_opcodes()
    assert {tag for tag, *_ in pieces} == {"equal", "insert"}
    assert after.count(b"\n") == after.count(end.encode())
    assert f"{end}{indent}def __init__({end}".encode() in after


def test_a_module_whose_name_is_used_for_something_else_is_imported_under_another() -> None:
    text = f"from torch import nn\n\nmath = 'mine'\n{NET}"
    after = rewritten(text, Replacement("CVL501", groups=8), others=(LayerArguments(3, 5, (3, 3)),))
    assert after.startswith("from torch import nn\nimport math as math2\n")
    assert "nn.Conv2d(32, 64, 3, groups=math2.gcd(8, 32, 64))" in after
    assert ran(after)["net"]().groups == 8


# --- calls


@pytest.mark.parametrize(
    ("call", "made"),
    [
        ("nn.Conv2d(a, b, 3)", "nn.Conv2d(a, b, 3, groups=4)"),
        ("nn.Conv2d(a, b, k, s, padding='same')", "nn.Conv2d(a, b, k, s, padding='same', groups=4)"),
        ("nn.Conv2d( a,b ,(3)  )", "nn.Conv2d( a,b ,(3), groups=4  )"),
        (
            "nn.Conv2d(\n        a,  # in\n        b,  # out\n        3,\n    )",
            "nn.Conv2d(\n        a,  # in\n        b,  # out\n        3, groups=4,\n    )",
        ),
        ("nn.Conv2d(a, b, 3, 1, 1, 1, 1, False)", "nn.Conv2d(a, b, 3, 1, 1, 1, 4, False)"),
        ("nn.Conv2d(a, groups = 1, out_channels=b)", "nn.Conv2d(a, groups = 4, out_channels=b)"),
        ("nn.Conv2d(a, b, 3, groups=g)", "nn.Conv2d(a, b, 3, groups=4 if g == 1 else g)"),
        ("nn.Conv2d(a, b, 3, groups=self.g)", "nn.Conv2d(a, b, 3, groups=4 if self.g == 1 else self.g)"),
        ("nn.Conv2d(a, b, 3, groups=a // c)", "nn.Conv2d(a, b, 3, groups=4 if (a // c) == 1 else (a // c))"),
        ("nn.Conv2d(**options)", "grouped(nn.Conv2d(**options), 4)"),
        ("caf\u00e9(a, b)", "grouped(caf\u00e9(a, b), 4)"),
    ],
)
def test_a_grouped_call_keeps_all_that_is_written_in_it(call: str, made: str) -> None:
    assert edited(call, Replacement("CVL501", groups=4)) == made


@pytest.mark.parametrize(
    ("call", "made"),
    [
        ("nn.Conv2d(a, b, 3)", "DepthwiseSeparableConv2d(a, b, 3)"),
        ("nn . Conv2d(a,  # in\n  b, 3)", "DepthwiseSeparableConv2d(a,  # in\n  b, 3)"),
        ("nn.Conv2d(a, b, 3, groups=1, bias=False)", "DepthwiseSeparableConv2d(a, b, 3, bias=False)"),
        ("nn.Conv2d(a, b, 3, 1, 1, 1, 1, False)", "DepthwiseSeparableConv2d(a, b, 3, 1, 1, 1, bias=False)"),
        ("nn.Conv2d(a, b, 3, **c)", "DepthwiseSeparableConv2d(a, b, 3, **c)"),
        ("nn.Conv2d(a, *b, groups=1, **c)", "DepthwiseSeparableConv2d(a, *b, **c)"),
        (
            "nn.Conv2d(a, b, 3, groups=g)",
            "DepthwiseSeparableConv2d(a, b, 3) if g == 1 else nn.Conv2d(a, b, 3, groups=g)",
        ),
        ("conv3x3(a, b)", "separable(conv3x3(a, b))"),
        ("self.layer(a)(b)", "separable(self.layer(a)(b))"),
    ],
)
def test_a_separable_call_is_of_another_class_or_given_to_a_function(call: str, made: str) -> None:
    assert edited(call, SEPARABLE) == made


def test_a_global_depthwise_call_says_how_large_its_map_is() -> None:
    form = Replacement("CVL504", map_size=(7, 5))
    made = "GlobalDepthwiseLinear(n, bias=False, out_features=10, map_size=(7, 5))"
    assert edited("nn.Linear(n, bias=False, out_features=10)", form) == made


def test_a_text_that_python_cannot_parse_is_refused() -> None:
    with pytest.raises(ValueError, match=r"net\.py cannot be parsed"):
        helpers.edits("net.py", "def f(:\n", [])
