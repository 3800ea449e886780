"""Suggestions as Markdown, for the comment of a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Report
from convlint.outputs.parts.log_commands import without_commands
from convlint.outputs.parts.markdown_text import cell, code
from convlint.outputs.suggestions import front
from convlint.outputs.suggestions.text import count_change, latency, layer_names, memory, placed, totals, verification


def render(report: Report, *, explain: bool = False) -> str:
    """A table of the suggestions, the totals and the diff; ``explain`` adds unchanged layers and the reasons."""
    parts = [*_head(report), *_table(report), *_together(report)]
    if explain:
        parts += _refusals(report)
    return without_commands("\n".join(parts)) + "\n"


def _head(report: Report) -> Iterator[str]:
    for problem in report.problems:
        yield f"**problem** [{problem.kind}] {cell(problem.message)}\n"
    summary = front.headline(report)
    if summary:
        yield f"**{cell(summary)}**\n"
    for model in report.models:
        yield f"### Rewrites of {code(model.target)} on {code('; '.join(model.inputs))}\n"


def _table(report: Report) -> Iterator[str]:
    suggestions = report.suggestions
    if not suggestions:
        yield f"{front.without_any(report)}\n"
        return
    yield "| rewrite | location | layers | parameters | MACs | memory | verified |"
    yield "|---|---|---|---|---|---|---|"
    for suggestion in suggestions:
        before, after = suggestion.before, suggestion.after
        chosen = "" if suggestion.chosen else " (not in the diff)"
        cells = [
            cell(f"{suggestion.code} {suggestion.title}{chosen}"),
            code(str(suggestion.site)) if suggestion.site else "",
            cell(layer_names(suggestion.instances)),
            cell(count_change(before.params, after.params)),
            cell(count_change(before.macs, after.macs)),
            cell(memory(suggestion)),
            cell(verification(suggestion)),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _together(report: Report) -> Iterator[str]:
    if report.rewritten is None:
        return
    if len(report.rewritten.front) > 1:
        yield f"| {' | '.join(front.HEAD)} |"
        yield f"|{'---|' * len(front.HEAD)}"
        for row in front.rows(report.rewritten):
            yield f"| {' | '.join(map(cell, row))} |"
        yield ""
    yield "Together:\n"
    for name, text in totals(report.rewritten):
        yield f"- {name}: {cell(text)}"
    for timing in report.rewritten.latency:
        yield f"- time: {cell(latency(timing))}"
    if report.rewritten.works:
        yield f"- works as before: {cell(', '.join(report.rewritten.works))}"
    for consequence in report.rewritten.consequences:
        yield f"- {consequence.kind}: {cell(placed(consequence))}"
    yield ""
    for kind, evidence in dict.fromkeys((s.code, s.evidence) for s in report.suggestions):
        yield f"{kind}: {evidence}\n"
    fence = "```"
    while fence in report.rewritten.diff:
        fence += "`"
    yield f"<details><summary>Diff</summary>\n\n{fence}diff\n{report.rewritten.diff}{fence}\n\n</details>"


def _refusals(report: Report) -> Iterator[str]:
    if report.refusals:
        yield "\nNot rewritten:\n"
    for refusal in report.refusals:
        place = code(str(refusal.site)) if refusal.site else "?"
        yield f"- {refusal.code} {place}, {cell(layer_names(refusal.instances))}: {cell(refusal.reason)}"
