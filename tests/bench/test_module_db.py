"""The modules of PyTorch's own test suite, one input of each; see bench/module_db.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_modules_are_checked_as_pytorch_runs_them() -> None:
    """In a process of its own: PyTorch's test suite changes global settings when it is imported."""
    command = [sys.executable, "-m", "bench.module_db", "--reduced"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reported = [line for line in done.stdout.splitlines() if line.startswith("| `")]
    assert all("PyTorch raises" in line for line in reported), reported
