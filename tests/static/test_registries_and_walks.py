"""Modules that are found at run time: registries, walks over modules, dicts of inputs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from convlint.static import Project, check_file
from convlint.static.interpreter.input_mappings import ATTRIBUTES_OF_TENSORS
from tests.static.test_python import HEAD, expect_one_bug, findings_in, wrong

BLOCK = """
{decorator}
class Block(nn.Module):
    def __init__(self, cin):
        super().__init__()
        self.conv = nn.Conv2d(cin, 8, 1)
    def forward(self, x): return self.conv(x)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 1)
        self.block = {build}
    def forward(self, x): return self.block(self.stem(x))
"""
REGISTRIES = {
    "a decorator with a name": (
        "TABLE = {}\ndef register(name):\n    def wrap(cls):\n        TABLE[name] = cls\n        return cls\n    return wrap",
        "@register('block')",
        "TABLE['block'](<6|7>)",
    ),
    "a decorator without arguments": (
        "TABLE = {}\ndef register(cls):\n    TABLE[cls.__name__.lower()] = cls\n    return cls",
        "@register",
        "TABLE.get('block')(<6|7>)",
    ),
    "a class that derived classes announce themselves to": (
        "class Base(nn.Module):\n    table = {}\n    def __init_subclass__(cls, key='', **options):\n"
        "        super().__init_subclass__(**options)\n        Base.table[key or cls.__name__] = cls\n"
        "class Named(Base, key='named'):\n    def __init__(self, cin):\n        super().__init__()\n"
        "        self.conv = nn.Conv2d(cin, 8, 1)\n    def forward(self, x): return self.conv(x)",
        "",
        "Base.table['named'](<6|7>)",
    ),
    "an object with a method": (
        "class Registry:\n    def __init__(self): self.items = {}\n    def register(self, cls):\n"
        "        self.items[cls.__name__] = cls\n        return cls\n"
        "    def build(self, type, **kw): return self.items[type](**kw)\nBLOCKS = Registry()",
        "@BLOCKS.register",
        "BLOCKS.build(**dict(type='Block', cin=<6|7>))",
    ),
    "a dict of its own": (
        "class Registry(dict):\n    def register(self, name):\n        def wrap(cls):\n            self[name] = cls\n"
        "            return cls\n        return wrap\nBLOCKS = Registry()",
        "@BLOCKS.register('b')",
        "BLOCKS['b'](<6|7>)",
    ),
    "two of one statement": (
        "class Registry(dict):\n    def register(self, cls):\n        self[cls.__name__] = cls\n        return cls\n"
        "HEADS, BLOCKS = Registry(), Registry()",
        "@BLOCKS.register",
        "BLOCKS['Block'](<6|7>) if not HEADS else None",
    ),
    "mmengine": (
        "from mmengine import Registry\nMODELS = Registry('models')",
        "@MODELS.register_module()",
        "MODELS.build(dict(type='Block', cin=<6|7>))",
    ),
    "getattr of the module": ("import sys", "", "getattr(sys.modules[__name__], 'Block')(<6|7>)"),
    "globals": ("", "", "globals()['Block'](<6|7>)"),
    "eval": ("", "", "eval('Block')(<6|7>)"),
}


@pytest.mark.parametrize("name", REGISTRIES)
def test_classes_that_are_looked_up(name: str) -> None:
    head, decorator, build = REGISTRIES[name]
    text = f"{HEAD}{head}\n{BLOCK.format(decorator=decorator, build=build)}"
    found = findings_in(wrong(text))
    assert [code for code, _ in found] == ["CVL102"]
    assert findings_in(text.replace("<6|7>", "6")) == []


def test_a_name_that_no_definition_has_is_unknown() -> None:
    head, decorator, _ = REGISTRIES["a decorator with a name"]
    text = f"{HEAD}{head}\n{BLOCK.format(decorator=decorator, build='TABLE[what](7)')}"
    assert findings_in(text) == []


FILES = {
    "reg.py": "TABLE = {}\ndef register(cls):\n    TABLE[cls.__name__] = cls\n    return cls\ndef build(name, *args): return TABLE[name](*args)\n",
    "blocks.py": f"{HEAD}from reg import register\n{BLOCK.split('class Net', maxsplit=1)[0].format(decorator='@register')}",
    "net.py": f"{HEAD}import blocks\nfrom reg import build\nclass Net{BLOCK.split('class Net')[1]}",
}


@pytest.mark.parametrize(("width", "codes"), [(6, []), (7, ["CVL102"])])
def test_definitions_in_other_files(width: int, codes: list[str], tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.replace("{build}", f"build('Block', {width})"))
    for order in (("net.py",), ("reg.py", "net.py"), ("blocks.py", "reg.py", "net.py")):
        project = Project(str(tmp_path))
        for name in order:
            path = str(tmp_path / name)
            found = check_file(path, (tmp_path / name).read_bytes(), project)
        assert [f.code for f in found.findings if f.code.startswith("CVL1")] == codes


WALKS = {
    "the convolutions of a body": "n = [m for m in b.modules() if isinstance(m, nn.Conv2d)][<-1|0>].out_channels - 4",
    "modules with names": "for name, m in b.named_modules():\n    if isinstance(m, nn.Conv2d): n = m.out_channels - <4|3>",
    "children": "n = sum(m.out_channels for m in b.children() if hasattr(m, 'out_channels')) - <10|9>",
    "named children": "n = dict(b.named_children())['<0|2>'].out_channels - 3",
    "parameters": "n = len([p for p in b.parameters()]) - <2|1> + 1",
    "the first parameter": "n = next(b.parameters()).shape[0] - <3|2>",
    "named parameters": "n = dict(b.named_parameters())['2.weight'].shape[1] - <3|2>",
    "buffers": "n = dict(nn.Sequential(nn.BatchNorm2d(<3|4>)).named_buffers())['0.running_mean'].shape[0]",
    "apply": "found = []\nb.apply(lambda m: found.append(m))\nn = found[<0|2>].out_channels - 3",
    "apply of an object": (
        "class Count:\n    n = 0\n    def __call__(self, m):\n        if isinstance(m, nn.Conv2d): self.n += m.out_channels\n"
        "count = Count()\nb.apply(count)\nn = count.n - <10|9>"
    ),
    "a width that a loop sets": (
        "for m in b.modules():\n    if isinstance(m, nn.Conv2d):\n        nn.init.zeros_(m.weight)\n        b.width = m.out_channels\n"
        "n = b.width - <4|3>"
    ),
    "_modules": "b._modules['3'] = nn.Conv2d(7, <3|4>, 1)\nn = b[3].out_channels",
    "items of _modules": "n = [m for k, m in b._modules.items()][<2|0>].out_channels - <4|5>",
    "next of an iterator": "it = iter([9, <3|4>])\na = next(it)\nn = next(it)",
    "next with a default": "n = next((m for m in [] if m), <3|4>)",
}


@pytest.mark.parametrize("name", WALKS)
def test_walks_over_modules(name: str) -> None:
    body = "b = nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.Conv2d(6, 7, 1))\n"
    expect_one_bug(f"{HEAD}{body}{WALKS[name]}\nnn.Conv2d(n, 8, 1)(torch.zeros(1, 3, 8, 8))  # CVL102\n")


INPUTS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.towers = nn.ModuleDict({{k: nn.Conv2d(1, 8, 3) for k in ("rgb", "depth")}})
        self.enc = nn.Conv2d(3, 8, 3)
        self.fuse = nn.Conv2d({width}, 8, 1)
    def forward(self, batch):
        {forward}
"""
FORWARDS = {
    "a comprehension": ("<16|8>", "return self.fuse(torch.cat([self.towers[k](v) for k, v in batch.items()], 1))"),
    "a loop": (
        "<8|16>",
        "y = 0\n        for k in batch.keys():\n            y = y + self.towers[k](batch[k])\n        return self.fuse(y)",
    ),
    "keys that are written": ("<16|8>", "return self.fuse(torch.cat([self.enc(batch['a']), self.enc(batch['b'])], 1))"),
    "attributes": ("<16|8>", "return self.fuse(torch.cat([self.enc(batch.image), self.enc(batch.other)], 1))"),
    "attributes and sizes of them": (
        "<8|16>",
        "h = batch.image.shape[-1]\n        return self.fuse(self.enc(batch.image)[..., :h])",
    ),
    "keys that another line writes": (
        "<16|8>",
        "z = {k: self.enc(v) for k, v in batch.items()}\n        return self.fuse(torch.cat([z['a'], z['b']], dim=1))",
    ),
    "a test for a key": (
        "<16|8>",
        "p = []\n        for k, v in batch.items():\n            if k in self.towers:\n                p.append(self.towers[k](v))\n"
        "        return self.fuse(torch.cat(p, 1))",
    ),
}


