"""Classes and functions of a project that a separable convolution can be built of are used instead of a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from convlint.ir import Costs, IntermediateLayers, LayerChange, Replacement, Site, VersionRun
from convlint.rewriting.base import EditedCall
from convlint.rewriting.kinds import of_code
from convlint.rewriting.layer_use import LayerArguments, LayerUse
from convlint.rewriting.project import Project
from convlint.rewriting.verification import verify
from convlint.runtime.record.record import record
from convlint.runtime.weights import checkpoint
from convlint.source_text import call_sites, edits

OWN = """\
from torch import nn


class DSConv(nn.Module):
    def __init__(self, nin, nout, {parameters}):
        super().__init__()
        self.dw = nn.Conv2d(nin, nin, {size}, groups=nin, bias=False)
        self.pw = nn.Conv2d(nin, nout, kernel_size=1{bias})
        {more}
"""
PLAIN = {"parameters": "kernel_size=3, stride=1, padding=1", "size": "kernel_size, stride, padding", "bias": ""}
COMPUTED = {"parameters": "kernel=3, stride=1, bias=False", "bias": ", bias=bias"}
FIXED = {"parameters": "s=1, bias=False", "size": "kernel_size=3, stride=s, padding=1", "bias": ", bias=bias"}


def first_draft(
    folder: Path,
    own: dict[str, str] | str,
    call: str,
    *,
    head: str = "from .layers import DSConv\n",
    between: IntermediateLayers = "none",
) -> str:
    """The call as the first draft writes it, in a file beside the one with the class."""
    Path(folder, "layers.py").write_text(own if isinstance(own, str) else OWN.format(**{"more": "", **own}))
    start = f"from torch import nn\n{head}\nlayer = "
    path = Path(folder, "net.py")
    path.write_text(f"{start}{call}\n")
    line = start.count("\n") + 1
    site = Site(str(path), line, 9, line, 9 + len(call), "")
    project = Project(str(folder))
    found = call_sites.at(site, project.texts)
    assert found is not None
    use: Any = LayerUse(None, LayerArguments(32, 64, (3, 3), padding=(1, 1)), None, ())  # type: ignore[arg-type]
    place = EditedCall(site, found, (use,), project=project)
    draft = next(of_code("CVL502").drafts(place, Replacement("CVL502", between=between), all_fit=True))
    after = edits.apply(path.read_bytes(), list(draft.edits)).decode()
    return after.partition("layer = ")[2].strip()


@pytest.mark.parametrize(
    ("own", "call", "expected"),
    [
        (PLAIN, "nn.Conv2d(32, 64, 3, padding=1)", "DSConv(32, 64, 3, padding=1)"),
        (FIXED, "nn.Conv2d(32, 64, 3, 2, 1, bias=False)", "DSConv(32, 64, s=2, bias=False)"),
        (FIXED, "nn.Conv2d(32, 64, kernel_size=3, padding=1)", "DSConv(32, 64, bias=True)"),
        (FIXED, "nn.Conv2d(32, 64, size, padding=1)", "DepthwiseSeparableConv2d(32, 64, size, padding=1)"),
        (
            {**PLAIN, "more": "self.norm = nn.BatchNorm2d(nout)"},
            "nn.Conv2d(32, 64, 3)",
            "DepthwiseSeparableConv2d(32, 64, 3)",
        ),
    ],
)
def test_a_class_that_the_file_imports_is_called(tmp_path: Path, own: dict[str, str], call: str, expected: str) -> None:
    assert first_draft(tmp_path, own, call) == expected


@pytest.mark.parametrize(
    ("padding", "call", "expected"),
    [
        ("kernel // 2", "nn.Conv2d(32, 64, 5, 2, 2)", "DSConv(32, 64, kernel=5, stride=2, bias=True)"),
        ("(kernel - 1) // 2", "nn.Conv2d(32, 64, 3, padding=1)", "DSConv(32, 64, kernel=3, bias=True)"),
        ("kernel // 2", "nn.Conv2d(32, 64, size, padding=size // 2)", "DSConv(32, 64, kernel=size, bias=True)"),
        ("pad", "nn.Conv2d(32, 64, 3, 1, 1)", "DSConv(32, 64, kernel=3, stride=1, bias=True)"),
        ("kernel // 2", "nn.Conv2d(32, 64, 3)", "DepthwiseSeparableConv2d(32, 64, 3)"),
        ("kernel // 2", "nn.Conv2d(32, 64, size, padding=1)", "DepthwiseSeparableConv2d(32, 64, size, padding=1)"),
    ],
)
def test_a_class_may_compute_the_padding_of_its_own_parameters(
    tmp_path: Path, padding: str, call: str, expected: str
) -> None:
    own = OWN.format(**{**COMPUTED, "size": f"kernel, stride, {padding}", "more": ""})
    own = own.replace("super().__init__()", "super().__init__()\n        pad = kernel // 2")
    assert first_draft(tmp_path, own, call) == expected


def test_a_convolution_may_have_another_name_in_the_file_of_the_class(tmp_path: Path) -> None:
    own = OWN.format(**PLAIN, more="").replace(
        "from torch import nn", "from torch import nn\nfrom torch.nn import Conv2d as C"
    )
    own = own.replace("nn.Conv2d(", "C(")
    assert first_draft(tmp_path, own, "nn.Conv2d(32, 64, 3)") == "DSConv(32, 64, 3)"


def test_a_class_that_the_file_does_not_know_is_not_called(tmp_path: Path) -> None:
    assert first_draft(tmp_path, PLAIN, "nn.Conv2d(32, 64, 3)", head="").startswith("DepthwiseSeparableConv2d")


BLOCKS = """\
from torch import nn


