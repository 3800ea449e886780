"""A report as HTML for notebooks: one element without scripts or network requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from itertools import chain

from convlint.ir import Finding, Model, Report, Site
from convlint.outputs.parts import footer
from convlint.outputs.parts.columns import COLUMNS, SHARE, Line, TableOptions
from convlint.outputs.parts.excerpt import excerpt, fix_preview, span_text
from convlint.outputs.parts.sentences import affected_modules, fixes
from convlint.outputs.parts.terminal import one_line, plain
from convlint.outputs.parts.tree import lines
from convlint.source_text.texts import SourceTexts

DEFAULT_TABLE = TableOptions()

STYLE = """
.convlint { font-size: 13px; line-height: 1.4 }
.convlint table { border-collapse: collapse; margin: .5em 0; font-variant-numeric: tabular-nums }
.convlint th, .convlint td { padding: .1em .6em; text-align: right; white-space: nowrap }
.convlint th { border-bottom: 1px solid #8888 }
.convlint .model { margin: .8em 0; overflow-x: auto }
.convlint .l { text-align: left }
.convlint .group td { font-weight: 600 }
.convlint .failed td { background: #d3222222 }
.convlint pre { margin: .2em 0 .6em; padding: .4em .8em; background: #8881; overflow-x: auto }
.convlint .error { color: #d32222 } .convlint .warning { color: #b07a00 }
.convlint .info { color: #2a6fdb } .convlint .problem { color: #a020a0 }
.convlint .fix, .convlint .added { color: #1a7f37 } .convlint .removed { color: #d32222 }
.convlint .finding { margin-bottom: 1.2em }
.convlint .note { opacity: .7 }
"""


def render(report: Report, *, table: TableOptions = DEFAULT_TABLE) -> str:
    """The report as HTML, with all text of the user's model and files escaped."""
    parts = chain(
        chain.from_iterable(_finding(finding, report.texts) for finding in report.findings),
        (
            f'<div><b class="problem">problem [{_text(problem.kind)}]</b> {_text(problem.message)}</div>'
            for problem in report.problems
        ),
        chain.from_iterable(_model(model, table) for model in report.models),
    )
    return f'<div class="convlint"><style>{STYLE}</style>\n' + "\n".join(parts) + "\n</div>\n"


def _text(text: str) -> str:
    return escape(one_line(text))


def _finding(finding: Finding, texts: SourceTexts) -> Iterator[str]:
    place = str(finding.site or finding.target or "model")
    yield (
        f'<div class="finding"><div><b class="{finding.severity}">{finding.code} [{_text(finding.name)}]</b> '
        f"{_prose(finding.message)} <code>{_text(place)}</code></div>"
    )
    yield from _source(texts, finding.site, "^")
    for related in finding.related:
        if not related.is_failure:
            yield f"<div>{_prose(related.message)} <code>{_text(str(related.site))}</code></div>"
            yield from _source(texts, related.site, "-")
    for related in finding.related:
        if related.is_failure:
            line, code = f"{related.site.path}:{related.site.line}", span_text(texts, related.site)
            yield f"<div>first fails at <code>{_text(line)}</code>: <code>{_text(code)}</code></div>"
    if modules := affected_modules(finding):
        yield f"<div>modules: {_text(modules)}</div>"
    if finding.witness is not None:
        yield (f"<div>witness: <code>{_text(finding.witness.call)}</code> fails: {_text(finding.witness.error)}</div>")
    for name, title, edits in fixes(finding):
        yield f'<div><b class="fix">{name}:</b> {_prose(title)}</div>'
        changes = [plain(line) for line in fix_preview(texts, edits, None)]
        if changes:
            yield f"<pre>{''.join(map(_changed, changes))}</pre>"
    yield "</div>"


def _prose(text: str) -> str:
    """Text in which the parts in backticks are code."""
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:
        return escape(one_line(text))
    return "".join(f"<code>{escape(part)}</code>" if n % 2 else escape(part) for n, part in enumerate(parts))


def _changed(line: str) -> str:
    kind = "removed" if line.split()[1:2] == ["-"] else "added"
    return f'<span class="{kind}">{escape(line)}</span>\n'


def _source(texts: SourceTexts, site: Site | None, mark: str) -> Iterator[str]:
    lines = excerpt(texts, site, mark, "", None) if site else ()
    shown = "\n".join(map(plain, lines))
    if shown:
        yield f"<pre>{escape(shown)}</pre>"


def _model(model: Model, options: TableOptions) -> Iterator[str]:
    yield f'<div class="model">{_pairs(footer.heading(model))}'
    found = lines(model, options) if model.layers else []
    if found:
        yield from _table(model, options, found)
    if reason := footer.stopped(model):
        yield f'<div class="error">{_text(reason)}</div>'
    yield _pairs(footer.counts(model))
    yield f"<details><summary>Memory</summary>{_pairs(footer.classic_memory(model))}<hr>"
    yield f"{_pairs(footer.measured(model))}</details>"
    yield from (f'<div class="note">{_text(note)}</div>' for note in footer.notes(model, found))
    yield "</div>"


def _table(model: Model, options: TableOptions, found: list[Line]) -> Iterator[str]:
    names = options.visible_columns(found, model.totals)
    titles = (f"<th{_side(name)}>{escape(COLUMNS[name].title)}</th>" for name in names)
    yield f"<table><thead><tr>{''.join(titles)}</tr></thead><tbody>"
    for line in found:
        kind = "failed" if line.row.failed else "group" if line.group else ""
        cells = "".join(_cell(model, name, line) for name in names)
        yield f'<tr class="{kind}">{cells}</tr>'
    yield "</tbody></table>"


def _cell(model: Model, name: str, line: Line) -> str:
    column = COLUMNS[name]
    text, style = _text(column.text(line, model.totals)), ""
    if name == "name" and line.indent:
        style = f' style="padding-left: {0.6 + 1.2 * line.indent:.1f}em"'
    elif name in SHARE and text:
        share = column.value(line, model.totals)
        style = f' style="background: linear-gradient(to left, #2a6fdb33 {share:.1f}%, #0000 0)"'
    return f"<td{_side(name)}{style}>{text}</td>"


def _side(name: str) -> str:
    return "" if COLUMNS[name].right else ' class="l"'


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<div>{escape(name)}: <b>{_text(value)}</b></div>" for name, value in pairs)
