"""Every rule's examples, checked for real: a bad one fires exactly on its marked lines, a good one
is silent. It is so in every way in which the rule is decided, by a run and from source alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from convlint.ir import Finding, Graph
from convlint.pipelines import run_models
from convlint.pipelines.lint_files import Linter
from convlint.rules.base import Decides, Example, Rule
from convlint.rules.registry import rules
from convlint.runtime.worker.client import Worker
from convlint.settings.config import Config, ModelEntry
from convlint.settings.input_shapes import parse_input
from convlint.settings.targets import parse_target
from convlint.support.quantities import BUDGETS

EVERYTHING = Config(select=("CVL",))
EXAMPLES = [
    pytest.param(way, rule, example, id=f"{code}-{way}-{kind}-{number}")
    for code, rule in rules().items()
    for kind in ("bad", "good")
    for number, example in enumerate(getattr(rule, kind), 1)
    for way in example.decided_by or rule.decided_by
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


def ran(worker: Worker, example: Example, file: Path) -> Sequence[Finding]:
    """All that is found in an example that is run, of every rule."""
    train, budgets = options(example.options)
    asked = run_models.Options(
        inputs=tuple(map(parse_input, example.input)), train=train, budgets=budgets, timeout=60
    )
    jobs = run_models.jobs([parse_target(f"{file}:{example.call}")], asked, EVERYTHING)
    report = run_models.check(jobs, worker.run, EVERYTHING)
    assert not report.problems
    return report.findings


def read(example: Example, file: Path) -> Sequence[Finding]:
    """All that is found in an example that is only read, where its call is a configured model."""
    inputs = tuple(map(parse_input, example.input))
    model = ModelEntry(parse_target(f"{file}:{example.call}"), inputs)
    linter = Linter(Config(select=("CVL",), models=(model,)))
    found = linter.find({str(file): file.read_bytes()})
    assert not linter.problems
    return found


def lines_of(rule: Rule, found: Sequence[Finding]) -> list[int]:
    return [f.site.line for f in found if f.code == rule.code and f.site is not None]


ELSEWHERE = [
    pytest.param(rule, example, id=f"{code}-{number}")
    for code, rule in rules().items()
    if len(rule.decided_by) == 1 and rule.family != "file"  # those look at no model
    for number, example in enumerate(rule.bad, 1)
]


@pytest.mark.parametrize(("rule", "example"), ELSEWHERE)
def test_a_rule_is_silent_in_the_mode_that_does_not_decide_it(
    rule: Rule, example: Example, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    file = tmp_path / "net.py"
    file.write_text(example.source, encoding="utf-8")
    found = (
        read(example, file)
        if rule.decided_by == ("run",)
        else ran(request.getfixturevalue("worker"), example, file)
    )
    assert lines_of(rule, found) == []


def test_only_the_rules_that_a_mode_decides_run_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for code, rule in rules().items():
        monkeypatch.setattr(rule, "check", lambda _, code=code: asked.append(code) or iter(()))
    run_models.findings(Graph(target=None, status="complete"))
    assert asked == [code for code, rule in rules().items() if "run" in rule.decided_by]


@pytest.mark.parametrize(("way", "rule", "example"), EXAMPLES)
def test_example(
    way: Decides, rule: Rule, example: Example, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    file = tmp_path / "net.py"
    file.write_text(example.source, encoding="utf-8")
    found = (
        ran(request.getfixturevalue("worker"), example, file)
        if way == "run"
        else read(example, file)
    )
    marked = [
        number
        for number, line in enumerate(example.source.splitlines(), 1)
        if line.endswith(f"# {rule.code}")
    ]
    assert sorted(lines_of(rule, found)) == marked
    assert all("\n" not in f.message and f.message for f in found)
    if rule.severity == "error" or not marked:
        rest = [f for f in found if f.severity == "error" and f.code != rule.code]
        assert not rest, "an error of another rule"
