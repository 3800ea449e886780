"""Suggestions as Markdown, for the comment of a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Report, Suggestion
from convlint.outputs.parts.markdown_text import cell, code
from convlint.outputs.suggestions.text import changed, listed, memory, timed, totals, verified


def render(report: Report, *, explain: bool = False) -> str:
    """A table of the suggestions, the totals, and the diff; ``explain`` adds what stays as it is, and why."""
    parts = [*_head(report), *_table(report.suggestions), *_together(report)]
    if explain:
        parts += _refusals(report)
    return "\n".join(parts) + "\n"


def _head(report: Report) -> Iterator[str]:
    for problem in report.problems:
        yield f"**problem** [{problem.kind}] {cell(problem.message)}\n"
    for model in report.models:
        yield f"### Rewrites of {code(model.target)} on {code('; '.join(model.inputs))}\n"


def _table(suggestions: Sequence[Suggestion]) -> Iterator[str]:
    if not suggestions:
        yield "Nothing to rewrite.\n"
        return
    yield "| rewrite | where | layers | parameters | MACs | memory | verified |"
    yield "|---|---|---|---|---|---|---|"
    for one in suggestions:
        chosen = "" if one.chosen else " (not in the diff)"
        cells = [
            cell(f"{one.code} {one.title}{chosen}"),
            code(str(one.site)) if one.site else "",
            cell(listed(one.instances)),
            cell(changed(one.before.params, one.after.params)),
            cell(changed(one.before.macs, one.after.macs)),
            cell(memory(one)),
            cell(verified(one)),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _together(report: Report) -> Iterator[str]:
    if report.rewritten is None:
        return
    yield "Together:\n"
    for name, text in totals(report.rewritten):
        yield f"- {name}: {cell(text)}"
    for timing in report.rewritten.latency:
        yield f"- time: {cell(timed(timing))}"
    yield ""
    for kind, effect in dict.fromkeys((one.code, one.evidence) for one in report.suggestions):
        yield f"{kind}: {effect}\n"
    fence = "```"
    while fence in report.rewritten.diff:
        fence += "`"
    yield f"<details><summary>Diff</summary>\n\n{fence}diff\n{report.rewritten.diff}{fence}\n\n</details>"


def _refusals(report: Report) -> Iterator[str]:
    if report.refusals:
        yield "\nNot rewritten:\n"
    for refusal in report.refusals:
        place = code(str(refusal.site)) if refusal.site else "?"
        yield f"- {refusal.code} {place}, {cell(listed(refusal.instances))}: {cell(refusal.reason)}"
