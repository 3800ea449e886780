"""Dense blocks of a project are replaced with its separable ones, with the norms and activations that these have."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.rewriting.suggest_project import Project

FUNCTIONS = """\
from torch import nn


def conv_bn(inp, oup, stride):
    return nn.Sequential(nn.Conv{n}d(inp, oup, 3, stride, 1, bias=False), nn.BatchNorm{n}d(oup), nn.{act})


def conv_dw(inp, oup, stride):
    return nn.Sequential(
        nn.Conv{n}d(inp, inp, {size}, stride, 1, groups=inp, bias=False),
        nn.BatchNorm{n}d(inp),
        nn.{act},
        nn.Conv{n}d(inp, oup, 1, bias=False),
        nn.BatchNorm{n}d(oup),
        {last},
    )


class Net(nn.Sequential):
    def __init__(self):
        super().__init__({calls})
"""
CALLS = "conv_bn(3, 16, 2), conv_bn(16, 32, 2), conv_dw(32, 32, 1), conv_bn(32, 64, 1)"


def functions(n: int = 2, act: str = "ReLU()", size: str = "3", last: str = "", calls: str = CALLS) -> str:
    return FUNCTIONS.format(n=n, act=act, size=size, last=last or f"nn.{act}", calls=calls)


def changed(kept: Project, text: str, *options: str) -> list[str]:
    """The lines that a suggestion adds to a file, after the new model ran on its input."""
    project = kept.emptied()
    project.write("net.py", text)
    size = ",".join(["16"] * (2 if "Conv2d" in text else 1))
    document = project.suggest(
        "net.py:Net", "--input", f"3,{size}", "--kind", "depthwise-separable", "--output-format", "json", *options
    ).document
    rewritten = document["rewritten"]
    project.apply(rewritten["diff"])
    net: nn.Module = project.load("net.py")["Net"]()
    net(torch.rand(2, 3, *map(int, size.split(","))))
    assert sum(parameter.numel() for parameter in net.parameters()) == rewritten["after"]["params"]
    return [line[1:].strip() for line in rewritten["diff"].splitlines() if line[0] == "+" and line[:3] != "+++"]


@pytest.mark.parametrize(
    ("n", "act"), [(2, "ReLU()"), (1, "ReLU6(inplace=True)"), (2, "LeakyReLU(0.1, inplace=True)"), (2, "PReLU(32)")]
)
def test_a_call_of_the_dense_block_becomes_one_of_the_separable_block(kept: Project, n: int, act: str) -> None:
    if act.startswith("PReLU"):
        calls = "nn.Conv2d(3, 32, 1), conv_bn(32, 32, 1)"
        assert changed(kept, functions(n, act, calls=calls)) == [
            "super().__init__(nn.Conv2d(3, 32, 1), conv_dw(32, 32, 1))"
        ]
    else:
        assert changed(kept, functions(n, act)) == [
            f"super().__init__({CALLS.replace('conv_bn(16', 'conv_dw(16').replace('conv_bn(32', 'conv_dw(32')})"
        ]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (functions(last="nn.Sigmoid()"), ()),
        (functions(last="nn.Sequential()"), ()),
        (functions(size="5"), ()),
        (functions(calls="*[conv_bn(i, o, 2) for i, o in ((3, 16), (16, 32), (32, 64))], conv_dw(64, 64, 1)"), ()),
        (functions(), ("--between", "none")),
    ],
    ids=["other-end", "no-end", "other-window", "stem-in-the-same-call", "asked-for"],
)
def test_a_block_that_computes_something_else_is_not_used(kept: Project, text: str, options: tuple[str, ...]) -> None:
    assert changed(kept, text, *options)[0] == "class DepthwiseSeparableConv2d(nn.Sequential):"


LAYERS = """\
from torch import nn


class ConvBNAct(nn.Module):
    def __init__(self, c1, c2, k=3, s=1, g=1, act=nn.SiLU):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, k // 2, groups=g, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.act = act(inplace=True)

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class DWSConv(nn.Sequential):
    def __init__(self, c1, c2, kernel_size=5, stride=1):
        super().__init__(ConvBNAct(c1, c1, kernel_size, stride, g=c1), ConvBNAct(c1, c2, 1))
"""
NET = """\
from torch import nn

from layers import ConvBNAct


class Net(nn.Sequential):
    def __init__(self, width=16):
        super().__init__(ConvBNAct(3, width), ConvBNAct(width, 2 * width, s=2), ConvBNAct(2 * width, 8, k=1))
"""


def test_a_block_of_two_dense_ones_is_imported_and_gets_the_defaults_of_the_dense_one(kept: Project) -> None:
    project = kept.emptied()
    project.write("layers.py", LAYERS)
    project.write("net.py", NET)
    arguments = ("--input", "3,16,16", "--kind", "depthwise-separable", "--output-format", "json")
    document = project.suggest("net.py:Net", *arguments).document
    diff = document["rewritten"]["diff"]
    assert "+from layers import ConvBNAct, DWSConv" in diff
    assert "DWSConv(width, 2 * width, kernel_size=3, stride=2), ConvBNAct(2 * width, 8, k=1))" in diff
    assert document["suggestions"][0]["title"] == "depthwise separable, BatchNorm and SiLU between"
    (checkpoint,) = [each for each in document["rewritten"]["consequences"] if each["kind"] == "checkpoint"]
    assert "--between none" in checkpoint["message"]


def test_weights_are_converted_without_the_block(kept: Project) -> None:
    project = kept.emptied()
    project.write("net.py", LAYERS + NET.partition("ConvBNAct\n")[2])
    torch.save(project.load("net.py")["Net"]().state_dict(), project.folder / "old.pt")
    arguments = ("--input", "3,16,16", "--kind", "depthwise-separable", "--weights", "old.pt")
    assert "class DepthwiseSeparableConv2d" in project.suggest("net.py:Net", *arguments).out


SUBCLASS = """\
from torch import nn


class Conv(nn.Module):
    default_act = nn.SiLU()  # one for all

    def __init__(self, c1, c2, k=1, s=1, g=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, k // 2, groups=g, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.act = self.default_act if act is True else nn.Identity()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class DWConv(Conv):
    def __init__(self, c1, c2, k=1, s=1):
        super().__init__(c1, c2, k, s, g=c1)


class DSConv(nn.Sequential):
    def __init__(self, c1, c2, k=3, s=1):
        super().__init__(DWConv(c1, c1, k, s), Conv(c1, c2))


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(
            Conv(3, 16, 3),
            Conv(
                16,  # of the stem
                32,
                3,
            ),
            Conv(32, 32, 3, act=True),
            Conv(32, 8),
        )
"""


def test_halves_may_be_subclasses_that_share_an_activation_and_comments_stay(kept: Project) -> None:
    assert changed(kept, SUBCLASS) == ["DSConv(", "DSConv(32, 32, 3),"]


def test_selected_layers_of_a_function_that_builds_others_too(kept: Project) -> None:
    added = changed(kept, functions(), "--layer", "3.*")
    assert added == ["super().__init__(conv_bn(3, 16, 2), conv_bn(16, 32, 2), conv_dw(32, 32, 1), conv_dw(32, 64, 1))"]
