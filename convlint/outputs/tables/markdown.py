"""The layer table of each model as Markdown, with its totals below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Model, Report
from convlint.outputs.parts import footer
from convlint.outputs.parts.columns import COLUMNS, Line, TableOptions
from convlint.outputs.parts.log_commands import without_commands
from convlint.outputs.parts.markdown_text import cell, code
from convlint.outputs.parts.tree import lines


def render(report: Report, options: TableOptions) -> str:
    """A heading, a table and the totals for each model."""
    return without_commands("\n".join("\n".join([*_model(model, options), ""]) for model in report.models))


def _model(model: Model, options: TableOptions) -> Iterator[str]:
    yield f"#### {code(model.target or 'model')} on {code('; '.join(model.inputs) or 'no input')}\n"
    rows = lines(model, options) if model.layers else []
    names = options.visible_columns(rows, model.totals)
    if rows:
        yield _row([COLUMNS[name].title for name in names])
        yield _row(["---:" if COLUMNS[name].right else "---" for name in names])
        for line in rows:
            yield _row([_entry(model, name, line) for name in names])
        yield ""
    if reason := footer.stopped(model):
        yield f"- {cell(reason)}"
    _, memory = footer.memory(model, classic=options.classic)
    for name, value in (*footer.counts(model, exact=options.exact), *memory):
        yield f"- {name}: {cell(value)}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _entry(model: Model, name: str, line: Line) -> str:
    if name != "name":
        return cell(COLUMNS[name].text(line, model.totals))
    failed = "! " if line.row.failed else ""
    return f"{'&nbsp;' * 3 * line.indent}{failed}{code(line.label)}"
