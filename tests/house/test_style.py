"""The style gates: the linter, the formatter and the type checker have nothing to say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("gate", ["ruff check", "ruff format --check", "mypy"])
def test_gate(gate: str) -> None:
    done = subprocess.run([sys.executable, "-m", *gate.split()], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
