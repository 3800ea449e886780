"""A report as HTML for notebooks: one element without scripts or network requests.

Attributes repeat the few properties without which a report cannot be read, for viewers that remove style sheets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import chain

from convlint.ir import SEVERITIES, Finding, Model, Report, Site
from convlint.outputs.parts import footer, notebook_suggestions
from convlint.outputs.parts.columns import COLUMNS, SHARE, Line, TableOptions
from convlint.outputs.parts.excerpt import excerpt, fix_preview, span_text
from convlint.outputs.parts.html_text import block, diff_block, pairs, prose, text_of
from convlint.outputs.parts.notebook_style import STYLE
from convlint.outputs.parts.sentences import affected_modules, fixes
from convlint.outputs.parts.terminal import number_of, plain
from convlint.outputs.parts.tree import lines
from convlint.source_text.texts import SourceTexts

DEFAULT_TABLE = TableOptions()


def render(report: Report, *, table: TableOptions = DEFAULT_TABLE, suggested: bool = False) -> str:
    """The report as HTML, with all text of the user's model and files escaped.

    ``suggested``: it is one of suggestions, also if it has none.
    """
    infos = [finding for finding in report.findings if finding.severity == "info"]
    others = sorted(
        (finding for finding in report.findings if finding.severity != "info"),
        key=lambda finding: SEVERITIES.index(finding.severity),
    )
    parts = chain(
        chain.from_iterable(_finding(finding, report.texts) for finding in others),
        _folded(f"{number_of(len(infos), 'info')}", infos, report.texts),
        (
            f'<div><b class="problem">problem [{text_of(problem.kind)}]</b> {text_of(problem.message)}</div>'
            for problem in report.problems
        ),
        notebook_suggestions.parts(report, suggested=suggested),
        _models(report, table, folds=suggested),
    )
    return f'<div class="convlint"><style>{STYLE}</style>\n' + "\n".join(parts) + "\n</div>\n"


def _folded(title: str, findings: Sequence[Finding], texts: SourceTexts) -> Iterator[str]:
    if findings:
        yield f"<details><summary>{title}</summary>"
        for finding in findings:
            yield from _finding(finding, texts)
        yield "</details>"


def _finding(finding: Finding, texts: SourceTexts) -> Iterator[str]:
    place = str(finding.site or finding.target or "model")
    yield (
        f'<div class="finding"><div><b class="{finding.severity}">{finding.code} [{text_of(finding.name)}]</b> '
        f"{prose(finding.message)} <code>{text_of(place)}</code></div>"
    )
    yield from _source(texts, finding.site, "^")
    for related in finding.related:
        if not related.is_failure:
            yield f"<div>{prose(related.message)} <code>{text_of(str(related.site))}</code></div>"
            yield from _source(texts, related.site, "-")
    for related in finding.related:
        if related.is_failure:
            line, code = f"{related.site.path}:{related.site.line}", span_text(texts, related.site)
            yield f"<div>first fails at <code>{text_of(line)}</code>: <code>{text_of(code)}</code></div>"
    if modules := affected_modules(finding):
        yield f"<div>modules: {text_of(modules)}</div>"
    if finding.witness is not None:
        yield (
            f"<div>witness: <code>{text_of(finding.witness.call)}</code> fails: {text_of(finding.witness.error)}</div>"
        )
    for name, title, edits in fixes(finding):
        yield f'<div><b class="fix">{name}:</b> {prose(title)}</div>'
        changes = [plain(line) for line in fix_preview(texts, edits, None)]
        if changes:
            yield diff_block(changes, 1)
    yield "</div>"


def _source(texts: SourceTexts, site: Site | None, mark: str) -> Iterator[str]:
    lines = excerpt(texts, site, mark, "", None) if site else ()
    shown = [*map(plain, lines)]
    if any(shown):
        yield block(shown)


def _models(report: Report, table: TableOptions, *, folds: bool) -> Iterator[str]:
    """The models; below suggestions they are folded."""
    folds = bool((folds or report.suggestions) and report.models)
    if folds:
        yield "<details><summary>Layers before</summary>"
    yield from chain.from_iterable(_model(model, table) for model in report.models)
    if folds:
        yield "</details>"


def _model(model: Model, options: TableOptions) -> Iterator[str]:
    yield f"<div>{pairs(footer.heading(model))}"
    found = lines(model, options) if model.layers else []
    if found:
        yield from _table(model, options, found)
    if reason := footer.stopped(model):
        yield f'<div class="error">{text_of(reason)}</div>'
    yield pairs(footer.counts(model, exact=False))
    for is_classic in (False, True):
        title, memory = footer.memory(model, classic=is_classic)
        yield f"<details><summary>{title.rstrip(':')}</summary>{pairs(memory)}</details>"
    yield from (f'<div class="note">{text_of(note)}</div>' for note in footer.notes(model, found))
    yield "</div>"


def _table(model: Model, options: TableOptions, found: list[Line]) -> Iterator[str]:
    names = options.visible_columns(found, model.totals)
    titles = (f"<th{_side(name)}>{escape(COLUMNS[name].title)}</th>" for name in names)
    yield f'<div class="scroll"><table><thead><tr>{"".join(titles)}</tr></thead><tbody>'
    for line in found:
        kind = "failed" if line.row.failed else "group" if line.group else ""
        cells = "".join(_cell(model, name, line) for name in names)
        yield f'<tr class="{kind}">{cells}</tr>'
    yield "</tbody></table></div>"


def _cell(model: Model, name: str, line: Line) -> str:
    column = COLUMNS[name]
    text, style = text_of(column.text(line, model.totals)), ""
    if name == "name":
        text = f"! {text}" if line.row.failed else text
        style = f"padding-left:{0.6 + 1.4 * line.indent:.1f}em !important"
    elif name in SHARE and text:
        share = column.value(line, model.totals)
        style = f"background:linear-gradient(to left,#2a6fdb33 {share:.1f}%,#0000 0)"
    return f"<td{_side(name, style)}>{text}</td>"


def _side(name: str, style: str = "") -> str:
    """The attributes of a cell."""
    if not COLUMNS[name].right:
        style = f"text-align:left;{style}".rstrip(";")
    side = "" if COLUMNS[name].right else ' class="l"'
    return f'{side} style="{style}"' if style else side
