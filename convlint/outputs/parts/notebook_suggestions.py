"""Suggestions in a notebook: a table of the savings, the totals, and the diff."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Report, Suggestion
from convlint.outputs.parts.html_text import diff_block, pairs, prose, text_of
from convlint.outputs.suggestions import front
from convlint.outputs.suggestions.text import count_change, latency, layer_names, memory, totals, verification

_TITLES = ("rewrite", "location", "layers", "params", "MACs")
_WRAPS = {2: " prose"}  # the column of names


def parts(report: Report, *, suggested: bool) -> Iterator[str]:
    """The suggestions of a report as HTML; where there are none although layers were ``suggested``, the reasons."""
    if suggested and report.models and not report.suggestions and not report.problems:
        yield f"<div><b>{text_of(front.without_any(report))}</b></div>"
        yield from (f"<div>{prose(reason)}</div>" for reason in front.reasons_without_any(report))
    if not report.suggestions:
        return
    yield from _table(report.suggestions)
    if report.rewritten is None:
        return
    rows = [*totals(report.rewritten), *(("time", latency(timing)) for timing in report.rewritten.latency)]
    yield f"<div><b>Together</b>{pairs(rows)}</div>"
    if report.rewritten.diff:
        lines = report.rewritten.diff.splitlines()
        yield f"<details open><summary>Diff</summary>{diff_block(lines, -1)}</details>"


def _table(suggestions: Sequence[Suggestion]) -> Iterator[str]:
    titles = "".join(f'<th class="l" style="text-align:left">{title}</th>' for title in _TITLES)
    yield f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>'
    for suggestion in suggestions:
        before, after = suggestion.before, suggestion.after
        chosen = "" if suggestion.chosen else " (not in the diff)"
        cells = (
            f'<b class="fix">{suggestion.code}</b> {prose(suggestion.title)}{chosen}',
            f"<code>{text_of(str(suggestion.site))}</code>" if suggestion.site else "",
            text_of(layer_names(suggestion.instances)),
            text_of(count_change(before.params, after.params)),
            text_of(count_change(before.macs, after.macs)),
        )
        row = "".join(f'<td class="l{_WRAPS.get(n, "")}" style="text-align:left">{c}</td>' for n, c in enumerate(cells))
        yield f"<tr>{row}</tr>"
        about = (("memory", memory(suggestion)), ("verified", verification(suggestion)))
        sentences = "".join(f"<div>{name}: {text_of(text)}</div>" for name, text in about)
        yield f'<tr><td class="l note prose" colspan="{len(_TITLES)}" style="text-align:left">{sentences}</td></tr>'
    yield "</tbody></table></div>"
