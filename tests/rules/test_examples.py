"""Every rule's examples: a bad one fires exactly on its marked lines, a good one is silent, in every mode that
decides the rule; fixes give the fixed file, and a ``noqa`` comment silences every finding.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from convlint.findings import fix_loop, suppressions
from convlint.ir import Finding, Graph
from convlint.pipelines import run_models
from convlint.rules.base import Decides, Rule
from convlint.rules.example_files import FOLDER, Example
from convlint.rules.registry import decided_by, rules
from tests.rules.check_example import Check, StartWorker

ALL = list(rules().values())


def examples(kind: str, rules: Sequence[Rule] = ALL) -> list[ParameterSet]:
    return [
        pytest.param(mode, rule, example, id=f"{rule.code}-{mode}-{kind}-{example.name}")
        for rule in rules
        for example in getattr(rule, kind)
        for mode in example.decided_by(rule.decided_by)
    ]


def lines_of(rule: Rule, found: Sequence[Finding]) -> list[int]:
    return sorted(f.site.line for f in found if f.code == rule.code and f.site is not None)


def marked(code: str, source: str) -> list[int]:
    lines = enumerate(source.splitlines(), 1)
    return [number for number, line in lines if line.endswith(f"# {code}")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "net.py"


@pytest.mark.parametrize(("mode", "rule", "example"), [*examples("bad"), *examples("good")])
def test_example(mode: Decides, rule: Rule, example: Example, start_worker: StartWorker, file: Path) -> None:
    found = Check(mode, start_worker, file, example).source(example.source)
    lines = marked(rule.code, example.source)
    assert lines_of(rule, found) == lines
    assert all("\n" not in f.message and f.message for f in found)
    if rule.severity == "error" or not lines:
        rest = [f for f in found if f.severity == "error" and f.code != rule.code]
        assert not rest, "an error of another rule"


# --- no other rule, no other mode


@pytest.mark.parametrize("rule", decided_by("run"), ids=lambda rule: rule.code)
def test_a_run_of_the_main_example_finds_nothing_else(rule: Rule, start_worker: StartWorker, file: Path) -> None:
    example = replace(rule.bad[0], input=())  # it has an example_input_array
    found = Check("run", start_worker, file, example).source(example.source)
    places = [(f.code, f.site.line) for f in found if f.site is not None]
    assert places == [(rule.code, line) for line in marked(rule.code, example.source)]


@pytest.mark.parametrize(
    ("rule", "example"),
    [
        pytest.param(rule, example, id=f"{rule.code}-{example.name}")
        for rule in ALL
        if len(rule.decided_by) == 1 and rule.family != "file"  # those check no models
        for example in rule.bad
    ],
)
def test_a_rule_is_silent_in_the_mode_that_does_not_decide_it(
    rule: Rule, example: Example, start_worker: StartWorker, file: Path
) -> None:
    other: Decides = "source" if rule.decided_by == ("run",) else "run"
    assert lines_of(rule, Check(other, start_worker, file, example).source(example.source)) == []


def test_only_the_rules_that_a_mode_decides_run_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for rule in ALL:
        monkeypatch.setattr(type(rule), "check", lambda _, __, code=rule.code: asked.append(code) or ())
    run_models.findings(Graph(target=None, status="complete"))
    assert asked == [rule.code for rule in ALL if "run" in rule.decided_by]


# --- fixes and comments


@pytest.mark.parametrize(("mode", "rule", "example"), examples("bad"))
def test_fixes_give_the_fixed_file(
    mode: Decides, rule: Rule, example: Example, start_worker: StartWorker, file: Path
) -> None:
    select = "CVL" if rule.family == "file" else rule.code  # an unused comment names another rule
    check = Check(mode, start_worker, file, example, (select,))
    done = fix_loop.fix_files({str(file): example.source.encode()}, check, unsafe=True)
    assert done.converged
    assert not done.dropped
    assert all(f.fix is None or f.fix.applicability == "display" for f in done.remaining)
    assert [data.decode() for data in done.files.values()] == [example.fixed] * bool(example.fixed)
    for data in done.files.values():
        assert not fix_loop.fix_files({str(file): data}, check, unsafe=True).files


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "rule", "example"), examples("bad", decided_by("run")))
def test_noqa_silences_every_rule(
    mode: Decides, rule: Rule, example: Example, start_worker: StartWorker, file: Path
) -> None:
    check = Check(mode, start_worker, file, example, (rule.code,))
    found = check.source(example.source)
    data, count = suppressions.add_noqa(example.source.encode(), found)
    assert count == len([f for f in found if f.site is not None])
    assert [f for f in check.source(data.decode()) if f.site is not None] == []
    assert not suppressions.unused(str(file), data, found, [rule.code])


# --- the files


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.code)
def test_examples_are_marked_and_named(rule: Rule) -> None:
    assert rule.bad
    assert rule.good
    assert rule.bad[0].name == rule.name.replace("-", "_")
    for example in (*(rule.bad if rule.code != "CVL901" else ()), *rule.good):
        ast.parse(example.source)
    assert all(marked(rule.code, example.source) for example in rule.bad)
    assert not any(f"# {rule.code}" in example.source for example in rule.good)
    assert rule.good[0].name == rule.bad[0].name or rule.bad[0].fixed


def test_every_file_is_an_example_of_a_rule() -> None:
    expected = {
        f"{rule.code}/{kind}_{example.name}{suffix}"
        for rule in ALL
        for kind in ("bad", "good")
        for example in getattr(rule, kind)
        for suffix in (".py", ".fixed.py" if example.fixed else ".py")
    }
    expected = {re.sub("(CVL901/bad.*)", r"\1.txt", name) for name in expected}
    files = [file for file in FOLDER.rglob("*.*") if "__pycache__" not in file.parts]
    assert {file.relative_to(FOLDER).as_posix() for file in files} == expected
