"""What the rules and the rewrites say of themselves: the list and the page that ``convlint rule`` prints,
and the files in docs/rules.

``python -m convlint.docsgen.rule_pages docs/rules`` writes the files. A test holds them equal to what is
generated here.
"""

from __future__ import annotations

import json
import shlex
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from convlint.rewriting.base import Kind
from convlint.rewriting.kinds import kinds
from convlint.rules.base import Example, Rule
from convlint.rules.registry import rules


class UnknownRuleError(LookupError):
    """No rule has that code or name; the message names the nearest ones."""


def entries() -> list[Rule | Kind]:
    """Every rule and every rewrite, in the order of the codes."""
    return sorted([*rules().values(), *kinds().values()], key=lambda entry: entry.code)


def find(code: str) -> Rule | Kind:
    """The rule, or rewrite, of that code or name, in any case. Raises UnknownRuleError."""
    named: dict[str, Rule | Kind] = {}
    for entry in entries():
        more = entry.more_codes if isinstance(entry, Kind) else ()
        named |= dict.fromkeys((entry.name.upper(), entry.code, *more), entry)
    wanted = code.strip().upper()
    if wanted in named:
        return named[wanted]
    begun = sorted((k for k in named if k.startswith(wanted)), key=lambda k: named[k].code)
    near = [
        f"{named[key].code} ({named[key].name})"
        for key in begun[:3] or get_close_matches(wanted, named, 3)
    ]
    hint = (
        f"did you mean {' or '.join(dict.fromkeys(near))}?" if near else "`convlint rule` lists all"
    )
    raise UnknownRuleError(f"there is no rule {code!r}; {hint}")


def summary(rule: Rule | Kind) -> str:
    """The first sentence of a rule's page."""
    return " ".join(rule.page().split("\n\n", 1)[0].split())


def listing(output_format: str = "text") -> str:
    """All rules, one a line: code, name, severity, what it reports. With "json": a list of objects."""
    if output_format == "json":
        return json.dumps([_facts(entry) for entry in entries()], indent=2)
    widest = max(len(entry.name) for entry in entries())
    return "\n".join(
        f"{entry.code}  {entry.name:<{widest}}  {_severity(entry):<7}  {summary(entry)}"
        for entry in entries()
    )


def page(code: str, output_format: str = "text") -> str:
    """One rule's page in Markdown, or with "json" as an object. Raises UnknownRuleError."""
    rule = find(code)
    if output_format != "json":
        return markdown(rule)
    if isinstance(rule, Kind):
        return json.dumps(_facts(rule) | {"page": rule.page()}, indent=2)
    examples = {kind: [_example_facts(e) for e in getattr(rule, kind)] for kind in ("bad", "good")}
    return json.dumps(_facts(rule) | {"page": rule.page()} | examples, indent=2)


def markdown(rule: Rule | Kind) -> str:
    """A page: its facts, its docstring; of a rule its examples with the command that shows each, of a rewrite the
    text that it puts into a file.
    """
    return _markdown_of_kind(rule) if isinstance(rule, Kind) else _markdown_of_rule(rule)


def _markdown_of_kind(kind: Kind) -> str:
    helpers = "\n\n".join(helper.text for helper in kind.helpers(kind.usual))
    parts = [
        f"# {kind.code}: {kind.name}",
        f"Proposed by `convlint suggest`, alone with `--kind {kind.name}`.",
        kind.page(),
        "## Published effect",
        f"{kind.evidence}.",
        "## Put into the file",
        f"```python\n{helpers.rstrip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _markdown_of_rule(rule: Rule) -> str:
    parts = [
        f"# {rule.code}: {rule.name}",
        f"Severity: {rule.severity}. Decided by: {_deciders(rule)}.",
        rule.page(),
        "## Reported",
        *(_example(rule, example) for example in rule.bad),
        "## Not reported",
        *(_example(rule, example) for example in rule.good),
    ]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The table of all rules, in Markdown."""
    rows = [
        f"| [{entry.code}]({entry.code}.md) | {entry.name} | {_severity(entry)} "
        f"| {_deciders(entry)} | {summary(entry)} |"
        for entry in entries()
    ]
    head = ["| code | name | severity | decided by | what it reports |", "|---|---|---|---|---|"]
    about = "Generated from the rules by `python -m convlint.docsgen.rule_pages docs/rules`."
    return "\n".join(["# Rules", "", about, "", *head, *rows]) + "\n"


def files() -> dict[str, str]:
    """Every generated file by its name."""
    return {f"{entry.code}.md": markdown(entry) for entry in entries()} | {"index.md": index()}


def _severity(entry: Rule | Kind) -> str:
    """The severity of a rule; a rewrite is no defect."""
    return "suggest" if isinstance(entry, Kind) else entry.severity


def _deciders(rule: Rule | Kind) -> str:
    if isinstance(rule, Kind):
        return "a run"
    return " or ".join({"source": "source alone", "run": "a run"}[way] for way in rule.decided_by)


def _example(rule: Rule, example: Example) -> str:
    words = ["convlint", "check", "net.py"]
    if "run" in rule.decided_by:
        words[-1] = f"net.py:{example.call}"
        words += [word for shape in example.input for word in ("--input", shape)]
    return (
        f"```python\n{example.source.rstrip()}\n```\n\n`{shlex.join([*words, *example.options])}`"
    )


def _facts(rule: Rule | Kind) -> dict[str, Any]:
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": _severity(rule),
        "decided_by": ["run"] if isinstance(rule, Kind) else list(rule.decided_by),
        "summary": summary(rule),
    }


def _example_facts(example: Example) -> dict[str, Any]:
    return {
        "source": example.source,
        "call": example.call,
        "input": list(example.input),
        "options": list(example.options),
    }


def main(folder: str) -> None:
    """Write the generated files into ``folder`` and take pages of rules that are gone away."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    generated = files()
    for old in target.glob("CVL*.md"):
        if old.name not in generated:
            old.unlink()
    for name, text in generated.items():
        (target / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
