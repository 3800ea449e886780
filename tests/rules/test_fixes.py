"""The fixes of rules in detail: which calls they edit, how, and which they leave."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from convlint.findings import fix_loop
from convlint.rules.example_files import Example
from tests.rules.check_example import Check, StartWorker

EXAMPLE = Example("net", "", input=("3,8,8",))
HEAD = """\
import torch
from torch import nn
from torch.nn import Conv2d as C

"""
NET = """\
class Net(nn.Module):
    def __init__(self, bias=True, use=True, norm=nn.BatchNorm2d):
        super().__init__()
        self.conv = {conv}
        self.norm = {norm}

    def forward(self, x):
        return self.norm(self.conv(x))
"""


def fixed_source(start_worker: StartWorker, file: Path, code: str, source: str) -> tuple[str, str]:
    """Return how the first finding may be fixed, and the file after that, without its head."""
    find = Check("run", start_worker, file, EXAMPLE, (code,))
    data = {str(file): source.encode()}
    found = find(data)
    assert found
    assert found[0].fix is not None
    done = fix_loop.fix_files(data, find, unsafe=True)
    assert bool(done.files) == (found[0].fix.applicability != "display")
    after = done.files.get(str(file), b"").decode()
    ast.parse(after)
    return found[0].fix.applicability, after.removeprefix(HEAD)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("conv", "after"),
    [
        ("nn.Conv2d(3, 4, 3)", "nn.Conv2d(3, 4, 3, bias=False)"),
        ("nn.Conv2d(3, 4, 3,)", "nn.Conv2d(3, 4, 3, bias=False,)"),
        ("nn.Conv2d(3, 4, (3))", "nn.Conv2d(3, 4, (3), bias=False)"),
        ("nn.Conv2d(3, 4, ((3)) ,)", "nn.Conv2d(3, 4, ((3)), bias=False ,)"),
        ("nn.Conv2d(3, 4, (3, 3))", "nn.Conv2d(3, 4, (3, 3), bias=False)"),
        ("nn.Conv2d(3, 4, kernel_size=(3))", "nn.Conv2d(3, 4, kernel_size=(3), bias=False)"),
        ("nn.Conv2d(3, 4, 3, bias=True)", "nn.Conv2d(3, 4, 3, bias=False)"),
        ("nn.Conv2d(3, 4, 3, 1, 0, 1, 1, True)", "nn.Conv2d(3, 4, 3, 1, 0, 1, 1, False)"),
        ("nn.Conv2d(*(3, 4, 3), bias=True)", "nn.Conv2d(*(3, 4, 3), bias=False)"),
        ("nn.ConvTranspose2d(3, 4, 3)", "nn.ConvTranspose2d(3, 4, 3, bias=False)"),
        ("nn.LazyConv2d(4, 3)", "nn.LazyConv2d(4, 3, bias=False)"),
        ("nn.LazyConv2d(4, 3, 1, 0, 1, 1, True)", "nn.LazyConv2d(4, 3, 1, 0, 1, 1, False)"),
        ("torch.nn.Conv2d(3, 4, 3)", "torch.nn.Conv2d(3, 4, 3, bias=False)"),
        ("C(3, 4, 3)", "C(3, 4, 3, bias=False)"),
        ("[C(3, 4, 1) for _ in 'ab'][0]", "[C(3, 4, 1, bias=False) for _ in 'ab'][0]"),
        ("nn.Sequential(C(3, 4, 1))[0]", "nn.Sequential(C(3, 4, 1, bias=False))[0]"),
        (
            "nn.Conv2d(\n    3,  # (in)\n    4,\n    3,  # a kernel)\n)",
            "nn.Conv2d(\n    3,  # (in)\n    4,\n    3, bias=False,  # a kernel)\n)",
        ),
        ("nn.Conv2d(3, 4, (3  # (\n    ) )", "nn.Conv2d(3, 4, (3  # (\n    ), bias=False )"),
        ("nn.Conv2d(3, int('é' != '') * 4, 3)", "nn.Conv2d(3, int('é' != '') * 4, 3, bias=False)"),
    ],
)
def test_cvl301_adds_bias_false(start_worker: StartWorker, tmp_path: Path, conv: str, after: str) -> None:
    source = HEAD + NET.format(conv=conv, norm="nn.BatchNorm2d(4)")
    expected = NET.format(conv=after, norm="nn.BatchNorm2d(4)")
    assert fixed_source(start_worker, tmp_path / "net.py", "CVL301", source) == ("unsafe", expected)


@pytest.mark.parametrize(
    "conv",
    [
        "nn.Conv2d(3, 4, 3, bias=bias)",
        "nn.Conv2d(3, 4, 3, bias=not False)",
        "nn.Conv2d(3, 4, 3, 1, 0, 1, 1, bias)",
        "nn.Conv2d(*(3, 4, 3))",
        "nn.Conv2d(3, 4, **{'kernel_size': 3})",
        "getattr(nn, 'Conv2d')(3, 4, 3)",
        "(nn.Conv2d if use else nn.Conv2d)(3, 4, 3)",
    ],
)
def test_cvl301_leaves_a_bias_that_is_not_a_literal(start_worker: StartWorker, tmp_path: Path, conv: str) -> None:
    source = HEAD + NET.format(conv=conv, norm="nn.BatchNorm2d(4)")
    assert fixed_source(start_worker, tmp_path / "net.py", "CVL301", source) == ("display", "")


@pytest.mark.parametrize(
    "norm",
    [
        "nn.BatchNorm2d(4) if use else nn.Identity()",
        "use and nn.BatchNorm2d(4)",
        "nn.Sequential(*[nn.BatchNorm2d(4) for _ in range(1)])",
        "(lambda: nn.BatchNorm2d(4))()",
        "norm(4)",
    ],
)
def test_cvl301_leaves_a_bias_if_the_norm_is_conditional(start_worker: StartWorker, tmp_path: Path, norm: str) -> None:
    source = HEAD + NET.format(conv="nn.Conv2d(3, 4, 3)", norm=norm)
    assert fixed_source(start_worker, tmp_path / "net.py", "CVL301", source) == ("display", "")


@pytest.mark.parametrize(
    "net",
    [
        # One call builds a layer with the norm and one without.
        """\
