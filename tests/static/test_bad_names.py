"""Names that only exist at run time, circular imports, and arguments that layers reject: their values
are unknown, and everything else is still checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from convlint.static import Project, check_file
from tests.static.test_bad_input import BUG, HEAD, before_a_bug, check, findings_in, marked_lines

# --- names that are made at run time


DYNAMIC = {
    "computed attributes": (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        for i in range(3): setattr(self, f'conv{i}', nn.Conv2d(3, 3, 1))\n"
        "    def forward(self, x):\n"
        "        for i in range(3): x = getattr(self, f'conv{i}')(x)\n"
        "        return getattr(self, input())(x)\n"
        "Net()(torch.randn(1, 3, 8, 8))"
    ),
    "attributes of unknown names": (
        "class Net(nn.Module):\n    def __init__(self, names):\n        super().__init__()\n"
        "        for name in names: setattr(self, name, nn.Conv2d(3, 8, 1))\n"
        "    def forward(self, x): return self.conv(x)\n"
    ),
    "__getattr__": (
        "class Net(nn.Module):\n    def __getattr__(self, name): return nn.ReLU()\n"
        "    def forward(self, x): return self.anything(x)\n"
        "Net()(torch.randn(1, 3, 8, 8))"
    ),
    "__class__": "x = nn.ReLU()\nx.__class__ = nn.Conv2d\nx.__class__.__name__ = 3\nx.__dict__['a'] = 1",
    "exec and eval": "exec('x = 1')\ny = eval('nn.Conv2d(9, 9, 9)')\ny(x)\ncompile('x', 'y', 'exec')",
    "globals and locals": "globals()['x'] = 1\nlocals()['y'] = 2\nvars()['z'] = 3\nx, y, z, globals()",
    "deleted names": "x = 1\ndel x\nx\ndel x, y.z, w[0]",
    "a module by its name": "__import__('torch').nn.Conv2d(3, 8, 3)\nimport importlib\n"
    "importlib.import_module('torch')",
    "type()": "Net = type('Net', (nn.Module,), {'forward': lambda self, x: x})\nNet()(torch.ones(3))",
    "types.new_class": "import types\nNet = types.new_class('Net', (nn.Module,))\nNet()",
    "a metaclass": (
        "class Meta(type):\n    def __call__(cls, *args): return 1\n"
        "class Net(nn.Module, metaclass=Meta): pass\nNet()(torch.ones(3))"
    ),
    "keywords of a class": "class Net(nn.Module, flag=True, **{}): pass\nNet()",
    "bases that are computed": "class Net(*[nn.Module], f(), nn.__dict__['Conv2d']): pass\nNet()",
    "lambdas as modules": "f = lambda c, d=nn.ReLU(): nn.Sequential(nn.Conv2d(c, c, 1), d)\nf(3)(x)",
    "a dict of classes": (
        "zoo = {'a': nn.Conv2d, 'b': lambda *a: None, **other}\nzoo[name](3, 8, 3)\nzoo['a'](3, 8, 3)"
    ),
    "decorators of every sort": (
        "import functools\n@functools.wraps(f)\n@a.b.c\n@a[0]\n@(lambda f: f)\n@a or b\n@1\n"
        "@torch.no_grad()\n@staticmethod\n@property\ndef f(self, x): return x\nf(1)\n"
        "@a\n@b(1)\n@functools.total_ordering\n@functools.lru_cache(maxsize=None)\n"
        "class Net(nn.Module):\n    @property\n    def p(self): return 1\n"
        "    @p.setter\n    def p(self, v): pass\n    @classmethod\n    @staticmethod\n"
        "    def q(*a): pass\n    @functools.cached_property\n    def r(self): return self.p\n"
        "    @unknown\n    def forward(self, x): return self.q(self.r, self.p)\n"
        "net = Net()\nnet.p = 3\nnet(torch.ones(3))"
    ),
    "slots and descriptors": (
        "class D:\n    __slots__ = ('a',)\n    def __get__(self, *a): return 1\n"
        "    def __set_name__(self, *a): pass\n"
        "class Net(nn.Module):\n    d = D()\n    def forward(self, x): return self.d + x\n"
    ),
    "operators of its own": (
        "class V:\n    def __add__(self, other): return self\n    __radd__ = __call__ = __add__\n"
        "V() + V() + 1\n1 + V()\nV()(1)[2].x @ V()\n-V()\nnot V()\nV() < V()\nV() in V()"
    ),
    "generators and coroutines": (
        "def g():\n    x = yield nn.Conv2d(3, 8, 3)\n    yield from g()\n"
        "async def h(): return [x async for x in await g()]\n"
        "nn.Sequential(*g())\nnext(g())\nfor m in g(): m(x)\nasync def i():\n"
        "    async with g() as x: pass\n    async for x in g(): pass"
    ),
    "every statement": (
        "global x\nassert x, y\npass\nraise_ = 1\nx: int\ny: int = 1\nx += 1\nx[0] += 1\nx.y += 1\n"
        "with a as (b, *c), d: pass\ntry: pass\nexcept* ValueError: pass\ntry: raise E from None\n"
        "except (A, B) as e: pass\nelse: pass\nfinally: pass\nfor x, (y, *z) in w: break\n"
        "else: pass\nwhile x: continue\nelse: pass\nmatch x:\n    case [1, *y] if y: pass\n"
        "    case {'a': 1, **z} | C(d=2): pass\n    case _: pass\n"
        "a = b = (c, [d, *e]) = f\n(x := 3)\n*x, y = 1, 2\n() = []\nx[1:2, ..., ::3]\nlambda *a, b=1, **c: a"
    ),
    "names of others": "ſ = nn.Conv2d\ns(3, 8, 3)\nß = 1\n变量 = ß\nclass Ñ(nn.Module): pass\nÑ()",  # noqa: RUF001 - the long s is an s to Python
    "shadowed names": "len = range = int = 3\nlen(x), range(3), int('1')\nsuper = None\nlist = dict",
}


@pytest.mark.parametrize("name", DYNAMIC)
def test_names_that_are_made_at_run_time(name: str) -> None:
    text = before_a_bug(DYNAMIC[name])
    assert findings_in(text) == marked_lines(text)


def test_a_shadowed_name_is_unknown() -> None:
    assert findings_in(f"{HEAD}nn = something()\nnn.Conv2d(3, 8, 3, groups=2)\n") == []


# --- imports that go round


def findings_in_files(files: Mapping[str, str], folder: Path) -> list[tuple[str, str, int]]:
    """The findings in the first of several files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    first = next(iter(files))
    found = check_file(str(folder / first), files[first].encode(), Project(str(folder)))
    assert found.problems == ()
    sites = [(f.code, f.site) for f in found.findings if f.site and f.code != "CVL902"]
    return [(code, Path(site.path).name, site.line) for code, site in sites]


