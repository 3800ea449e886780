"""The models under fixtures/broken: each gives its own code, at its line, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import convlint
from convlint.rules.registry import rules

ROOT = Path(__file__).parents[2]
BROKEN = sorted((ROOT / "fixtures" / "broken").glob("*.py"))


def marked(file: Path) -> set[tuple[str, int]]:
    """The codes that stand in comments at the ends of lines, and their lines."""
    lines = file.read_text(encoding="utf-8").splitlines()
    found = {(number, re.search(r"# (CVL\d+)$", line)) for number, line in enumerate(lines, 1)}
    return {(match[1], number) for number, match in found if match}


def test_every_rule_that_a_run_decides_has_a_broken_model() -> None:
    decided_by_a_run = {code for code, rule in rules().items() if "run" in rule.decided_by}
    assert {code for file in BROKEN for code, _ in marked(file)} == decided_by_a_run


@pytest.mark.slow
@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_broken_model_gives_its_code_at_its_line(file: Path) -> None:
    report = convlint.check(f"{file}:Net", max_params=100_000 if "cvl113" in file.name else None)
    assert not report.problems
    assert {(f.code, f.site.line) for f in report if f.site is not None} == marked(file)
