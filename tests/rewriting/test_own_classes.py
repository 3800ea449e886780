"""Depthwise separable classes of a project are used instead of a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convlint.ir import Replacement, Site
from convlint.rewriting.base import EditedCall
from convlint.rewriting.kinds import of_code
from convlint.rewriting.layer_use import LayerArguments, LayerUse
from convlint.rewriting.project import Project
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
FIXED = {"parameters": "s=1, bias=False", "size": "kernel_size=3, stride=s, padding=1", "bias": ", bias=bias"}


def first_draft(folder: Path, own: dict[str, str], call: str, *, head: str = "from .layers import DSConv\n") -> str:
    """The call as the first draft writes it, in a file beside the one with the class."""
    Path(folder, "layers.py").write_text(OWN.format(**{"more": "", **own}))
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
    draft = next(of_code("CVL502").drafts(place, Replacement("CVL502"), all_fit=True))
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


def test_a_class_that_the_file_does_not_know_is_not_called(tmp_path: Path) -> None:
    assert first_draft(tmp_path, PLAIN, "nn.Conv2d(32, 64, 3)", head="").startswith("DepthwiseSeparableConv2d")
