"""A class that several files need: one of them defines it, and those that import from it import it too."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convlint.ir import Replacement
from convlint.rewriting.base import Draft, EditedCall
from convlint.rewriting.drafts import apply_drafts
from convlint.rewriting.kinds import of_code
from convlint.rewriting.layer_use import LayerArguments, LayerUse
from convlint.rewriting.project import Project
from convlint.source_text import call_sites, lines

BLOCKS = """\
from torch import nn


def block(width):
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.ReLU())
"""
NET = """\
from torch import nn

{}


class Net(nn.Sequential):
    def __init__(self, width=8):
        super().__init__(block(width), nn.Conv2d(width, 16, 3))
"""


def draft(path: Path, project: Project) -> Draft:
    """The rewrite of the first convolution of a file."""
    text = path.read_text()
    node = next(n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and "Conv2d" in ast.unparse(n.func))
    call = call_sites.at(lines.span(str(path), node, lines.split(text)), project.texts)
    assert call is not None
    use: Any = LayerUse(None, LayerArguments(8, 8, (3, 3)), None, ())  # type: ignore[arg-type]
    return next(
        iter(of_code("CVL502").drafts(EditedCall(call.site, call, (use,)), Replacement("CVL502"), all_fit=True))
    )


def rewritten(folder: Path, imported: str, blocks: str = BLOCKS) -> tuple[str, str]:
    """Both files after the rewrite, which PyTorch runs."""
    files = {folder / "blocks.py": blocks, folder / "net.py": NET.format(imported)}
    for path, text in files.items():
        path.write_text(text)
    project = Project(str(folder))
    written = apply_drafts([draft(path, project) for path in files], project)
    assert not isinstance(written, str)
    for path, (_, after) in written.files.items():
        Path(path).write_bytes(after)
    code = "import torch, net; assert net.Net()(torch.rand(1, 8, 9, 9)).shape == (1, 16, 7, 7)"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    first, second = (path.read_text() for path in files)
    return first, second


DEFINITION = "class DepthwiseSeparableConv2d("
WAYS = {
    "from blocks import block": "from blocks import block, DepthwiseSeparableConv2d\n",
    "from blocks import (\n    block,\n)": "    block,\n    DepthwiseSeparableConv2d,\n)\n",
    "from blocks import (\n    block,\n    nn as layers,\n)": "    nn as layers,\n    DepthwiseSeparableConv2d,\n)\n",
}


@pytest.mark.parametrize("imported", WAYS)
def test_the_file_that_is_imported_defines_it_with_the_parameters_of_both(tmp_path: Path, imported: str) -> None:
    blocks, net = rewritten(tmp_path, imported)
    assert "kernel_size, padding=0, bias=True):" in blocks
    assert DEFINITION not in net
    assert WAYS[imported] in net


@pytest.mark.parametrize("imported", ["from blocks import *", "import blocks\nblock = blocks.block"])
def test_a_file_that_imports_no_name_defines_its_own(tmp_path: Path, imported: str) -> None:
    assert all(DEFINITION in text for text in rewritten(tmp_path, imported))


def test_a_name_that_one_of_them_uses_is_not_imported(tmp_path: Path) -> None:
    blocks, net = rewritten(tmp_path, "from blocks import block", f"DepthwiseSeparableConv2d = None\n{BLOCKS}")
    assert "class DepthwiseSeparableConv2d2(" in blocks
    assert DEFINITION in net