def test_what_tensors_have_is_no_attribute_of_an_object() -> None:
    names = {name for name in dir(torch.Tensor) if name[0] != "_" and not callable(getattr(torch.Tensor, name))}
    assert names - ATTRIBUTES_OF_TENSORS == set()


@pytest.mark.parametrize("name", FORWARDS)
def test_inputs_that_are_dicts(name: str) -> None:
    width, forward = FORWARDS[name]
    text = HEAD + INPUTS.format(width=width, forward=forward)
    assert [code for code, _ in findings_in(wrong(text))] == ["CVL102"]
    assert findings_in(text.replace(width, width.strip("<>").split("|")[0])) == []


SILENT = {
    "parts of unknown number": "return self.fuse(torch.cat([self.enc(v) for v in batch.values()], 1))",
    "a list that grows": (
        "p = []\n        for k, v in batch.items():\n            p.append(self.enc(v))\n        return self.fuse(torch.cat(p, 1))"
    ),
    "a tensor or a dict": "x = batch['a'] if isinstance(batch, dict) else batch\n        return self.fuse(x)",
    "a key that is not known": "return self.fuse(batch[self.key])",
}


@pytest.mark.parametrize("name", SILENT)
def test_what_depends_on_the_caller_is_not_reported(name: str) -> None:
    assert findings_in(HEAD + INPUTS.format(width=16, forward=SILENT[name])) == []


