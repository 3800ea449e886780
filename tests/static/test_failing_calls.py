"""An error says which calls of classes fail, from the inside out, so that a run can repeat one."""

from __future__ import annotations

from pathlib import Path

from convlint.findings.confirm import confirmed
from convlint.ir import Claim, Finding, Proof, Witness
from convlint.pipelines.file_linter import lint_text
from convlint.static import Project

HEAD = "import torch\nfrom torch import nn\n"
NET = """
class Conv(nn.Module):
    def __init__(self, c, out, act=nn.ReLU):
        super().__init__()
        self.conv = nn.Conv2d(c, out, 3, padding=1)
        self.act = act()
    def forward(self, x):
        return self.act(self.conv(x))
class Up(nn.Module):
    def __init__(self, c, skip):
        super().__init__()
        self.up = Conv(c, 16, act=nn.SiLU)
        self.last = nn.Conv2d(c + 16, 8, 1)
    def forward(self, x, y):
        return self.last(torch.cat([self.up(x), y], 1))
class Net(nn.Module):
    def __init__(self, widths=(24, 3)):
        super().__init__()
        self.stem = Conv(widths[1], 24)
        self.up = Up(*widths)
    def forward(self, x):
        return self.up(self.stem(x), x)
"""
WITNESS = Witness("Up(24, 3)", ("1x24x8x8", "1x3x8x8"), "RuntimeError: no", "")


def error(folder: Path, source: str) -> Finding:
    file = folder / "net.py"
    file.write_text(HEAD + source)
    found = lint_text(str(file), file.read_bytes(), Project(str(folder))).findings
    return next(finding for finding in found if finding.severity == "error")


def written(claim: Claim) -> str:
    (trial,) = claim.trials
    return f"{claim.cls}({', '.join(f'{each.name}={each.text}' for each in trial.failing.arguments)})"


def test_the_calls_around_an_operation_have_their_arguments(tmp_path: Path) -> None:
    assert [written(call) for call in error(tmp_path, NET).calls] == ["Up(c=24, skip=3)", "Net()"]


def test_a_call_has_the_shapes_of_all_its_inputs(tmp_path: Path) -> None:
    up, _ = error(tmp_path, NET).calls
    (trial,) = up.trials
    assert [shape[1] for shape in trial.failing.shapes] == [24, 3]


def test_a_constructor_that_fails_has_no_inputs(tmp_path: Path) -> None:
    source = NET.replace("nn.Conv2d(c + 16, 8, 1)", "nn.Conv2d(19, 8, 1, groups=4)")
    (up, _) = error(tmp_path, source).calls
    assert (up.fails_in, up.trials[0].failing.shapes) == ("constructor", ())


def test_the_first_call_that_fails_is_the_witness(tmp_path: Path) -> None:
    finding = error(tmp_path, NET)
    asked: list[str] = []

    def prove(claim: Claim) -> Proof:
        asked.append(claim.cls)
        return Proof("fails", WITNESS) if claim.cls == "Net" else Proof("works")

    (after,) = confirmed([finding], prove)
    assert asked == ["Up", "Net"]
    assert (after.witness, after.severity) == (WITNESS, "error")


def test_a_call_that_works_refutes_no_error(tmp_path: Path) -> None:
    finding = error(tmp_path, NET)
    assert confirmed([finding], lambda _: Proof("works")) == [finding]
    assert confirmed([finding], None) == [finding]


def test_a_layer_of_the_program_may_refuse_what_its_caller_passes(tmp_path: Path) -> None:
    norm = "class Norm(nn.BatchNorm2d):\n    pass\n"
    net = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 96, 3)
        self.norm = Norm(64)
    def forward(self, x):
        return self.norm(self.conv(x))
"""
    assert [written(call) for call in error(tmp_path, norm + net).calls] == ["Net()"]
