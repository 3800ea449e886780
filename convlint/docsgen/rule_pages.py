"""The documentation of rules and rewrites: the list and the pages that ``convlint rule`` prints, and the files in
docs/rules.

``python -m convlint.docsgen.rule_pages docs/rules`` writes the files; a test compares them with the rules.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import textwrap
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from convlint.rewriting.base import Kind
from convlint.rewriting.kinds import kinds
from convlint.rules.base import Rule
from convlint.rules.example_files import Example
from convlint.rules.registry import rules


class UnknownRuleError(LookupError):
    """No rule has that code or name; the message suggests similar ones."""


def entries() -> list[Rule | Kind]:
    """Return every rule and every rewrite, in the order of the codes."""
    return sorted([*rules().values(), *kinds().values()], key=lambda entry: entry.code)


def find(code: str) -> Rule | Kind:
    """Return the rule or rewrite with a code or name, in any case. Raises UnknownRuleError."""
    named: dict[str, Rule | Kind] = {}
    for entry in entries():
        more = entry.variant_codes if isinstance(entry, Kind) else ()
        named |= dict.fromkeys((entry.name.upper(), entry.code, *more), entry)
    wanted = code.strip().upper()
    if wanted in named:
        return named[wanted]
    begun = sorted((k for k in named if k.startswith(wanted)), key=lambda k: named[k].code)
    near = [f"{named[key].code} ({named[key].name})" for key in begun[:3] or get_close_matches(wanted, named, 3)]
    hint = f"did you mean {' or '.join(dict.fromkeys(near))}?" if near else "`convlint rule` lists all"
    raise UnknownRuleError(f"unknown rule {code!r}; {hint}")


def summary(rule: Rule | Kind) -> str:
    """Return the first sentence of a rule's page."""
    return " ".join(rule.page().split("\n\n", 1)[0].split())


_INDENT = 4  # of a summary that continues where there is no room below it


def listing(output_format: str = "text", width: int | None = None) -> str:
    """List all rules, one a line: code, name, severity, summary; with "json" as a list of objects.

    With a ``width``, a summary continues below its beginning.
    """
    if output_format == "json":
        return json.dumps([_facts(entry) for entry in entries()], indent=2)
    widest = max(len(entry.name) for entry in entries())
    lines = []
    for entry in entries():
        head = f"{entry.code}  {entry.name:<{widest}}  {_severity(entry):<7}  "
        indent = " " * (len(head) if width is None or width >= 2 * len(head) - 1 else _INDENT)
        whole = head + summary(entry)
        lines += (
            [whole] if width is None else textwrap.wrap(whole, width, subsequent_indent=indent, break_on_hyphens=False)
        )
    return "\n".join(lines)


def page(code: str, output_format: str = "text") -> str:
    """Return the page of a rule or rewrite in Markdown, or with "json" as an object. Raises UnknownRuleError."""
    rule = find(code)
    if output_format != "json":
        return markdown(rule)
    if isinstance(rule, Kind):
        return json.dumps(_facts(rule) | {"page": rule.page()}, indent=2)
    examples = {
        kind: [{"source": e.source, "call": "Net", "input": list(e.input), "options": list(e.options)} for e in group]
        for kind, group in (("bad", rule.bad), ("good", rule.good))
    }
    return json.dumps(_facts(rule) | {"page": rule.page()} | examples, indent=2)


def markdown(rule: Rule | Kind) -> str:
    """Return the page of a rule, with its examples, or of a rewrite, with the code that it inserts."""
    return _markdown_of_kind(rule) if isinstance(rule, Kind) else _markdown_of_rule(rule)


def _markdown_of_kind(kind: Kind) -> str:
    helpers = "\n\n".join(helper.text for helper in kind.helpers(kind.example))
    parts = [
        f"# {kind.code}: {kind.name}",
        f"Proposed by `convlint suggest`, alone with `--kind {kind.name}`.",
        kind.page(),
        "## Published effect",
        f"{kind.evidence}.",
        "## Put into the file",
        _block(helpers),
    ]
    return "\n\n".join(parts) + "\n"


def _markdown_of_rule(rule: Rule) -> str:
    what, why, instead, *rest = re.split(r"\n\n(?=## )", rule.page())
    bad, *more_bad = rule.bad
    repaired = fixed(bad) or next(good.source for good in rule.good if good.name == bad.name)
    others = [good for good in rule.good if good.source != repaired]
    parts = [
        f"# {rule.code}: {rule.name}",
        f"Severity: {rule.severity}. Decided by: {_deciders(rule)}.",
        "## What it does",
        what,
        why,
        "## Example",
        *(_example(rule, example) for example in (bad, *more_bad)),
        instead,
        _block(repaired),
        *rest,
        *(["## Not reported"] if others else []),
        *(_example(rule, example) for example in others),
    ]
    return "\n\n".join(parts) + "\n"


def fixed(example: Example) -> str | None:
    """Return an example after its fix, without docstring and marks of reported lines; None if there is no fix."""
    text = example.fixed and re.sub(r'\A""".*"""\n\n', "", example.fixed)
    return text and re.sub(r"  # CVL\d+$", "", text, flags=re.MULTILINE)


def index() -> str:
    """Return the table of all rules in Markdown."""
    rows = [
        f"| [{entry.code}]({entry.code}.md) | {entry.name} | {_severity(entry)} "
        f"| {_deciders(entry)} | {summary(entry)} |"
        for entry in entries()
    ]
    head = ["| code | name | severity | decided by | what it reports |", "|---|---|---|---|---|"]
    about = "Generated from the rules by `python -m convlint.docsgen.rule_pages docs/rules`."
    return "\n".join(["# Rules", "", about, "", *head, *rows]) + "\n"


def files() -> dict[str, str]:
    """Return the text of every generated file by its name."""
    return {f"{entry.code}.md": markdown(entry) for entry in entries()} | {"index.md": index()}


def _severity(entry: Rule | Kind) -> str:
    """Return the severity of a rule, or "suggest" for a rewrite."""
    return "suggest" if isinstance(entry, Kind) else entry.severity


def _deciders(rule: Rule | Kind) -> str:
    if isinstance(rule, Kind):
        return "a run"
    names = {"source": "static analysis", "run": "a run"}
    return " or ".join(names[mode] for mode in rule.decided_by)


def _example(rule: Rule, example: Example) -> str:
    words = ["convlint", "check", "net.py"]
    if "run" in rule.decided_by:
        words[-1] = "net.py:Net"
        words += [word for shape in example.input for word in ("--input", shape)]
    return f"{_block(example.source)}\n\n`{shlex.join([*words, *example.options])}`"


def _block(source: str) -> str:
    return f"```python\n{source.rstrip()}\n```"


def _facts(rule: Rule | Kind) -> dict[str, Any]:
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": _severity(rule),
        "decided_by": ["run"] if isinstance(rule, Kind) else list(rule.decided_by),
        "summary": summary(rule),
    }


def main(folder: str) -> None:
    """Write the generated files into ``folder`` and delete the pages of rules that no longer exist."""
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