def Net():
    layers = []
    for out in (4, 6):
        layers.append(nn.Conv2d(3 if out == 4 else 4, out, 1))
        if out == 4:
            layers.append(nn.BatchNorm2d(out))
    return nn.Sequential(*layers)
""",
        # A helper that others may call without a norm.
        """\
def conv(into, out):
    return nn.Conv2d(into, out, 3)


def Net():
    return nn.Sequential(conv(3, 4), nn.BatchNorm2d(4))
""",
        # A way out between the two.
        """\
def Net(norm=True):
    conv = nn.Conv2d(3, 4, 3)
    if not norm:
        return conv
    return nn.Sequential(conv, nn.BatchNorm2d(4))
""",
        # The file reads the bias of every convolution.
        """\
def Net():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
            nn.init.zeros_(module.bias)
    return net
""",
        # A class that is called as one of torch.nn's.
        """\
class Conv2d(nn.Conv2d):
    pass


def Net():
    return nn.Sequential(Conv2d(3, 4, 3), nn.BatchNorm2d(4))
""",
    ],
    ids=["one-with-one-without", "helper", "way-out", "reader", "own-class"],
)
@pytest.mark.slow
def test_cvl301_leaves_a_bias_that_something_else_needs(start_worker: StartWorker, tmp_path: Path, net: str) -> None:
    assert fixed_source(start_worker, tmp_path / "net.py", "CVL301", HEAD + net) == ("display", "")


@pytest.mark.parametrize(
    "initialised",
    [
        "if module.bias is not None:\n            nn.init.zeros_(module.bias)",
        "if isinstance(module, nn.BatchNorm2d):\n            nn.init.zeros_(module.bias)",
        "if module is net[1]:\n            nn.init.zeros_(net.norm.bias)",
        "module.bias = module.bias if module.bias is None else module.bias",
    ],
)
def test_cvl301_removes_a_bias_that_is_checked_for_none(
    start_worker: StartWorker, tmp_path: Path, initialised: str
) -> None:
    source = f"""\
