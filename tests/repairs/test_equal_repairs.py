"""Two ends of a conflict between which nothing decides: one error with either repair, and PyTorch runs both."""

from __future__ import annotations

from pathlib import Path

import pytest

import convlint
from convlint.ir import Finding
from convlint.source_text.edits import apply
from tests.repairs.small_programs import errors, folder, run

__all__ = ["folder"]

HEAD = "import torch\nfrom torch import nn\n"

TWO_CONVOLUTIONS = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 10, 3)  # <- 14
        self.b = nn.Conv2d(14, 6, 3)  # <- 10

    def forward(self, x):
        return self.b(self.a(x).relu())
"""
A_CONVOLUTION_AND_A_LINEAR_LAYER = f"""{HEAD}
class Net(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 20, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1))  # <- 30
        self.fc = nn.Linear(30, classes)  # <- 20

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))
"""
TWO_CALLS_OF_BLOCKS = f"""{HEAD}
class Down(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = Down(3, 18)  # <- 22
        self.two = Down(22, 40)  # <- 18

    def forward(self, x):
        return self.two(self.one(x))
"""
EQUALS = {
    "two convolutions": TWO_CONVOLUTIONS,
    "a convolution and a linear layer": A_CONVOLUTION_AND_A_LINEAR_LAYER,
    "two calls of blocks": TWO_CALLS_OF_BLOCKS,
}

NORM_BETWEEN = TWO_CONVOLUTIONS.replace("10, 3)  # <- 14", "10, 3)").replace(
    "        self.b =", "        self.n = nn.BatchNorm2d(10)\n        self.b ="
)
CALLED_TWICE = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 10, 3)
        self.b = nn.Conv2d(14, 6, 3)  # <- 10
        self.c = nn.Conv2d(10, 6, 3)

    def forward(self, x):
        x = self.a(x)
        return self.b(x) + self.c(x)
"""
A_FACTOR = TWO_CONVOLUTIONS.replace("def __init__(self)", "def __init__(self, width=10)")
A_FACTOR = A_FACTOR.replace("3, 10, 3)  # <- 14", "3, width, 3)").replace(
    "14, 6, 3)  # <- 10", "width * 2, 6, 3)  # <- width"
)
DECIDED = {
    "a norm agrees with one of them": NORM_BETWEEN.replace("self.b(self.a(x).relu())", "self.b(self.n(self.a(x)))"),
    "another layer agrees with one of them": CALLED_TWICE,
    "one of the changes is simpler": A_FACTOR,
}


def wanted(source: str) -> dict[int, str]:
    """The edits that the comments of a program name, by line."""
    marks = {number: line.partition("# <- ")[2] for number, line in enumerate(source.splitlines(), 1)}
    return {number: text for number, text in marks.items() if text}


def proposed(finding: Finding) -> dict[int, str]:
    return {edit.site.line: edit.text for repair in finding.repairs for edit in repair.edits}


@pytest.mark.parametrize("source", EQUALS.values(), ids=EQUALS)
def test_either_end_may_be_wrong(source: str) -> None:
    (finding,) = errors(source)
    assert proposed(finding) == wanted(source)
    assert finding.fix is not None
    assert finding.fix.edits == finding.repairs[0].edits
    assert finding.site is not None
    assert finding.site.line == max(wanted(source))  # the layer that fails, not the one before


@pytest.mark.parametrize("source", EQUALS.values(), ids=EQUALS)
def test_pytorch_runs_the_program_after_each_of_them(source: str) -> None:
    with pytest.raises(RuntimeError):
        run(source)
    (finding,) = errors(source)
    for repair in finding.repairs:
        repaired = apply(source.encode(), repair.edits).decode()
        assert run(repaired) is not None
        assert errors(repaired) == []


@pytest.mark.parametrize("source", DECIDED.values(), ids=DECIDED)
def test_where_something_decides_there_is_one_repair(source: str) -> None:
    (finding,) = errors(source)
    assert proposed(finding) == wanted(source)
    assert len(finding.repairs) == 1


@pytest.mark.slow
@pytest.mark.parametrize("source", EQUALS.values(), ids=EQUALS)
def test_a_run_says_the_same(source: str) -> None:
    Path("net.py").write_text(source)
    (finding,) = [f for f in convlint.check("net.py:Net", input=(3, 32, 32)) if f.severity == "error"]
    assert proposed(finding) == wanted(source)
    assert {repair.verified for repair in finding.repairs} == {"run"}
