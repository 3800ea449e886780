"""Calls of libraries and choices of modules through which shapes are followed."""

from __future__ import annotations

import pytest

from convlint.source_text.texts import SourceTexts
from convlint.static import Project, check_file

NET = """\
import functools
import itertools
import re
import torch
from collections import deque
from dataclasses import dataclass
from einops import einsum, rearrange, reduce, repeat
from einops.layers.torch import Rearrange
from fractions import Fraction
from mmcv.cnn import ConvModule, build_conv_layer
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub
from torch.utils.checkpoint import checkpoint_sequential
from elsewhere import flag


@dataclass
class Spec:
    width: int
    kernel: int


def block(width):
    yield nn.Conv2d(width, width, 1)
    yield nn.ReLU()


def blocks(width, number):
    for _ in range(number):
        yield from block(width)


class Net(nn.Module):
    def __init__(self, width=None):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        {built}
        self.head = nn.Conv2d({channels}, 8, 1)

    def forward(self, x):
        x = self.stem(x)
        {forward}
        return self.head(x)
"""
FOLLOWED = {
    "checkpoints of a sequence": (
        "self.blocks = nn.Sequential(nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1))",
        "x = checkpoint_sequential(self.blocks, 2, x)",
    ),
    "stubs of quantization": ("self.a, self.b = QuantStub(), DeQuantStub()", "x = self.b(self.a(x))"),
    "sums so far": ("a, b = itertools.accumulate((6, 10)); self.conv = nn.Conv2d(b, 10 + a, 1)", "x = self.conv(x)"),
    "an annotated tensor": ("pass", "x = torch.jit.annotate(torch.Tensor, x)"),
    "pairs of widths": (
        "self.blocks = nn.Sequential(*[nn.Conv2d(a, b, 1) for a, b in itertools.pairwise((16, 8, 16))])",
        "x = self.blocks(x)",
    ),
    "blocks that a generator yields": ("self.blocks = nn.Sequential(*blocks(16, 2))", "x = self.blocks(x)"),
    "a repeated number": ("self.conv = nn.Conv2d(16, *itertools.repeat(16, 1), 1)", "x = self.conv(x)"),
    "rows of unequal columns": (
        (
            "rows = itertools.zip_longest((16, 16), (1,), fillvalue=3); "
            "self.blocks = nn.Sequential(*itertools.starmap(lambda c, k: nn.Conv2d(c, c, k, 1, k // 2), rows))"
        ),
        "x = self.blocks(x)",
    ),
    "an iterator without an end": (
        (
            "kinds = itertools.cycle([nn.ReLU, nn.GELU]); "
            "self.blocks = nn.Sequential(*[k() for k, _ in zip(kinds, itertools.islice(itertools.count(), 3))])"
        ),
        "x = self.blocks(x)",
    ),
    "a fold": (
        "self.blocks = functools.reduce(nn.Sequential, [nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1)])",
        "x = self.blocks(x)",
    ),
    "sorted by a key": (
        "self.conv = nn.Conv2d(16, sorted({'a': 16, 'b': 8}.items(), key=lambda item: item[1])[-1][1], 1)",
        "x = self.conv(x)",
    ),
    "the largest by a key": (
        "self.conv = nn.Conv2d(16, max([('a', 16), ('b', 8)], key=lambda item: item[1])[1], 1)",
        "x = self.conv(x)",
    ),
    "a quotient and a remainder": ("q, r = divmod(35, 2); self.conv = nn.Conv2d(16, q - r, 1)", "x = self.conv(x)"),
    "two ends of a list": ("self.conv = nn.Conv2d(16, deque([16, 8]).popleft(), 1)", "x = self.conv(x)"),
    "a number in a text": (
        "self.conv = nn.Conv2d(16, int(re.match(r'k(\\d+)_c(\\d+)', 'k3_c16').group(2)), 1)",
        "x = self.conv(x)",
    ),
    "rearranged axes": ("pass", "x = rearrange(rearrange(x, 'b c h w -> b (h w) c'), 'b (h w) c -> b c h w', h=8)"),
    "axes that an ellipsis merges": (
        "pass",
        "x = rearrange(rearrange(x, 'b c ... -> b c (...)'), 'b c (h w) -> b c h w', h=8)",
    ),
    "a layer that rearranges": (
        "self.mix = nn.Sequential(Rearrange('b c h w -> b h w c'), nn.Linear(16, 16), Rearrange('b h w c -> b c h w'))",
        "x = self.mix(x)",
    ),
    "space to depth": (
        "self.conv = nn.Conv2d(64, 16, 1)",
        "x = self.conv(rearrange(x, 'b c (h p) (w q) -> b (c p q) h w', p=2, q=2))",
    ),
    "a reduced and repeated tensor": (
        "pass",
        (
            "y = repeat(reduce(x, 'b c h w -> b 1 1 1', 'mean'), 'b 1 1 1 -> b c h w', c=8, h=8, w=8); "
            "x = torch.cat([x[:, :8], y], 1)"
        ),
    ),
    "einops' einsum": (
        "self.weight = nn.Parameter(torch.ones(16, 16))",
        "x = einsum(x, self.weight, 'b inner h w, inner outer -> b outer h w')",
    ),
    "mmcv's convolution": ("self.conv = ConvModule(16, 16, 3, padding=1, norm_cfg={'type': 'BN'})", "x = self.conv(x)"),
    "mmcv's builder": ("self.conv = build_conv_layer({'type': 'Conv2d'}, 16, 16, 1)", "x = self.conv(x)"),
    "a fraction": ("self.conv = nn.Conv2d(16, int(Fraction(2, 3) * 24), 1)", "x = self.conv(x)"),
    "a width or the default": ("self.conv = nn.Conv2d(16, width or 16, 1)", "x = self.conv(x)"),
    "the class of a value": (
        (
            "match (8, 'c16'):\n"
            "            case int(), str(text):\n                self.conv = nn.Conv2d(16, int(text[1:]), 1)"
        ),
        "x = self.conv(x)",
    ),
    "the keys of a dict": (
        (
            "match {'kind': 'conv', 'width': 16}:\n            case {'kind': 'pool'}:\n                pass\n"
            "            case {'kind': 'conv', **rest}:\n                self.conv = nn.Conv2d(16, rest['width'], 1)"
        ),
        "x = self.conv(x)",
    ),
    "the fields of a data class": (
        (
            "match Spec(16, 3):\n"
            "            case Spec(width, kernel=1):\n                self.conv = nn.Conv2d(16, 8, 1)\n"
            "            case Spec(width):\n                self.conv = nn.Conv2d(16, width, 1)"
        ),
        "x = self.conv(x)",
    ),
    "the rest of a list": (
        (
            "match [16, 8, 4]:\n"
            "            case [first, *_] if first > 8:\n                self.conv = nn.Conv2d(16, first, 1)"
        ),
        "x = self.conv(x)",
    ),
    "a width and none": ("self.conv = nn.Conv2d(3, 0, 1) if width and 0 else nn.Conv2d(16, 16, 1)", "x = self.conv(x)"),
    "layers added to a list of them": (
        "self.layers = nn.ModuleList()\n        self.layers += [nn.Conv2d(16, 16, 1)]",
        "for layer in self.layers:\n            x = layer(x)",
    ),
    "a layer put first": (
        "self.layers = nn.ModuleList([nn.Conv2d(8, 16, 1)]).insert(0, nn.Conv2d(16, 8, 1))",
        "for layer in self.layers:\n            x = layer(x)",
    ),
    "an activation that may be left out": ("self.act = nn.ReLU() if flag() else nn.Identity()", "x = self.act(x)"),
    "a norm that only one branch has": (
        "self.normalize = flag()\n        if self.normalize:\n            self.norm = nn.BatchNorm2d(16)",
        "if self.normalize:\n            x = self.norm(x)",
    ),
    "two ways to the same shape": (
        "self.a, self.b = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 3, padding=1)",
        "if flag():\n            x = self.a(x)\n        else:\n            x = self.b(x)",
    ),
}
UNDECIDED = {
    "two widths": (
        "self.conv = nn.Conv2d(16, 16, 1)\n        if flag():\n            self.conv = nn.Conv2d(16, 24, 1)",
        "x = self.conv(x)",
    ),
    "an alternative for another input": (
        "self.conv = nn.Conv2d(24, 16, 1) if flag() else nn.Conv2d(16, 24, 1)",
        "x = self.conv(x)",
    ),
}


