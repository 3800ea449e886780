"""Models whose pages are looked at in a browser, and reports of them."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

import convlint
from convlint.ir import Costs, LayerChange, Replacement, Report, Site, Suggestion, Verification
from tests.support.commands import one_worker

NETS = '''\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, c, d):
        super().__init__()
        self.conv = nn.Conv2d(c, d, 3, padding=1, groups=4, bias=False)
        self.norm = nn.BatchNorm2d(d)
        self.short = nn.Conv2d(c, d, 1)

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)) + self.short(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.body = nn.Sequential(Block(16, 32), Block(32, 64))
        self.wide = nn.Conv2d(64, 32, 1, padding=1)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.wide(self.body(self.stem(x))).mean((2, 3)))


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Conv2d(16, 4, 1)

    def forward(self, x):
        return self.head(self.norm(self.stem(x)))


class Stopped(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3)
        self.odd = Odd()
        self.head = nn.Conv2d(16, 4, 1)

    def forward(self, x):
        return self.head(self.odd(self.stem(x)))


class Odd(nn.Module):
    def forward(self, x):
        raise RuntimeError("not today")


class Unbuilt(nn.Module):
    def __init__(self):
        super().__init__()
        raise RuntimeError("never built")


class Listed(nn.Module):
    """Layers in a list, called one after another, and in a list with something between them."""

    def __init__(self):
        super().__init__()
        self.chain = nn.ModuleList([nn.Conv2d(3, 3, 1) for _ in range(3)])
        self.apart = nn.ModuleList([nn.Conv2d(3, 3, 1) for _ in range(2)])

    def forward(self, x):
        for layer in self.chain:
            x = layer(x)
        for layer in self.apart:
            x = torch.relu(layer(x))
        return x


class Evil(nn.Module):
    """What would run, if a page took a name for markup."""

    def __init__(self):
        super().__init__()
        kind = type("<img src=x onerror=alert(3)>", (nn.Conv2d,), {})
        self.add_module("<script>alert(1)</script>", kind(3, 8, 3, padding=1))
        self.add_module("</script><script>alert(2)</script>", nn.BatchNorm2d(4))
        self.add_module("\\u2028<!--\\u202e${alert(4)}&lt;", nn.ReLU())

    def forward(self, x):
        for part in self.children():
            x = part(x)
        return x
'''


DIFF = """\
--- nets.py
+++ nets.py
@@ -19 +19 @@
-        self.stem = nn.Conv2d(3, 16, 3, padding=1)
+        self.stem = separable(3, 16)
"""


def report(folder: Path, name: str, shape: tuple[int, int, int] = (3, 32, 32)) -> Report:
    """What a check of one of ``NETS`` finds, in a file below ``folder``."""
    (folder / "nets.py").write_text(NETS, encoding="utf-8")
    with chdir(folder), one_worker():
        return convlint.check(f"nets.py:{name}", input=shape)


def suggestion() -> Suggestion:
    """A rewrite of the stem of ``Net``."""
    return Suggestion(
        code="CVL502",
        name="depthwise-separable",
        title="depthwise and pointwise in its place",
        site=Site("nets.py", 19, 21, 19, 51),
        changes=(
            LayerChange("stem", Replacement("CVL502"), Costs(448, 442_368, 65_536, 0), Costs(78, 76_800, 77_824, 0)),
        ),
        edits=(),
        diff=DIFF,
        verified=Verification(True, True, True, True),
        evidence="fewer weights",
        chosen=True,
    )
