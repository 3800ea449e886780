"""Suggestions as one HTML file that needs no network: the sum, the sets as a plot and a table, and the diff."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from convlint.ir import Report, RewrittenSet, SetEstimate
from convlint.outputs.suggestions import front
from convlint.outputs.suggestions.text import layer_names, placed

_WIDTH, _HEIGHT, _MARGIN = 640, 320, 56  # of the plot, in pixels
_LINE, _LETTER = 14, 7  # the height of a label and the width of its letters
_STYLE = """\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #d0d7de}
td:not(:first-child){white-space:nowrap}.sets{overflow:auto}p{overflow-wrap:anywhere}code{white-space:pre-wrap}
pre{overflow:auto;padding:1rem;background:#f6f8fa}.breaks{color:#cf222e}svg{max-width:100%}text{font-size:12px}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}pre{background:#161b22}svg{color:#e6edf3}}"""


def render(report: Report) -> str:
    """The page of a report, in ASCII."""
    title = "convlint suggest: " + ", ".join(model.target for model in report.models)
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    page = "\n".join([head, policy, f"<h1>{escape(title)}</h1>", *_body(report), "</html>", ""])
    return page.encode("ascii", "xmlcharrefreplace").decode()


def _body(report: Report) -> Iterator[str]:
    for problem in report.problems:
        yield f'<p class="breaks">problem [{escape(problem.kind)}]: {escape(problem.message)}</p>'
    rewritten = report.rewritten
    if rewritten is None:
        yield f"<p>{front.without_any(report)}</p>"
        for refusal in report.refusals:
            names = layer_names(refusal.instances)
            place = f"{refusal.site}: " if refusal.site else ""
            yield f"<p>{escape(f'{place}not {refusal.code}: {names}: {refusal.reason}')}</p>"
        return
    yield f"<p><strong>{escape(front.headline(report) or '')}</strong></p>"
    yield from _plot(rewritten)
    yield from _table(rewritten)
    if rewritten.works:
        yield f"<p>Works as before: {escape(', '.join(rewritten.works))}</p>"
    for each in rewritten.consequences:
        yield f'<p class="{each.kind}">{each.kind}: {_prose(placed(each))}</p>'
    yield f"<pre>{escape(rewritten.diff)}</pre>"


def _prose(text: str) -> str:
    """A text with its code in backticks as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _table(rewritten: RewrittenSet) -> Iterator[str]:
    heads = "".join(f"<th>{cell}</th>" for cell in front.HEAD)
    yield f'<div class="sets"><table><tr>{heads}</tr>'
    for row in front.rows(rewritten):
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
    yield "</table></div>"


def _plot(rewritten: RewrittenSet) -> Iterator[str]:
    """The original and each set as a point: parameters against the error of the weights, or multiply-accumulates."""
    original = SetEstimate("original", (), 0, rewritten.before, 0.0)
    sets = [original, *rewritten.front]
    errors = all(each.weight_error is not None for each in sets)
    label = "mean error of the converted weights" if errors else "multiply-accumulates"
    heights = [(each.weight_error or 0.0) if errors else float(each.totals.macs) for each in sets]
    widest, highest = max(each.totals.params for each in sets) or 1, max(heights) or 1.0
    yield f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" aria-label="Sets of rewrites">'
    bottom, left = _HEIGHT - _MARGIN, _MARGIN
    axes = f"M{left} 16V{bottom}H{_WIDTH - 16}"
    yield f'<path d="{axes}" fill="none" stroke="currentColor"/>'
    yield f'<text x="{_WIDTH - 16}" y="{bottom + 36}" text-anchor="end" fill="currentColor">parameters</text>'
    yield f'<text x="{left}" y="12" fill="currentColor">{label}</text>'
    most = f"{highest:.2f}" if errors else front.short(int(highest))
    ticks = (left - 6, bottom + 4, "end", "0"), (left - 6, 44, "end", most)
    for at, below, anchor, text in (*ticks, (_WIDTH - 120, bottom + 16, "middle", front.short(widest))):
        yield f'<text x="{at}" y="{below}" text-anchor="{anchor}" fill="currentColor">{text}</text>'
    labels: list[tuple[float, float, int]] = []
    for each, height in zip(sets, heights, strict=True):
        x = left + each.totals.params / widest * (_WIDTH - left - 120)
        y = bottom - height / highest * (bottom - 40)
        color = "#1a7f37" if each.chosen else "#0969da"
        text = f"{each.name}, {front.short(each.totals.params)}"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{color}"/>'
        start, level = _free(labels, x + 8, y - 6, len(text))
        yield f'<text x="{start:.1f}" y="{level:.1f}" fill="currentColor">{escape(text)}</text>'
    yield "</svg>"


def _free(labels: list[tuple[float, float, int]], x: float, y: float, length: int) -> tuple[float, float]:
    """The place of a label, above those that it would cover."""

    def covers(other: tuple[float, float, int]) -> bool:
        left, level, letters = other
        return abs(level - y) < _LINE and left < x + length * _LETTER and x < left + letters * _LETTER

    while any(map(covers, labels)):
        y -= _LINE
    labels.append((x, y, length))
    return x, y
