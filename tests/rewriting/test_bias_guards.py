"""Code that initialises the bias of every convolution: the depthwise one has none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.rewriting.suggest_project import project
from tests.rewriting.test_conv_calls import HEAD, rewritten

INIT = "layer = nn.Conv2d(32, 64, 3)\n\n\ndef init(m, zero=True):\n    if {}:\n        {}\n"


@pytest.mark.parametrize(
    ("condition", "statement"),
    [
        ("isinstance(m, nn.Conv2d)", "nn.init.zeros_(m.bias)"),
        ("isinstance(m, (nn.Conv2d, nn.Linear))", "m.bias.data.fill_(0.01)"),
        ("type(m) in [nn.Conv2d]", "nn.init.constant_(m.bias.data, 0)"),
        ("m.__class__.__name__.find('Conv') != -1", "m.bias.data.zero_()"),
    ],
)
def test_the_initialisation_of_every_bias_gets_a_condition(condition: str, statement: str) -> None:
    after = rewritten(HEAD + INIT.format(condition, statement))
    assert after.endswith(f"    if {condition}:\n        if m.bias is not None:\n            {statement}\n")


CONV = "if isinstance(m, nn.Conv2d)"
ZERO = "if m.bias is not None:\n            m.bias.data.zero_()"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f"{CONV}: m.bias.data.zero_()  # all\n    elif zero: pass",
            f"{CONV}:\n        {ZERO}  # all\n    elif zero: pass",
        ),
        (f"{CONV}: f(m); m.bias.data.zero_()", f"{CONV}:\n        f(m)\n        {ZERO}"),
        (f"{CONV}:\n        f(m); m.bias.data.zero_(); f(m)", f"{CONV}:\n        f(m)\n        {ZERO}\n        f(m)"),
        (f"{CONV}:\n        m.bias.data.zero_(\n        )", f"{CONV}:\n        {ZERO[:-1]}\n            )"),
        (f"{CONV}:\n        m.bias.data[:] = 0", f"{CONV}:\n        {ZERO.replace('.zero_()', '[:] = 0')}"),
    ],
)
def test_statements_that_share_a_line_get_lines_of_their_own(before: str, after: str) -> None:
    text = "layer = nn.Conv2d(32, 64, 3)\n\n\ndef init(m, zero=True):\n"
    assert rewritten(f"{HEAD}{text}    {before}\n").endswith(f"def init(m, zero=True):\n    {after}\n")


@pytest.mark.parametrize(
    ("condition", "statement"),
    [
        ("isinstance(m, nn.Conv1d)", "nn.init.zeros_(m.bias)"),
        ("isinstance(m, nn.Conv2d)", "m.bias = nn.Parameter(m.weight[:, 0, 0, 0])"),
        ("isinstance(m, nn.BatchNorm2d)", "nn.init.zeros_(m.bias)"),
        ("isinstance(m, nn.Conv2d) and m.bias is not None", "nn.init.zeros_(m.bias)"),
        ("isinstance(m, nn.Conv2d)", "nn.init.zeros_(m.weight)"),
        ("zero", "nn.init.zeros_(m.bias)"),
    ],
)
def test_other_statements_stay(condition: str, statement: str) -> None:
    text = INIT.format(condition, statement)
    assert rewritten(HEAD + text).endswith(text.partition("\n")[2])


NET = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.BatchNorm2d(64))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
                nn.init.constant_(m.bias, 0.5)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.body(x)
"""


@pytest.mark.parametrize("kind", ["depthwise-separable", "factorised", "tucker", "low-rank"])
def test_a_model_that_initialises_every_bias_is_rewritten(tmp_path: Path, kind: str) -> None:
    """Without the condition the rewritten model fails in its constructor."""
    with project(tmp_path) as here:
        here.write("net.py", NET)
        given = ("net.py:Net", "--input", "3,20,20", "--kind", kind)
        here.apply(here.suggest(*given, "--output-format", "diff").out)
        body = here.load("net.py")["Net"]().body
    first, *_, last = body[2]
    assert (first.bias, last.bias.unique().tolist()) == (None, [0.5])
    assert (body[0].bias.unique().tolist(), body[3].bias.unique().tolist()) == ([0.5], [0.0])


BLOCKS = """from torch import nn


def block(cin, cout):
    return nn.Sequential(nn.Conv2d(cin, cout, 3), nn.ReLU())
"""
INITIALISE = """def kaiming(net):
    for m in net.modules():
        if "Conv" in type(m).__name__ and hasattr(m, "kernel_size"):
            m.bias.data.fill_(0.5)
"""
MODEL = """from torch import nn

from blocks import block
import initialise


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(block(8, 32), block(32, 64))
        initialise.kaiming(self)

    def forward(self, x):
        return self.body(x)
"""


def test_the_initialisation_may_be_in_a_file_that_the_caller_imports(tmp_path: Path) -> None:
    with project(tmp_path) as here:
        for name, text in (("net.py", MODEL), ("blocks.py", BLOCKS), ("initialise.py", INITIALISE)):
            here.write(name, text)
        given = ("net.py:Net", "--input", "8,32,32", "--kind", "depthwise-separable")
        here.apply(here.suggest(*given, "--output-format", "diff").out)
        changed = (tmp_path / "initialise.py").read_text()
    assert changed == INITIALISE.replace(
        "            m.bias.data.fill_(0.5)\n",
        "            if m.bias is not None:\n                m.bias.data.fill_(0.5)\n",
    )


def test_a_search_for_a_size_writes_the_conditions_too(tmp_path: Path) -> None:
    with project(tmp_path) as here:
        here.write("net.py", NET)
        torch.save(here.load("net.py")["Net"]().state_dict(), tmp_path / "net.pt")
        given = ("--kind", "depthwise-separable", "--weights", "net.pt", "--target-params", "10k")
        here.apply(here.suggest("net.py:Net", "--input", "3,20,20", *given, "--output-format", "diff").out)
        body = here.load("net.py")["Net"]().body
    assert body[2].pointwise.bias.unique().tolist() == [0.5]
