"""The style gates: the linter, the formatter and the type checker have nothing to say, and files are short."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 320  # lines


@pytest.mark.slow
@pytest.mark.parametrize("gate", ["ruff check", "ruff format --check", "mypy"])
def test_gate(gate: str) -> None:
    done = subprocess.run([sys.executable, "-m", *gate.split()], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_is_short_or_the_architecture_page_says_why_not() -> None:
    files = [file for folder in ("convlint", "bench") for file in (ROOT / folder).rglob("*.py")]
    long = {
        file.relative_to(ROOT).as_posix() for file in files if file.read_text(encoding="utf-8").count("\n") > LONGEST
    }
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition("### Long files\n")[2].partition("\n## ")[0]
    assert long == set(re.findall(r"^\| `(\S+)` \|", section, re.MULTILINE))
