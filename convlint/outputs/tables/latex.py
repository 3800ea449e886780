"""The layer table of each model as LaTeX, for the package booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import Model, Report
from convlint.outputs.parts.columns import COLUMNS, Line, TableOptions
from convlint.outputs.parts.footer import number_text
from convlint.outputs.parts.terminal import one_line
from convlint.outputs.parts.tree import lines

DEFAULT_COLUMNS = ("name", "kind", "output", "params", "macs")
_SPECIAL = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def render(report: Report, options: TableOptions) -> str:
    """A tabular for each model, with its totals in the last line."""
    return "\n".join("\n".join([*_tabular(model, options), ""]) for model in report.models)


def _tabular(model: Model, options: TableOptions) -> Iterator[str]:
    rows = lines(model, options) if model.layers else []
    names = options.visible_columns(rows, model.totals) if options.columns else DEFAULT_COLUMNS
    columns = [COLUMNS[name] for name in names]
    yield f"% {one_line(model.target)} on {one_line('; '.join(model.inputs))}; needs \\usepackage{{booktabs}}"
    yield f"\\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in columns)}}}"
    yield "\\toprule"
    yield _row([_escaped(column.title) for column in columns])
    yield "\\midrule"
    for line in rows:
        yield _row([_cell(model, name, line) for name in names])
    yield "\\midrule"
    text = number_text(exact=True)  # as the numbers above are
    totals = {"name": "total", "params": text(model.totals.params), "macs": text(model.totals.macs)}
    yield _row([_escaped(totals.get(name, "")) for name in names])
    yield "\\bottomrule"
    yield "\\end{tabular}"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells).rstrip() + r" \\"


def _cell(model: Model, name: str, line: Line) -> str:
    text = _escaped(one_line(COLUMNS[name].text(line, model.totals)))
    return r"\quad " * line.indent + text if name == "name" else text


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(char, char) for char in text)
