"""Conventions that every rule keeps, and the pages generated from them."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import convlint.rules
from convlint.docsgen import rule_pages
from convlint.ir import SEVERITIES
from convlint.rewriting.base import Kind
from convlint.rewriting.kinds import kinds
from convlint.rules import registry
from convlint.rules.base import Rule
from convlint.rules.codes import codes
from convlint.rules.registry import rules

PAGES = Path(__file__).parents[2] / "docs" / "rules"
GENERATE = "run `python -m convlint.docsgen.rule_pages docs/rules`"
ALL = list(rules().values())
HEADINGS = ["Why is this bad?", "Use instead", "Fix safety", "References"]

each_rule = pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.code)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of rules of its own."""
    monkeypatch.setattr(convlint.rules, "__path__", [str(tmp_path)])
    kept = [registry.rule, registry.rules, registry.needs, codes]
    for function in kept:
        function.cache_clear()
    yield tmp_path
    for function in kept:
        function.cache_clear()


def test_two_files_of_one_code_are_refused(folder: Path) -> None:
    (folder / "cvl997_one.py").touch()
    (folder / "cvl997_two.py").touch()
    with pytest.raises(RuntimeError, match="CVL997 is both one and two"):
        codes()


def test_a_file_without_a_rule_is_refused(folder: Path) -> None:
    (folder / "cvl998_empty.py").touch()
    with pytest.raises(RuntimeError, match="must define exactly one rule, not 0"):
        registry.rules()


def test_a_file_that_is_named_after_another_rule_is_refused(folder: Path) -> None:
    source = Path(sys.modules[type(ALL[0]).__module__].__file__ or "").read_text("utf-8")
    (folder / "cvl999_moved.py").write_text(source, "utf-8")
    with pytest.raises(RuntimeError, match=f"cvl999_moved defines {ALL[0].code}"):
        registry.rule("CVL999")


def test_a_rule_is_the_same_alone_and_among_all() -> None:
    assert all(registry.rule(code) is rule for code, rule in rules().items())


def test_an_unknown_code_is_no_rule() -> None:
    with pytest.raises(KeyError):
        registry.rule("CVL000")


def test_names_are_unique() -> None:
    assert len({rule.name for rule in ALL}) == len(ALL)


@each_rule
def test_file_is_named_after_code_and_name(rule: Rule) -> None:
    file = Path(sys.modules[type(rule).__module__].__file__ or "")
    assert re.fullmatch(r"CVL\d{3}", rule.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert file.name == f"{rule.code.lower()}_{rule.name.replace('-', '_')}.py"
    assert type(rule).__name__ == "".join(word.capitalize() for word in rule.name.split("-"))
    assert rule.severity in SEVERITIES


@each_rule
def test_attributes_of_a_rule_agree(rule: Rule) -> None:
    assert rule.family == {"1": "invalid", "2": "latent", "3": "advice", "9": "file"}[rule.code[3]]
    assert rule.decided_by
    static = "source" in rule.decided_by and rule.family != "file"
    assert hasattr(rule, "needs") == static
    assert registry.needs().get(rule.code) == (rule.needs if static else None)


@each_rule
def test_page_has_its_headings_in_order(rule: Rule) -> None:
    found = re.findall(r"^#+ (.*)$", rule.page(), flags=re.MULTILINE)
    assert found[:2] == HEADINGS[:2]
    assert found == [heading for heading in HEADINGS if heading in found]
    assert re.fullmatch(r"[A-Z`].*\.", rule_pages.summary(rule)), "the page opens with one sentence"


def test_a_page_shows_the_command_that_checks_its_example() -> None:
    assert "`convlint check net.py:Net --input 3,32,32`" in rule_pages.page("CVL301")
    assert "`convlint check net.py --extend-select CVL902`" in rule_pages.page("CVL902")


@each_rule
def test_generated_page_is_up_to_date(rule: Rule) -> None:
    written = (PAGES / f"{rule.code}.md").read_text(encoding="utf-8")
    assert written == rule_pages.markdown(rule), GENERATE


def test_generated_pages_are_up_to_date() -> None:
    written = {file.name: file.read_text(encoding="utf-8") for file in PAGES.glob("*.md")}
    assert written == rule_pages.files(), GENERATE


def test_pages_are_written_and_stale_ones_removed(tmp_path: Path) -> None:
    (tmp_path / "CVL999.md").write_text("a rule that is gone")
    (tmp_path / "notes.md").write_text("not generated")
    rule_pages.main(str(tmp_path))
    assert {file.name for file in tmp_path.iterdir()} == {*rule_pages.files(), "notes.md"}


def test_listing_names_every_rule_on_one_line() -> None:
    lines = rule_pages.listing().splitlines()
    every = [[rule.code, rule.name, rule.severity] for rule in ALL]
    every += [[kind.code, kind.name, "suggest"] for kind in kinds().values()]
    assert [line.split()[:3] for line in lines] == sorted(every)
    facts = json.loads(rule_pages.listing("json"))
    assert [fact["code"] for fact in facts] == sorted(code for code, *_ in every)
    assert all(fact["summary"] and fact["decided_by"] for fact in facts)


@pytest.mark.parametrize("asked", ["CVL301", "cvl301", "bias-before-norm"])
def test_page_is_found_by_code_or_name(asked: str) -> None:
    assert rule_pages.page(asked).startswith("# CVL301: bias-before-norm\n")
    facts = json.loads(rule_pages.page(asked, "json"))
    assert facts["code"] == "CVL301"
    assert "## Why is this bad?" in facts["page"]
    for example in facts["bad"] + facts["good"]:
        ast.parse(example["source"])


each_kind = pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.code)


@each_kind
def test_the_file_of_a_rewrite_is_called_after_it(kind: Kind) -> None:
    name = f"{kind.code.lower()}_{kind.name.replace('-', '_')}"
    assert type(kind).__module__ == f"convlint.rewriting.kinds.{name}"


@each_kind
def test_the_page_of_a_rewrite_says_what_it_saves_and_costs(kind: Kind) -> None:
    headings = re.findall(r"^## (.+)$", rule_pages.page(kind.code), re.MULTILINE)
    assert headings[:2] == ["What it saves", "What it costs"]
    assert headings[-3:] == ["References", "Published effect", "Put into the file"]
    assert rule_pages.page(kind.name) == rule_pages.page(kind.code)


@each_kind
def test_what_a_rewrite_puts_into_a_file_parses(kind: Kind) -> None:
    for helper in kind.helpers(kind.example):
        (definition,) = ast.parse(helper.text).body
        assert isinstance(definition, ast.ClassDef | ast.FunctionDef)
        assert definition.name == helper.name
        assert ast.get_docstring(definition)
        assert max(map(len, helper.text.splitlines())) <= 100


def test_variants_of_a_rewrite_are_on_its_page() -> None:
    assert rule_pages.page("CVL505") == rule_pages.page("CVL502")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("CVL31", "CVL301"),
        ("bias-befor-norm", r"did you mean CVL301 \(bias-before-norm\)"),
        ("xyzzy", "`convlint rule` lists all"),
    ],
)
def test_unknown_code_names_the_nearest(asked: str, answer: str) -> None:
    with pytest.raises(rule_pages.UnknownRuleError, match=answer):
        rule_pages.page(asked)