def conv_dw(nin, nout, stride=1):
    return nn.Sequential(
        nn.Conv2d(nin, nin, 3, stride, 1, groups=nin, bias=False),
        nn.BatchNorm2d(nin),
        nn.ReLU(),
        nn.Conv2d(nin, nout, 1, bias=False),
    )


class ConvBNAct(nn.Module):
    def __init__(self, nin, nout, k=3, s=1, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(nin, nout, k, s, k // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(nout)
        self.act = nn.ReLU()
"""


@pytest.mark.parametrize(
    ("call", "between", "expected"),
    [
        ("nn.Conv2d(32, 64, 3, 2, 1, bias=False)", "norm-relu", "conv_dw(32, 64, stride=2)"),
        (
            "nn.Conv2d(32, 64, 5, padding=2)",
            "norm-relu",
            "nn.Sequential(ConvBNAct(32, 32, k=5, groups=32), nn.Conv2d(32, 64, 1))",
        ),
        ("nn.Conv2d(32, 64, 3, padding=1)", "none", "DepthwiseSeparableConv2d(32, 64, 3, padding=1)"),
        ("nn.Conv2d(32, 64, 3, padding=2, dilation=2)", "norm-relu", "DepthwiseSeparableConv2d"),
    ],
)
def test_a_block_of_the_project_is_the_depthwise_half(tmp_path: Path, call: str, between: Any, expected: str) -> None:
    draft = first_draft(tmp_path, BLOCKS, call, head="from .layers import ConvBNAct, conv_dw\n", between=between)
    assert draft.startswith(expected)


class Residual(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x)
        return y + x


@pytest.mark.parametrize(("layer", "reason"), [(nn.Sequential, "True"), (Residual, "0 computes conv, conv, add")])
def test_a_class_that_computes_more_is_not_used(layer: type[nn.Sequential], reason: str) -> None:
    def run(model: nn.Module) -> VersionRun:
        return VersionRun(record(model.eval(), (torch.rand(1, 8, 6, 6),), {}, target="net").graph())

    dense = run(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1)))
    new = run(nn.Sequential(layer(nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.Conv2d(8, 8, 1))))
    change = LayerChange("0", Replacement("CVL502"), Costs(584, 20736), Costs(144, 4896))
    assert reason in str(verify([change], dense, new))


def test_converted_weights_have_the_names_of_the_class_of_the_project() -> None:
    class DSConv(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pw = nn.Conv2d(8, 16, 1)
            self.dw = nn.Conv2d(8, 8, 3, groups=8, bias=False)

    dense = {"a.weight": torch.rand(16, 8, 3, 3), "a.bias": torch.rand(16)}
    state, _ = checkpoint.convert(dense, {"a": Replacement("CVL502")}, (), {"a": DSConv()})
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        "a.dw.weight": (8, 1, 3, 3),
        "a.pw.weight": (16, 8, 1, 1),
        "a.pw.bias": (16,),
    }