LINK = "from torch import nn\nfrom {0} import {1}\nclass {2}({1}): pass\n{2}()\n"
ROUND: dict[str, dict[str, str]] = {
    "two files import each other": {"a.py": "from b import *\n", "b.py": "from a import *\n"},
    "a file imports itself": {"a.py": "import a\nfrom a import *\nfrom a import x, y as z\na.a.a.x\n"},
    "two classes inherit from each other": {"a.py": LINK.format("b", "B", "A"), "b.py": LINK.format("a", "A", "B")},
    "three packages": {
        "p/a.py": "from .b import x\nfrom . import *\n",
        "p/b.py": "from ..q import x\nfrom .a import y\n",
        "p/__init__.py": "from .a import *\nfrom .b import *\nfrom p import p\n",
        "q.py": "from p.a import x\nimport p.b as x\n",
    },
    "beyond the top": {"a.py": f"from {'.' * 50} import x\nfrom {'.' * 50}x import y\nfrom . import a\n"},
    "of nothing": {"a.py": "import no.such.thing as x\nfrom no.such import *\nfrom .no import y\nx.y(y)\n"},
    "of a file that does not parse": {"a.py": "from b import x, Net\nNet(x)\n", "b.py": "def f(:\n"},
    "of a file that is too deep": {"a.py": "from b import x\n", "b.py": f"x = {'-' * 9000}1\n"},
    "of a file that is no text": {"a.py": "from b import x\nfrom c import *\n", "b.py": "\0", "c.py": "é"},
    "of a folder": {"a.py": "import b\nfrom b import c\nb.c.d(c)\n", "b/readme": ""},
}


@pytest.mark.parametrize("name", ROUND)
def test_circular_imports(name: str, tmp_path: Path) -> None:
    files = dict(ROUND[name])
    first = next(iter(files))
    files[first] = before_a_bug(files[first])
    line = files[first].count("\n")
    assert findings_in_files(files, tmp_path) == [("CVL101", Path(first).name, line)]


def test_a_file_that_imports_itself_from_a_pipe(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "loop.py").symlink_to("loop.py")
    text = before_a_bug("import pipe\nfrom pipe import x\nimport loop\n")
    assert [code for code, *_ in findings_in_files({"a.py": text}, tmp_path)] == ["CVL101"]


# --- arguments that no layer takes


