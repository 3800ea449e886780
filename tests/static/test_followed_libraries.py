"""Libraries in static analysis: small programs that compute a number ``n`` with them, as Python itself does."""

from __future__ import annotations

import pytest

from tests.static.test_python import HEAD, expect_one_bug, findings_in, right

NUMBERS = {
    "numpy rounds up": "import numpy as np\nn = int(np.ceil(<2.1|3.1>))",
    "numpy rounds down and to even": "import numpy as np\nn = int(np.floor(<2.9|3.9>) + np.round(0.6))",
    "numpy's logarithm": "import numpy as np\nn = int(np.log2(<8|16>))",
    "numpy's root of a square": "import numpy\nn = int(numpy.sqrt(numpy.square(<3|4>)))",
    "numpy's product and sum": "import numpy as np\nn = int(np.prod((2, 3))) - int(np.sum([1, <2|1>]))",
    "numpy's sum of sums": "import numpy as np\nn = int(np.sum([[1], [1, <1|2>][:1], [<1|2>]]))",
    "numpy's extremes": "import numpy as np\nn = int(np.maximum(1, <3|4>)) + np.minimum(0, 5) + np.max([0, -1])",
    "numpy clips": "import numpy as np\nn = int(np.clip(<3|7>, 1, 5))",
    "an array of widths": "import numpy as np\nn = int(np.linspace(1, <5|7>, 3).astype(int)[1])",
    "arithmetic of arrays": "import numpy as np\nwidths = (np.array([2, <4|6>]) * 2 - 2) // 2\nn = int(widths[1])",
    "a fraction as a float": "from fractions import Fraction\nn = int(float(<3|4> * Fraction(2, 2)))",
    "a running sum": "import numpy as np\nn = int(np.cumsum([1, <2|3>, 4])[1])",
    "an array as a list": "import numpy as np\nn = np.arange(<4|5>).tolist()[-1]",
    "distinct numbers and their counts": (
        "import numpy as np\nv, c = np.unique([1, <2|1>, 2, 2], return_counts=True)\nn = int(c[-1])"
    ),
    "numbers with equal ratios": "import numpy as np\nn = int(np.geomspace(<1|4>, 9, 3)[1].astype(int))",
    "powers": "import numpy as np\nn = int(np.logspace(0, <2|3>, 2, base=2).round().astype(int)[1]) - 1",
    "the order of numbers": "import numpy as np\nn = int(np.argsort([5, 1, <0|9>])[0] + np.sort([1, 9])[0])",
    "arrays joined and repeated": "import numpy as np\nn = int(np.concatenate([np.ones(2, int), [<1|2>]]).sum())",
    "the length of an array": "import numpy as np\nn = np.zeros(<3|4>).size * np.repeat(1, 2)[0]",
    "numpy's types": "import numpy as np\nn = int(np.int64(<3|4>)) * int(np.float32(1.0))",
    "math's numbers": "import math\nn = int(math.hypot(3, 4)) - math.isqrt(<4|5 * 5>) + int(math.pi) - 3",
    "math counts": "import math\nn = math.comb(<3|4>, 1) * math.lcm(1, 1)",
    "an option's default": (
        "import argparse\np = argparse.ArgumentParser()\n"
        "p.add_argument('--base-width', '-w', type=int, default=<3|4>)\nn = p.parse_args([]).base_width"
    ),
    "an option's text": (
        "from argparse import ArgumentParser\np = ArgumentParser('net')\n"
        "p.add_argument('-w', type=int, default='<3|4>')\nn = p.parse_args([]).w"
    ),
    "flags": (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--deep', action='store_true')\n"
        "p.add_argument('--wide', action='store_false')\na = p.parse_args([])\nn = (9 if a.deep else 2) + <a.wide|2>"
    ),
    "an option in a group": (
        "import argparse\np = argparse.ArgumentParser()\ng = p.add_argument_group('model')\n"
        "g.add_argument('--widths', nargs='+', type=int, default=[1, <3|4>])\nn = p.parse_args([]).widths[1]"
    ),
    "defaults that are set": (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--w', type=int)\n"
        "p.set_defaults(w=<3|4>)\nargs, rest = p.parse_known_args([])\nn = vars(args)['w']"
    ),
    "a command line in the program": (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--w', type=int, default=9)\n"
        "p.add_argument('--deep', action='store_true')\na = p.parse_args(['--deep', '--w', '<3|4>'])\n"
        "n = a.w if a.deep else 9"
    ),
    "an option of a command": (
        "import argparse\np = argparse.ArgumentParser()\ns = p.add_subparsers(dest='command')\n"
        "t = s.add_parser('train')\nt.add_argument('--w', type=int, default=<3|4>)\nt.set_defaults(run=max)\n"
        "a = p.parse_args(['train'])\nn = a.run(a.w, 1) if a.command == 'train' else 9"
    ),
    "two options of a name": (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--w', dest='w', default=<3|4>)\n"
        "p.add_argument('--wide', dest='w', action='store_const', const=9)\nn = p.parse_args([]).w"
    ),
    "a parser's parent": (
        "import argparse\nbase = argparse.ArgumentParser(add_help=False)\nbase.add_argument('--w', default=<3|4>)\n"
        "p = argparse.ArgumentParser(parents=[base])\nn = p.parse_args([]).w"
    ),
    "models in a model": (
        "import pydantic\nclass B(pydantic.BaseModel):\n    w: int = 9\nclass C(pydantic.BaseModel):\n    b: B\n"
        "    bs: list[B] = []\nc = C(b={'w': 1}, bs=[{'w': <2|3>}])\nn = c.b.w + c.bs[0].w"
    ),
    "a validator": (
        "import pydantic\nclass C(pydantic.BaseModel):\n    w: int\n    @pydantic.field_validator('w')\n"
        "    @classmethod\n    def f(cls, v): return v + 1\nn = C(w=<2|3>).w"
    ),
    "a validator of a model": (
        "import pydantic\nclass C(pydantic.BaseModel):\n    w: int\n    v: int = 0\n"
        "    @pydantic.model_validator(mode='after')\n    def f(self):\n        self.v = self.w + 1\n"
        "        return self\nn = C(w=<2|3>).v"
    ),
    "a number in a text": "w = <3|4>\nn = len(f'{w:03d}') * int(f'{w}') // 3",
    "the parts of a path": (
        "from pathlib import Path\np = Path('a') / f'layer{<3|4>}.yaml'\nn = int(p.with_suffix('').name[-1])"
    ),
    "the fields of a record": (
        "from dataclasses import dataclass, fields\n@dataclass\nclass C:\n    w: int = <2|3>\n    v: int = 0\n"
        "n = C().w + sum(1 for f in fields(C) if f.name == 'w')"
    ),
    "the members of an enumeration": (
        "from enum import IntEnum\nclass W(IntEnum):\n    A = 1\n    B = <2|3>\n"
        "n = W['B'] + sum(1 for w in W if w == W.A)"
    ),
    "the parameters of a function": (
        "import inspect\ndef f(a, b=1): pass\nn = len(inspect.signature(f).parameters) + <1|2>"
    ),
    "a method of an object": (
        "import types\nclass A: w = <3|4>\na = A()\na.get = types.MethodType(lambda self: self.w, a)\nn = a.get()"
    ),
    "the classes of values": (
        "from collections.abc import Callable, Hashable, Mapping, Sequence\nn = <3|4> if isinstance({}, Mapping) "
        "and not isinstance({}, Sequence) and isinstance('a', Hashable) and isinstance(len, Callable) else 9"
    ),
    "what the methods of a class make it": (
        "from collections.abc import Collection, Iterable, Sized\nfrom torch import nn\nclass A(nn.Module): pass\n"
        "class B:\n    def __iter__(self): return iter(())\n    def __len__(self): return 0\n"
        "n = <3|4> if not isinstance(A(), Iterable) and isinstance(B(), Iterable) and isinstance(B(), Sized) "
        "and not isinstance(B(), Collection) else 9"
    ),
    "a factory": (
        "class Factory:\n    def __init__(self): self.made = {}\n    def add(self, k, f): self.made[k] = f\n"
        "    def of(self, k):\n        def keep(f):\n            self.add(k, f)\n            return f\n"
        "        return keep\n    def __getitem__(self, a): return self.made[a[0]](*a[1:])\nF = Factory()\n"
        "@F.of('a')\ndef f(w): return w\nF.add('b', lambda: 1)\nn = F['a', <2|3>] + F['b',]"
    ),
    "an item of an array that is set": (
        "import numpy as np\na = np.arange(4)\na[0], a[3] = a[3], <0|1>\nn = int(a[np.argsort(a)][3] + a[3])"
    ),
    "a namespace": "from argparse import Namespace\nargs = Namespace(w=<3|4>)\nn = args.w if 'w' in args else 9",
    "a simple namespace": "from types import SimpleNamespace as S\ncfg = S(model=S(w=<3|4>))\nn = cfg.model.w",
    "a dict whose items are attributes": (
        "class Config(dict):\n    def __getattr__(self, key): return self[key]\n"
        "    __setattr__ = dict.__setitem__\ncfg = Config(a=1)\ncfg.w = <3|4>\nn = cfg.w * cfg['a']"
    ),
    "a dict that is its own namespace": (
        "class Bag(dict):\n    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        self.__dict__ = self\nn = Bag({'a': 1}, w=<3|4>).w"
    ),
    "dict.get for attributes": (
        "class Dot(dict):\n    __getattr__ = dict.get\n    __setattr__ = dict.__setitem__\n"
        "n = Dot(w=<3|4>).w if Dot().w is None else 9"
    ),
    "nested dicts as attributes": (
        "class Attr(dict):\n    def __init__(self, d):\n        for k, v in d.items():\n"
        "            self[k] = Attr(v) if isinstance(v, dict) else v\n    def __getattr__(self, k):\n"
        "        try:\n            return self[k]\n        except KeyError:\n            raise AttributeError(k)\n"
        "n = Attr({'model': {'w': <3|4>}}).model.w"
    ),
    "an object that is indexed": (
        "class C:\n    def __init__(self, **kw): self.__dict__.update(kw)\n"
        "    def __getitem__(self, k): return getattr(self, k)\n    def __len__(self): return 1\n"
        "    def __contains__(self, k): return hasattr(self, k)\nc = C(w=<3|4>)\nn = c['w'] * len(c) if 'w' in c else 9"
    ),
    "a dict with keyword arguments": (
        "class Config(dict): pass\ndef f(w, **rest): return w\nn = f(**Config(w=<3|4>, a=1))"
    ),
    "eval of a name": "w = <3|4>\nn = eval('w')",
    "a name of the module": "w = <3|4>\nn = globals()['w']",
    "a module by its name": "import importlib\nn = getattr(importlib.import_module('math'), 'floor')(<3|4> + 0.5)",
    "the names of a function": "def f(w): return locals()['w']\nn = f(<3|4>)",
    "a filter": "n = list(filter(lambda a: a > 1, [1, <3|4>]))[0]",
    "dicts joined": "n = ({'a': 1} | {'b': <3|4>})['b']",
    "the type of an object": "n = <3|4> if type([1]) == list and type(3) in (int, float) else 9",
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str) -> None:
    expect_one_bug(f"{HEAD}{NUMBERS[name]}\nnn.Conv2d(n, 8, 1)(torch.zeros(1, 3, 8, 8))  # CVL102\n")


