"""Suggestions as Markdown, for the comment of a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.model import Report, Suggestion
from convlint.outputs.parts.terminal import one_line
from convlint.outputs.suggested.text import changed, listed, memory, timed, totals, verified


def render(report: Report, *, explain: bool = False) -> str:
    """A table of the suggestions, the totals, and the diff; ``explain`` adds what stays as it is, and why."""
    parts = [*_head(report), *_table(report.suggestions), *_together(report)]
    if explain:
        parts += _refusals(report)
    return "\n".join(parts) + "\n"


def _head(report: Report) -> Iterator[str]:
    for problem in report.problems:
        yield f"**problem** [{problem.kind}] {_cell(problem.message)}\n"
    for model in report.models:
        yield f"### Rewrites of {_code(model.target)} on {_code('; '.join(model.inputs))}\n"


def _table(suggestions: Sequence[Suggestion]) -> Iterator[str]:
    if not suggestions:
        yield "Nothing to rewrite.\n"
        return
    yield "| rewrite | where | layers | parameters | MACs | memory | verified |"
    yield "|---|---|---|---|---|---|---|"
    for one in suggestions:
        chosen = "" if one.chosen else " (not in the diff)"
        cells = [
            f"{one.code} {one.title}{chosen}",
            _code(str(one.site)) if one.site else "",
            listed(one.instances),
            changed(one.before.params, one.after.params),
            changed(one.before.macs, one.after.macs),
            memory(one),
            verified(one),
        ]
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""


def _together(report: Report) -> Iterator[str]:
    if report.rewritten is None:
        return
    yield "Together:\n"
    for name, text in totals(report.rewritten):
        yield f"- {name}: {_cell(text)}"
    for timing in report.rewritten.latency:
        yield f"- time: {_cell(timed(timing))}"
    yield ""
    for code, effect in dict.fromkeys((one.code, one.evidence) for one in report.suggestions):
        yield f"{code}: {effect}\n"
    fence = "```"
    while fence in report.rewritten.diff:
        fence += "`"
    yield f"<details><summary>Diff</summary>\n\n{fence}diff\n{report.rewritten.diff}{fence}\n\n</details>"


def _refusals(report: Report) -> Iterator[str]:
    if report.refusals:
        yield "\nNot rewritten:\n"
    for refusal in report.refusals:
        place = _code(str(refusal.site)) if refusal.site else "?"
        yield f"- {refusal.code} {place}, {_cell(listed(refusal.instances))}: {_cell(refusal.reason)}"


def _cell(text: str) -> str:
    """Text that stays in its cell, and is no markup."""
    shown = one_line(text).replace("\\", "\\\\").replace("|", "\\|")
    return (
        shown.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
        if "`" not in shown
        else shown
    )


def _code(text: str) -> str:
    return f"`{one_line(text).replace('`', chr(39))}`"
