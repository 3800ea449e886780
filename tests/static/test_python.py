"""Python in static analysis: small programs, each with one number that is right or wrong.

A program is written once, with ``<right|wrong>`` where the two versions differ. The right one has no
findings, the wrong one has one, on the line that ends in a comment with the code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from convlint.static import Project, check_file

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"


def right(text: str) -> str:
    return re.sub(r"<([^<>|]*)\|[^<>|]*>", r"\1", text)


def wrong(text: str) -> str:
    return re.sub(r"<[^<>|]*\|([^<>|]*)>", r"\1", text)


def findings_in(text: str, path: str = "net.py", project: Project | None = None) -> list[tuple[str, int]]:
    """Codes and lines of the findings, except CVL902."""
    found = check_file(path, text.encode(), project or Project("nowhere"))
    assert found.problems == ()
    return [(f.code, f.site.line) for f in found.findings if f.site and f.code != "CVL902"]


def marked_lines(text: str) -> list[tuple[str, int]]:
    lines = enumerate(text.splitlines(), 1)
    return [(m[1], n) for n, line in lines if (m := re.search(r"# (CVL\d+)$", line))]


def expect_one_bug(text: str) -> None:
    assert "|" in text
    assert findings_in(right(text)) == []
    assert findings_in(wrong(text)) == marked_lines(text) != []


# --- numbers: each program computes an ``n`` that has to be 3


NUMBERS = {
    "arithmetic": "n = (7 - <1|3>) // 2 ** 1 + 9 % 9 if 1 else 0",
    "true division": "n = int(12 / <4|3>)",
    "bits": "n = (<12|16> >> 2) | 0 ^ 0",
    "assignment to several names": "a, (b, *c) = 1, (2, <3|4>, 5)\nn = c[0]",
    "assignment in an expression": "if (n := <3|4>) > 100: n = 0",
    "augmented assignment": "n = 1\nn += <2|3>\nn *= 1",
    "annotated assignment": "n: int = <3|4>",
    "a conditional expression": "n = <3|4> if n_is_there else <3|4>\n",
    "and, or and not": "n = (not 1) or None or <3|4> and <3|4>",
    "a chain of comparisons": "n = 3 if 1 < <2|5> <= 4 != 5 else 4",
    "in and is": "n = 3 if <2|7> in (1, 2) and None is None and 'a' not in 'bc' else 4",
    "an index": "n = [1, 2, <3|4>][-1]",
    "a slice": "n = (9, <3|4>, 5, 6)[1:-1:2][0]",
    "a dict": "n = {'a': 1, **{'b': <3|4>}}['b']",
    "a dict's methods": "d = dict(a=1)\nd.update(b=<3|4>)\nn = d.get('b', 9) if 'b' in d.keys() else 9",
    "a default of get": "n = {}.get('a', <3|4>)",
    "items of a dict": "n = 0\nfor key, value in {'a': 1, 'b': <2|3>}.items(): n += value",
    "a list's methods": "x = [1]\nx.append(<3|4>)\nx.extend([5])\nx.insert(0, 9)\nx.pop()\nn = x.pop()",
    "lists added and repeated": "n = len([0] * 2 + [1, <2|2, 3>]) - 1",
    "a list that two names mean": "x = y = []\ny.append(<3|4>)\nn = x[0]",
    "max, min and sum": "n = max(1, 2, <3|4>) + min([5, 7]) - sum((2, 3))",
    "sum from a start": "n = sum([1, 1], <1|2>)",
    "len, range and enumerate": "n = 0\nfor i, j in enumerate(range(2, len('abcdef'), 2), <0|1>): n = i + 2",
    "zip and reversed": "for n, b in zip([9, <3|4>], reversed([1, 2])): pass",
    "sorted": "n = sorted([9, <3|4>, 7])[0]",
    "map": "n = list(map(lambda a: a + 1, [<2|3>]))[0]",
    "any and all": "n = 3 if any([0, <1|0>]) and all([1, 'a']) else 4",
    "int, float, round and abs": "n = int('<3|4>') * round(float(1)) * abs(-1)",
    "math": "import math\nn = math.ceil(<2.5|3.5>) * math.gcd(7, 5) * math.prod([1, 1])",
    "strings": "n = {'k3': <3|4>}[f'k{3}'.lower().strip()]",
    "isinstance": "n = 3 if isinstance(<3|'a'>, int) and isinstance((), (list, tuple)) else 4",
    "isinstance of an object": (
        "from collections.abc import Mapping\nclass A: pass\nn = 4 if isinstance(A(), Mapping) else <3|4>"
    ),
    "globals": "n, three = 9, <3|4>\nn = globals().get('nothing') or globals().get('three')",
    "isinstance of TorchScript": "n = 3 if torch.jit.isinstance(<3|'a'>, int) else 4",
    "no array": "import numpy as np\nn = 4 if isinstance((1, 2), np.ndarray) else <3|4>",
    "a comprehension": "n = [a * b for a in range(3) for b in (1, <3|4>) if a == 1][1]",
    "a dict comprehension": "n = {k: v for k, v in zip('ab', (1, <3|4>))}['b']",
    "a generator": "n = sum(i for i in (1, <2|3>))",
    "a while loop": "n = 0\nwhile n < <3|4>: n += 1",
    "break and else": "for n in range(9):\n    if n == <3|4>: break\nelse: n = 9",
    "continue": "n = 0\nfor i in range(4):\n    if i > <2|3>: continue\n    n += 1",
    "if, elif and else": "k = <2|9>\nif k == 1: n = 9\nelif k == 2: n = 3\nelse: n = 4",
    "a function": "def f(a, b=1, *args, c, **kwargs): return a + b + c\nn = f(1, c=<1|2>)",
    "arguments from lists and dicts": "def f(a, *b, **c): return b[0] + c['d']\nn = f(9, *[1, 5], **{'d': <2|3>})",
    "an object as a default that is changed": ("class A: w = 9\na = A()\na.w = <3|4>\ndef f(a=a): return a.w\nn = f()"),
    "a default that another name made": "w = <3|4>\ndef f(a=w): return a\nn = f()",
    "a function in a function": "def f(a):\n    def g(b): return a + b\n    return g\nn = f(1)(<2|3>)",
    "a function that calls itself": "def f(a): return 1 if a == 0 else 1 + f(a - 1)\nn = f(<2|3>)",
    "a lambda": "n = (lambda a, *, b=1: a + b)(<2|3>)",
    "partial": "from functools import partial\nn = partial(max, 1)(<3|4>)",
    "partial of partial": (
        "from functools import partial\nn = partial(partial(max, 1), 2)\n"
        "n = 3 if n.func is <max|min> and n.args == (1, 2) else 4"
    ),
    "a guard that raises": "def f(a):\n    if a > 3: raise ValueError\n    return a + <0|1>\nn = f(3)",
    "try": "try: n = <3|4>\nexcept ValueError: n = 9\nfinally: m = 1",
    "with": "with torch.no_grad(): n = <3|4>",
    "a class attribute": "class C:\n    width = <3|4>\nn = C.width",
    "a constant of a class in a method": "class C:\n    w = <3|4>\n    def f(self): return self.w\nn = C().f()",
    "a property": "class C:\n    @property\n    def w(self): return <3|4>\nn = C().w",
    "static and class methods": (
        "class C:\n    @staticmethod\n    def f(a): return a\n    @classmethod\n    def g(cls, a): return cls.f(a)\n"
        "n = C.g(<3|4>)"
    ),
    "inheritance and super()": (
        "class A:\n    def __init__(self, w): self.w = w\nclass B(A):\n"
        "    def __init__(self): super().__init__(<3|4>)\nn = B().w"
    ),
    "a dataclass": (
        "from dataclasses import dataclass, field\n@dataclass\nclass C:\n    a: int\n    w: int = <3|4>\n"
        "    x: list = field(default_factory=list)\nn = C(1).w"
    ),
    "the text of an object": (
        "class C:\n    def __init__(self, w): self.w = w\n    def __str__(self): return f'c{[self.w]}'\n"
        "n = {'c[3]': 3, 'c[4]': 4}[str(C(<3|4>))]"
    ),
    "a switch that is off whatever else is on": "n = 9 if what & False else <3|4>",
    "the mode of a module that is being built": (
        "class C(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.w = <3|4> if self.training else 9\nn = C().w"
    ),
    "the mode that a constructor sets": (
        "class C(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.part = nn.ReLU()\n"
        "        self.eval()\n        self.w = 9 if self.part.training else <3|4>\nn = C().w"
    ),
    "getattr and setattr": (
        "class C: pass\nc = C()\nsetattr(c, 'w', <3|4>)\nn = getattr(c, 'w') if hasattr(c, 'w') else 9"
    ),
    "the shape of a tensor": "x = torch.zeros(2, <3|4>, 5)\nn = x.shape[1] * x.size(0) // 2 * (x.dim() // 3)",
    "a shape taken apart": "a, n, *b = torch.zeros(2, <3|4>, 5).shape",
    "a number of layers": "n = len(nn.Sequential(nn.ReLU(), <nn.ReLU(), |>nn.ReLU()))",
    "a layer's own numbers": "n = nn.Conv2d(5, <3|4>, 1).out_channels",
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str) -> None:
    expect_one_bug(f"{HEAD}{NUMBERS[name]}\nnn.Conv2d(n, 8, 1)(torch.zeros(1, 3, 8, 8))  # CVL102\n")


UNKNOWN = {
    "a name that nobody binds": "n = what",
    "what the user types": "n = int(input())",
    "a library's function": "import numpy\nn = numpy.random.randint(9)",
    "two modules under names that are not known": (
        "m = nn.Sequential()\nm.add_module(what.a, nn.Conv2d(3, 4, 1))\nm.add_module(what.b, nn.Conv2d(4, 4, 1))\n"
        "m(torch.zeros(1, 3, 8, 8))\nn = 3"
    ),
    "an environment": "import os\nn = int(os.environ['N'])",
    "one of two numbers": "n = 4 if torch.cuda.is_available() else 3",
    "a number set in one branch": "n = 3\nif torch.cuda.is_available(): n = 4",
    "a number set in a loop of unknown length": "n = 3\nfor i in what: n = 4",
    "an item at an unknown place": "n = [4, 4][what]",
    "a list that somebody else may change": "x = [4]\nwhat(x)\nn = x[-1]",
    "a default that changes later": "w = 3\ndef f(a=w): return a\nw = 4\nn = f()",
    "an attribute of an unknown base": "class C(what.Base): pass\nn = C().n",
    "a match": "match what:\n    case 1: n = 4\n    case _: n = 3",
    "a global of a function": "n = 4\ndef f():\n    global n\n    n = 3\nf()",
    "a name of the function around": (
        "def f():\n    n = 4\n    def g():\n        nonlocal n\n        n = 3\n    g()\n    return n\nn = f()"
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_values_have_no_findings(name: str) -> None:
    assert findings_in(f"{HEAD}{UNKNOWN[name]}\nnn.Conv2d(n, 8, 1)(torch.zeros(1, 3, 8, 8))\n") == []


# --- names of torch


@pytest.mark.parametrize(
    "text",
    [
        "import torch\ntorch.nn.Conv2d(<3|4>, 8, 1)(torch.zeros(1, 3, 8, 8))",
        "import torch, torch.nn as n\nn.Conv2d(<3|4>, 8, 1)(torch.zeros(1, 3, 8, 8))",
        "import torch as t\nt.nn.Conv2d(<3|4>, 8, 1)(t.zeros(1, 3, 8, 8))",
        "import torch.nn\ntorch.nn.Conv2d(<3|4>, 8, 1)(torch.zeros(1, 3, 8, 8))",
        "from torch import nn as n, zeros\nn.Conv2d(<3|4>, 8, 1)(zeros(1, 3, 8, 8))",
        "from torch.nn import Conv2d as C\nimport torch\nC(<3|4>, 8, 1)(torch.zeros(1, 3, 8, 8))",
        "from torch.nn.modules.conv import Conv2d\nimport torch\nConv2d(<3|4>, 8, 1)(torch.zeros(1, 3, 8, 8))",
        "from torch.nn import *\nfrom torch import *\nConv2d(<3|4>, 8, 1)(zeros(1, 3, 8, 8))",
        "import torch\nC = torch.nn.Conv2d\nC(<3|4>, 8, 1)(torch.zeros(1, 3, 8, 8))",
    ],
)
def test_names_of_torch(text: str) -> None:
    expect_one_bug(f"{text}  # CVL102\n")


def test_other_modules_named_like_torch() -> None:
    text = "import torch\nfrom mine import nn, Conv2d\nnn.Conv2d(4, 8, 1)(torch.zeros(1, 3, 8, 8))\n"
    assert findings_in(f"{text}Conv2d(4, 8, 1)(torch.zeros(1, 3, 8, 8))\n") == []


# --- files of a project


FILES: dict[str, dict[str, str]] = {
    "a module beside": {"net.py": "from sizes import N\n", "sizes.py": "N = <3|4>\n"},
    "a module as a whole": {"net.py": "import sizes as s\nN = s.N\n", "sizes.py": "N = <3|4>\n"},
    "a module in a package": {
        "net.py": "import p.q.sizes\nN = p.q.sizes.N\n",
        "p/__init__.py": "",
        "p/q/__init__.py": "",
        "p/q/sizes.py": "N = <3|4>\n",
    },
    "a relative import": {
        "p/net.py": "from .sizes import N\n",
        "p/__init__.py": "",
        "p/sizes.py": "from ..wide import W as N\n",
        "wide.py": "W = <3|4>\n",
    },
    "a relative import of a module": {
        "p/net.py": "from . import sizes\nN = sizes.N\n",
        "p/__init__.py": "",
        "p/sizes.py": "N = <3|4>\n",
    },
    "what a package passes on": {
        "net.py": "from p import N\n",
        "p/__init__.py": "from .sizes import N\n",
        "p/sizes.py": "N = <3|4>\n",
    },
    "a star": {
        "net.py": "from p import *\n",
        "p/__init__.py": "from .sizes import *\nM = 1\n",
        "p/sizes.py": "N = <3|4>\n",
    },
    "below src": {"tests/net.py": "from p.sizes import N\n", "src/p/sizes.py": "N = <3|4>\n"},
    "an import in a function": {
        "net.py": "def f():\n    from sizes import N\n    return N\nN = f()\n",
        "sizes.py": "N = <3|4>\n",
    },
    "an import that may fail": {
        "net.py": "try:\n    from sizes import N\nexcept ImportError:\n    N = 9\n",
        "sizes.py": "N = <3|4>\n",
    },
    "a function of another file": {
        "net.py": "from sizes import make\nN = make(1)\n",
        "sizes.py": "STEP = <2|3>\ndef make(n): return n + STEP\n",
    },
    "files that import each other": {
        "net.py": "M = <3|4>\nfrom sizes import f\nN = f()\n",
        "sizes.py": "import net\ndef f(): return net.M\n",
    },
}


def findings_in_files(files: Mapping[str, str], folder: Path) -> list[tuple[str, int]]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    name = next(iter(files))
    return findings_in(files[name], str(folder / name), Project(str(folder)))


@pytest.mark.parametrize("name", FILES)
def test_files_of_a_project(name: str, tmp_path: Path) -> None:
    files = dict(FILES[name])
    first = next(iter(files))
    files[first] = f"{HEAD}{files[first]}nn.Conv2d(N, 8, 1)(torch.zeros(1, 3, 8, 8))  # CVL102\n"
    assert findings_in_files({n: right(text) for n, text in files.items()}, tmp_path) == []
    found = findings_in_files({n: wrong(text) for n, text in files.items()}, tmp_path)
    assert found == marked_lines(files[first])