@pytest.mark.parametrize("name", NUMBERS)
def test_python_computes_the_same(name: str) -> None:
    names: dict[str, object] = {}
    exec(right(NUMBERS[name]), names)  # noqa: S102 - our own text
    assert names["n"] == 3


TRANSFORMERS = {
    "the width of an encoder layer": "nn.TransformerEncoderLayer(<8|16>, 2)(torch.zeros(5, 1, 8))",
    "an encoder": "nn.TransformerEncoder(nn.TransformerEncoderLayer(<8|16>, 2), 2)(torch.zeros(5, 1, 8))",
    "the memory of a decoder": "nn.TransformerDecoderLayer(8, 2)(torch.zeros(5, 1, 8), torch.zeros(4, 1, <8|16>))",
    "a whole transformer": "nn.Transformer(8, 2, 1, 1, 16)(torch.zeros(5, 1, 8), torch.zeros(4, 1, <8|16>))",
    "what a transformer returns": (
        "nn.Linear(<8|16>, 3)(nn.Transformer(8, 2, 1, 1, 16)(torch.zeros(5, 1, 8), torch.zeros(4, 1, 8)))"
    ),
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers(name: str) -> None:
    wrong = TRANSFORMERS[name].replace("<8|16>", "16")
    assert {code for code, _ in findings_in(f"{HEAD}{wrong}\n")} <= {"CVL108", "CVL190"}
    assert findings_in(f"{HEAD}{wrong}\n")
    assert findings_in(f"{HEAD}{right(TRANSFORMERS[name])}\n") == []


UNKNOWN = {
    "an option that has to be given": "p.add_argument('--w', type=int, required=True)\nn = p.parse_args().w",
    "an argument without a default": "p.add_argument('w', type=int)\nn = p.parse_args().w",
    "a command line that is not known": "p.add_argument('--w', default=4)\nn = p.parse_args(what).w",
    "a key that is not known": (
        "class A(dict):\n    def __getattr__(self, k): return self[k]\na = A(w=4)\na[what] = 3\nn = a.w"
    ),
    "attributes of unknown names": "class A: pass\na = A()\na.w = 4\na.__dict__.update(what)\nn = a.w",
    "a random array": "import numpy as np\nn = int(np.random.permutation([4, 5])[0])",
    "an array along an axis": "import numpy as np\nn = np.sum([[4, 4]], axis=0)[0]",
    "eval of what the user types": "n = eval(input())",
    "a name that eval does not find": "n = 4\ntry: n = eval('nearest')\nexcept NameError: n = 3",
    "a module that is not known": "import importlib\nn = importlib.import_module(what).n",
    "globals under an unknown name": "w = 4\nn = globals()[what]",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_not_reported(name: str) -> None:
    head = f"{HEAD}import argparse\np = argparse.ArgumentParser()\n"
    assert findings_in(f"{head}{UNKNOWN[name]}\nnn.Conv2d(n, 8, 1)(torch.zeros(1, 3, 8, 8))\n") == []