def errors(built: str, channels: int, forward: str) -> list[str]:
    """Return the codes of the errors of a net, whose head gets ``channels``."""
    data = NET.format(built=built, channels=channels, forward=forward).encode()
    checked = check_file("net.py", data, Project(".", (), SourceTexts({"net.py": data})))
    return [finding.code for finding in checked.findings if finding.severity == "error"]


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_width_behind_it_is_known(name: str) -> None:
    built, forward = FOLLOWED[name]
    assert errors(built, 16, forward) == []
    assert errors(built, 24, forward) == ["CVL102"]


@pytest.mark.parametrize("name", UNDECIDED)
@pytest.mark.parametrize("channels", [16, 24, 32])
def test_a_width_that_is_not_decided_is_no_error(name: str, channels: int) -> None:
    built, forward = UNDECIDED[name]
    assert errors(built, channels, forward) == []


READ_BEFORE = {
    "the batch": "n = x.shape[0]",
    "the batch by a method": "n = x.size(0)",
    "the batch of all sizes": "n = x.size()[0]",
    "the length": "n = len(x)",
    "the first of two": "n, _ = x.shape[:2]",
}
SAMPLES = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.head = nn.Linear({features}, 8)

    def forward(self, x):
        {read}
        x = self.pool(self.stem(x))
        return self.head(x.view(n, -1))
"""


@pytest.mark.parametrize("read", READ_BEFORE.values(), ids=READ_BEFORE)
@pytest.mark.parametrize(("features", "wanted"), [(64, []), (16, ["CVL108"])])
def test_the_batch_may_be_read_before_the_first_layer(read: str, features: int, wanted: list[str]) -> None:
    data = SAMPLES.format(read=read, features=features).encode()
    checked = check_file("net.py", data, Project(".", (), SourceTexts({"net.py": data})))
    assert [finding.code for finding in checked.findings] == wanted


NAMED = """
from torch import nn


class {name}(nn.Module):
    def __init__(self, items):
        super().__init__()
        self.first = nn.Conv2d(3, len(items), 3)
        self.last = nn.Conv2d(7, 2, 1)

    def forward(self, x):
        return self.last(self.first(x))


def make():
    return {name}({items})
"""


@pytest.mark.parametrize("name", ["Net", "NET", "N"])
@pytest.mark.parametrize(("items", "wanted"), [("'abc'", ["CVL102"]), ("'abcdefg'", [])])
def test_a_model_that_a_function_builds_is_called_whatever_its_name(name: str, items: str, wanted: list[str]) -> None:
    data = NAMED.format(name=name, items=items).encode()
    checked = check_file("net.py", data, Project(".", (), SourceTexts({"net.py": data})))
    assert [finding.code for finding in checked.findings] == wanted