GROWING = """
class Stage(nn.Sequential):
    def __init__(self, first=0):
        super().__init__()
        self.first = first
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.Sequential()
        width = 3
        for i in range(3):
            stage = Stage()
            for j in range(2):
                stage.add_module(f"unit{j}", nn.Conv2d(width, width + 1, 1))
                width += 1
            self.stages.add_module(f"stage{i}", stage)
        self.head = nn.Conv2d(<9|8>, 4, 1)
    def forward(self, x): return self.head(self.stages(x))
Net()(torch.randn(1, 3, 8, 8))
"""


def test_modules_of_one_line_that_get_their_layers_later_are_different_modules() -> None:
    text = HEAD + GROWING
    assert [code for code, _ in findings_in(wrong(text))] == ["CVL102"]
    assert findings_in(text.replace("<9|8>", "9")) == []


CUT = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.AvgPool2d(7), nn.Conv2d(8, 9, 1))
        {deletion}
        self.body.append(nn.Conv2d(<8|9>, 4, 1))
    def forward(self, x): return self.body(x)
Net()(torch.randn(1, 3, 5, 5))
"""


@pytest.mark.parametrize(
    "deletion", ["del self.body[-1], self.body[-1]", "del self.body[2:]", "del self.body[2], self.body[2]"]
)
def test_modules_that_are_deleted_are_not_called(deletion: str) -> None:
    text = HEAD + CUT.format(deletion=deletion)
    assert [code for code, _ in findings_in(wrong(text))] == ["CVL102"]
    assert findings_in(text.replace("<8|9>", "8")) == []


def test_a_container_with_a_module_that_is_not_known_returns_any_number_of_tensors() -> None:
    text = """
class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(5, 6, 1)
    def forward(self, x):
        return self.conv(x)
class Body(nn.Sequential):
    def forward(self, x):
        outs = []
        for module in self._modules.values():
            x = module(x)
            if hasattr(module, "tap"):
                outs.append(x)
        return [x] + outs
class Net(nn.Module):
    def __init__(self, backbones):
        super().__init__()
        backbones[0].tap = True
        self.body = Body()
        self.body.add_module("backbone", backbones[0])
        self.body.add_module("last", Last())
    def forward(self, x):
        first, second = self.body(x)
        return second
"""
    assert findings_in(HEAD + text) == []
