"""Code that initialises the bias of every convolution: the depthwise one has none."""

from __future__ import annotations

from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("condition", "statement"),
    [
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
        self.body = nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
                nn.init.constant_(m.bias, 0.5)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.body(x)
"""


def test_a_model_that_initialises_every_bias_is_rewritten(tmp_path: Path) -> None:
    """Without the condition the rewritten model fails in its constructor."""
    with project(tmp_path) as here:
        here.write("net.py", NET)
        given = ("net.py:Net", "--input", "3,32,32", "--kind", "depthwise-separable")
        here.apply(here.suggest(*given, "--output-format", "diff").out)
        body = here.load("net.py")["Net"]().body
    assert (body[2].depthwise.bias, body[2].pointwise.bias.unique().tolist()) == (None, [0.5])
    assert (body[0].bias.unique().tolist(), body[3].bias.unique().tolist()) == ([0.5], [0.0])
