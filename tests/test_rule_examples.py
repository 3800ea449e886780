"""Every rule's examples, run for real: a bad one fires exactly on its marked lines, a good one is
silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from convlint import run
from convlint.catalogue import rules
from convlint.config import BUDGETS, Config
from convlint.model import Finding
from convlint.rule import Example, Rule
from convlint.targets import parse_input, parse_target
from convlint.trace.client import Worker

EXAMPLES = [
    pytest.param(rule, example, id=f"{code}-{kind}-{number}")
    for code, rule in rules().items()
    for kind in ("bad", "good")
    for number, example in enumerate(getattr(rule, kind), 1)
]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


def options(words: Sequence[str]) -> tuple[bool, dict[str, int]]:
    """The options that an example gives: whether to train, and budgets."""
    train = "--train" in words
    rest = [word for word in words if word != "--train"]
    budgets = {
        name.removeprefix("--"): BUDGETS[name.removeprefix("--")](value, name)
        for name, value in zip(rest[::2], rest[1::2], strict=True)
    }
    return train, budgets


def check(worker: Worker, example: Example, folder: Path) -> Sequence[Finding]:
    """All findings on an example, of every rule."""
    file = folder / "net.py"
    file.write_text(example.source, encoding="utf-8")
    train, budgets = options(example.options)
    asked = run.Options(
        inputs=tuple(map(parse_input, example.input)), train=train, budgets=budgets, timeout=60
    )
    settings = Config(select=("CVL",))
    jobs = run.jobs([parse_target(f"{file}:{example.call}")], asked, settings)
    report = run.check(jobs, worker.run, settings)
    assert not report.problems
    return report.findings


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_example(rule: Rule, example: Example, worker: Worker, tmp_path: Path) -> None:
    found = check(worker, example, tmp_path)
    lines = [f.site.line for f in found if f.code == rule.code and f.site is not None]
    marked = [
        number
        for number, line in enumerate(example.source.splitlines(), 1)
        if line.endswith(f"# {rule.code}")
    ]
    assert sorted(lines) == marked
    assert all("\n" not in f.message and f.message for f in found)
    if rule.severity == "error" or not marked:
        rest = [f for f in found if f.severity == "error" and f.code != rule.code]
        assert not rest, "an error of another rule"