def Net():
    net = nn.Sequential()
    net.add_module("conv", nn.Conv2d(3, 4, 3))
    net.add_module("norm", nn.BatchNorm2d(4))
    for module in net:
        {initialised}
    return net
"""
    after = source.replace("4, 3)", "4, 3, bias=False)")
    answer = fixed_source(start_worker, tmp_path / "net.py", "CVL301", HEAD + source)
    assert answer == ("unsafe", after)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("conv", "after"),
    [
        ("nn.Conv2d(3, 4, 1, padding=1)", "nn.Conv2d(3, 4, 1, padding=0)"),
        ("nn.Conv2d(3, 4, 1, 1, 1)", "nn.Conv2d(3, 4, 1, 1, 0)"),
        ("nn.Conv2d(3, 4, 1, padding=(1, 1),)", "nn.Conv2d(3, 4, 1, padding=0,)"),
        ("nn.Conv2d(3, 4, (1, 3), padding=1)", "nn.Conv2d(3, 4, (1, 3), padding=(0, 1))"),
        ("nn.Conv2d(3, 4, [3, 1], padding=[1, 2])", "nn.Conv2d(3, 4, [3, 1], padding=(1, 0))"),
        ("nn.LazyConv2d(4, 1, 1, 2)", "nn.LazyConv2d(4, 1, 1, 0)"),
        ("C(padding=1, kernel_size=1, out_channels=4, in_channels=3)",) * 2,
    ],
)
def test_cvl302_sets_padding(start_worker: StartWorker, tmp_path: Path, conv: str, after: str) -> None:
    source, expected = (HEAD + f"def Net():\n    return {call}\n" for call in (conv, after))
    expected = expected.removeprefix(HEAD).replace("C(padding=1", "C(padding=0")
    assert fixed_source(start_worker, tmp_path / "net.py", "CVL302", source) == ("unsafe", expected)


@pytest.mark.parametrize(
    "conv",
    [
        "nn.Conv2d(3, 4, 1, padding=padding)",
        "nn.Conv2d(3, 4, kernel, padding=1)",
        "nn.Conv2d(3, 4, 1, padding=(kernel, 1))",
        "nn.Conv2d(3, 4, *(1, 1, 1))",
        "nn.Conv2d(3, 4, 1, **{'padding': 1})",
    ],
)
def test_cvl302_leaves_a_padding_that_is_not_a_literal(start_worker: StartWorker, tmp_path: Path, conv: str) -> None:
    source = HEAD + f"def Net(padding=1, kernel=1):\n    return {conv}\n"
    assert fixed_source(start_worker, tmp_path / "net.py", "CVL302", source) == ("display", "")


def wide(norm: str) -> str:
    return f"""\
def Net(width=8):
    return nn.Sequential(
        nn.Conv2d(3, 16, 1, bias=False), {norm}, nn.Conv2d(16, 4, 1), nn.ReLU()
    )
"""


@pytest.mark.parametrize(
    ("norm", "after"),
    [
        ("nn.BatchNorm2d(8)", "nn.BatchNorm2d(16)"),
        ("nn.BatchNorm2d(eps=1e-3, num_features=8)", "nn.BatchNorm2d(eps=1e-3, num_features=16)"),
        ("*[nn.BatchNorm2d(8) for _ in 'ab']", "*[nn.BatchNorm2d(16) for _ in 'ab']"),
    ],
)
def test_cvl103_replaces_the_width(start_worker: StartWorker, tmp_path: Path, norm: str, after: str) -> None:
    answer = fixed_source(start_worker, tmp_path / "net.py", "CVL103", HEAD + wide(norm))
    assert answer == ("unsafe", wide(after))


@pytest.mark.parametrize("norm", ["nn.BatchNorm2d(width)", "nn.BatchNorm2d(*[8])", "nn.BatchNorm2d(2 * 4)"])
def test_cvl103_leaves_a_width_that_is_not_a_literal(start_worker: StartWorker, tmp_path: Path, norm: str) -> None:
    file = tmp_path / "net.py"
    find = Check("run", start_worker, file, EXAMPLE, ("CVL103",))
    (found,) = find({str(file): (HEAD + wide(norm)).encode()})
    assert found.fix is None
