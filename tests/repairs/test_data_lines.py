"""The lines of data files that are named beside an error about their numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from convlint.pipelines.file_linter import lint_text
from convlint.source_text.texts import SourceTexts
from convlint.static import Project

NET = """\
import json, tomllib, yaml
from torch import nn

with open("cfg.{suffix}", "rb") as f:
    cfg = {read}(f)
width = cfg["width"]

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, width, 3)
        self.b = nn.Conv2d(cfg["head_in"], 4, 1)

    def forward(self, x):
        return self.b(self.a(x))
"""
FILES = {
    "yaml": ("yaml.safe_load", "width: 16\nhead_in: 24  # of the head\nothers: [24]\n", {"width": 1, "head_in": 2}),
    "json": ("json.load", '{\n  "head_in": 24,\n  "width": 16\n}\n', {"width": 3, "head_in": 2}),
    "toml": ("tomllib.load", "head_in = 24\nwidth = 16\n", {"width": 2, "head_in": 1}),
    "yml": ("yaml.safe_load", "width: 16\nhead_in: 24\nother:\n  width: 16\n", {"head_in": 2}),
}


@pytest.mark.parametrize("suffix", FILES)
def test_the_lines_of_a_file_that_the_numbers_of_an_error_come_from(suffix: str, tmp_path: Path) -> None:
    read, content, lines = FILES[suffix]
    (tmp_path / f"cfg.{suffix}").write_text(content)
    path, text = str(tmp_path / "net.py"), NET.format(suffix=suffix, read=read)
    Path(path).write_text(text)
    (found,) = lint_text(path, text.encode(), Project(str(tmp_path), (), SourceTexts())).findings
    named = {each.message: each.site.line for each in found.related if each.site.path.endswith(suffix)}
    number = {"width": 16, "head_in": 24}
    assert named == {f"`{key}` is {number[key]} here": line for key, line in lines.items()}