ODD = ("", "0", "-1", "1.5", "'a'", "None", "()", "(1,)", "((1, 2), 3)", "{}", "x", "...", "1j", "10**18", "nn")
LAYERS = (
    *("Conv2d(3, 8, {})", "Conv2d({}, 8, 3)", "Conv2d(3, {}, 3)", "Conv2d(3, 8, 3, {})"),
    *("Conv2d(3, 8, 3, 1, {})", "Conv2d(3, 8, 3, dilation={})", "Conv2d(3, 8, 3, groups={})"),
    *("Conv2d(3, 8, 1, padding={})", "Conv2d(3, 8, 3, padding_mode={})", "Conv2d(3, 8, 3, bias={})"),
    *("Conv1d(3, 8, {})", "Conv3d(3, 8, {})", "ConvTranspose2d(3, 8, {})", "Conv2d({})", "Conv2d(*{})"),
    *("ConvTranspose2d(3, 8, 3, output_padding={})", "ConvTranspose2d(3, 8, 3, groups={})"),
    *("BatchNorm2d({})", "InstanceNorm2d({})", "GroupNorm({}, 3)", "GroupNorm(3, {})", "LayerNorm({})"),
    *("Linear({}, 8)", "Linear(8, {})", "Embedding({}, 3)", "PReLU({})", "LSTM({}, 8)", "Softmax({})"),
    *("MaxPool2d({})", "MaxPool2d(2, {})", "MaxPool2d(2, 2, {})", "AvgPool2d({})", "LPPool2d({}, 2)"),
    *("AdaptiveAvgPool2d({})", "Upsample({})", "Upsample(scale_factor={})", "PixelShuffle({})"),
    *("PixelUnshuffle({})", "ChannelShuffle({})", "ZeroPad2d({})", "ReflectionPad2d({})", "Unfold({})"),
    *("Flatten({})", "Unflatten(1, {})", "Unflatten({}, (1, 3))", "Fold({}, 3)", "GLU({})"),
    *("MultiheadAttention(8, {})", "Sequential({})", "ModuleList({})", "ModuleDict({})", "Identity({})"),
)


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_arguments_that_layers_reject(layer: str) -> None:
    built = [layer.format(odd) for odd in ODD if odd or layer.endswith("d({})")]
    text = HEAD + "".join(
        f"class Net{n}(nn.Module):\n    def __init__(self, x):\n        super().__init__()\n"
        f"        self.a = nn.Conv2d(3, x, 3)\n        self.b = nn.{one}\n\n"
        f"    def forward(self, x):\n        return self.b(self.b(self.a(x)))\n\n\n"
        f"nn.{one}(torch.randn(1, 3, 8, 8))\nnn.{one}(torch.randn({shape}))\n"
        for n, (one, shape) in enumerate(product(built, ("8", "0, 0, 0, 0", "2, 3, 4, 5, 6, 7")))
    )
    codes = {code for code, _ in findings_in(text + BUG)}
    assert "CVL101" in codes
    assert "CVL901" not in codes


CALLS = (
    *("x.view({})", "x.reshape({})", "x.permute({})", "x.transpose({0}, {0})", "x.flatten({})"),
    *("x[{}]", "x[{0}:{0}]", "x[..., {}]", "x.unsqueeze({})", "x.squeeze({})", "x.repeat({})"),
    *("x.expand({})", "x.split({})", "x.split(1, {})", "x.chunk({})", "x.unbind({})", "x.sum({})"),
    *("x.mean({}, keepdim=True)", "x.max({})", "x.size({})", "x.shape[{}]", "x.narrow(1, 0, {})"),
    *("torch.cat({})", "torch.cat([x, x], {})", "torch.stack([x], {})", "torch.zeros({})"),
    *("torch.arange({})", "torch.einsum({}, x)", "torch.meshgrid({})", "torch.where({}, x, x)"),
    *("F.pad(x, {})", "F.pad(x, (1, 1), {})", "F.interpolate(x, {})", "F.interpolate(x, None, {})"),
    *("F.conv2d(x, {})", "F.conv2d(x, x, groups={})", "F.conv2d(x, x, None, {})", "F.linear(x, {})"),
    *("F.max_pool2d(x, {})", "F.avg_pool2d(x, {})", "F.adaptive_avg_pool2d(x, {})", "F.unfold(x, {})"),
    *("F.group_norm(x, {})", "F.layer_norm(x, {})", "F.pixel_shuffle(x, {})", "F.softmax(x, {})"),
    *("x + {}", "{} * x", "x @ {}", "x ** {}", "x({})", "x.bogus({})", "len(x, {})", "x.to({})"),
    *("range({})", "zip({}, x)", "int({})", "sum({})", "max({})", "list({})", "isinstance(x, {})"),
    *("super({})", "getattr(x, {})", "setattr(x, {}, 1)", "enumerate({})", "sorted({})", "type({})"),
)


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_arguments_that_operations_reject(call: str) -> None:
    given = [odd for odd in ODD if odd]
    lines = "".join(f"        y = {call.format(odd)}\n        self.a(y)\n" for odd in given)
    text = (
        f"{HEAD}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.a = nn.Conv2d(3, 8, 3)\n\n    def forward(self, x):\n{lines}\n"
        f"Net()(torch.randn(1, 3, 8, 8))\n"
    )
    assert not check(text).problems
    assert "CVL901" not in {code for code, _ in findings_in(text)}
