"""The pure parts of rewrites: helpers written into any file, other ways to build, what is chosen, and groups."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from math import gcd
from textwrap import dedent
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from convlint import calls, edits, lines
from convlint.model import Amounts, Change, Form, Suggestion, Verified
from convlint.rewriting import helpers
from convlint.rewriting.choosing import Goal, ranked, together, totals_of, worth
from convlint.rewriting.kind import Draft, Place
from convlint.rewriting.kinds import kinds
from convlint.rewriting.kinds.cvl501_grouped import auto_groups
from convlint.rewriting.numbers import Numbers
from convlint.rewriting.ways import ways

# --- helpers in a file


def rewritten(text: str, kind: str = "depthwise-separable", *, plain: bool = False) -> str:
    """A file whose call of a Conv2d, the first there is, was wrapped in a helper; ``plain``: edited otherwise."""
    with lines.standing_for({"net.py": text.encode()}):
        tree, source = ast.parse(text), lines.split(text)
        nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and _is_conv(n)]
        first = min(nodes, key=lambda node: (node.lineno, node.col_offset))
        call = calls.at(lines.span("net.py", first, source))
        assert call is not None
        form, rewrite = Form("", groups=2), kinds()[kind]
        drafts = list(rewrite.drafts(Place(call.site, call, ()), form, all_fit=True))
        draft = drafts[0 if plain else -1]
    return edits.apply(text.encode(), helpers.edits("net.py", text, [draft])).decode()


def _is_conv(node: ast.Call) -> bool:
    return ast.unparse(node.func).endswith("Conv2d") and len(node.args) == 3


def ran(text: str) -> dict[str, Any]:
    """The names of a file after it was run."""
    space: dict[str, Any] = {"__name__": "net"}
    exec(compile(text, "net.py", "exec"), space)  # noqa: S102 - a text of the test
    return space


def params(text: str) -> int:
    """Of what ``Net()`` in a file gives; it runs, too."""
    model = ran(text)["Net"]()
    assert model(torch.zeros(1, 32, 9, 9)).shape == (1, 64, 7, 7)
    return sum(parameter.numel() for parameter in model.parameters())


DENSE = 9 * 32 * 64 + 64
SEPARABLE = 9 * 32 + 32 + 32 * 64 + 64
NET = "\n\nclass Net({0}Conv2d):\n    pass\n\n\ndef net():\n    return {0}Conv2d(32, 64, 3)\n"
PLAIN = "\n\ndef Net():\n    return nn.Conv2d(32, 64, 3)\n"

IMPORTS = {
    "from torch import nn": "def Net(): return nn.Conv2d(32, 64, 3)",
    "import torch": "def Net(): return torch.nn.Conv2d(32, 64, 3)",
    "import torch.nn": "def Net(): return torch.nn.Conv2d(32, 64, 3)",
    "import torch as t": "def Net(): return t.nn.Conv2d(32, 64, 3)",
    "import torch.nn as tnn": "def Net(): return tnn.Conv2d(32, 64, 3)",
    "from torch.nn import Conv2d": "def Net(): return Conv2d(32, 64, 3)",
    "from torch.nn import Conv2d as C\nnn = 3": "def Net(): return (nn, C(32, 64, 3), C.Conv2d)[1]",
    "from torch.nn import *": "def Net(): return Conv2d(32, 64, 3)",
    "import torch.nn.functional as nn\nimport torch": "def Net(): return torch.nn.Conv2d(32, 64, 3)",
}
