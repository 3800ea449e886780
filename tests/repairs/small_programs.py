"""Programs of one file: what a check reports in them, and what PyTorch does with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import convlint
from convlint.ir import Finding
from convlint.source_text.edits import apply

HEAD = """
import torch
from torch import nn
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_worker: None) -> None:
    """Each test has a folder of its own for its file; all share a worker."""
    monkeypatch.chdir(tmp_path)


def errors(source: str, target: str = "net.py", **options: Any) -> list[Finding]:
    """Write the program to net.py and check it."""
    Path("net.py").write_text(source)
    return [finding for finding in convlint.check(target, **options) if finding.severity == "error"]


def run(source: str, batch: int = 2) -> Any:
    """Build the program's Net and call it. Raises what PyTorch raises."""
    import torch

    names: dict[str, Any] = {"__name__": "net"}
    exec(compile(source, "net.py", "exec"), names)  # noqa: S102 - the program under test
    return names["Net"]()(torch.zeros(batch, 3, 32, 32))


def assert_mended(source: str, wrong: str, *repair: str) -> None:
    """PyTorch refuses the program; its one error is at the line with ``wrong``, and with the repair it runs."""
    with pytest.raises((RuntimeError, ValueError)):
        run(source)
    (finding,) = errors(source)
    assert finding.site is not None
    assert wrong in source.splitlines()[finding.site.line - 1]
    assert [edit.text for edit in finding.repairs[0].edits] == [*repair]
    repaired = apply(source.encode(), finding.repairs[0].edits).decode()
    assert run(repaired) is not None
    assert errors(repaired) == []
