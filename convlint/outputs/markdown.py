"""A report as the comment of a pull request: findings, changes, and the tables of models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.ir import EarlierReport, Finding, Model, Problem, Report, Totals
from convlint.outputs.parts import comparison, footer
from convlint.outputs.parts.columns import COLUMNS, MB, Line, TableOptions
from convlint.outputs.parts.log_commands import without_commands
from convlint.outputs.parts.markdown_text import cell, code
from convlint.outputs.parts.sentences import finding_lines
from convlint.outputs.parts.terminal import number_of, plain
from convlint.outputs.parts.tree import lines
from convlint.outputs.text import closing_line

# Characters: GitHub accepts 65,536 in a comment. Problems and findings get a part of it each.
ROOM = 60_000
ROOM_OF_LISTS = 20_000
LONGEST_MESSAGE = 1_000


def render(report: Report) -> str:
    """The report as Markdown. Parts that do not fit into a comment are left out and counted."""
    parts = [f"### convlint: {cell(plain(closing_line(report)))}\n"]
    if report.earlier is not None:
        parts += [f"- {cell(line)}" for line in comparison.lines(report, report.earlier)]
        parts.append("")
    parts += _problems(report.problems)
    parts += _findings(report)
    room = ROOM - sum(len(part) + 1 for part in parts)
    left = len(report.models)
    for model in report.models:
        text = "\n".join([*_model(model, report.earlier), ""])
        if len(text) > room:
            break
        text += _layers(model, room // left - len(text))
        parts.append(text)
        room -= len(text) + 1
        left -= 1
    if left:
        parts.append(f"{number_of(left, 'more model')} left out: the comment would be too long.\n")
    return without_commands("\n".join(parts))


def _fitting(rows: Iterator[str], room: int) -> tuple[list[str], int]:
    """The first rows that fit, and the number of those that do not."""
    kept: list[str] = []
    for row in rows:
        room -= len(row) + 1
        if room < 0:
            return kept, 1 + sum(1 for _ in rows)
        kept.append(row)
    return kept, 0


def _problems(problems: Sequence[Problem]) -> Iterator[str]:
    if not problems:
        return
    rows, left = _fitting(map(_problem, problems), ROOM_OF_LISTS)
    yield "**Could not be checked:**\n"
    yield from rows
    if left:
        yield f"- and {left:,} more"
    yield ""


def _problem(problem: Problem) -> str:
    return f"- {code(problem.place)} {cell(problem.kind)}: {_cut(problem.message)}"


def _findings(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    earlier = report.earlier
    new = {id(f) for f in comparison.new_findings(report, earlier)} if earlier else set()
    rows, left = _fitting((_finding(f, id(f) in new) for f in report.findings), ROOM_OF_LISTS)
    yield "| | location | rule | message |\n|---|---|---|---|"
    yield from rows
    if left:
        yield f"\nand {number_of(left, 'more finding')}, left out: the comment would be too long."
    yield ""


def _finding(finding: Finding, new: bool) -> str:
    kind = f"**new** {finding.severity}" if new else finding.severity
    place = code(str(finding.site or finding.target or "model"))
    ends = [f"{code(str(end.site))}: {_cut(end.message)}" for end in finding.related]
    message = "<br>".join([*map(_cut, finding_lines(finding)), *ends])
    return f"| {kind} | {place} | {finding.code} {cell(finding.name)} | {message} |"


def _cut(text: str) -> str:
    return cell(text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]} ...")


def _model(model: Model, earlier: EarlierReport | None) -> Iterator[str]:
    """The model, its totals, and their changes."""
    yield f"#### {code(model.target or 'model')} on {code('; '.join(model.inputs) or 'no input')}\n"
    if reason := footer.stopped(model):
        yield f"{_cut(reason)}\n"
    before = earlier.totals.get(model.target) if earlier else None
    head = [title for title, _ in _totals(model.totals)]
    yield _row(["", *head])
    yield _row(["---", *("---:" for _ in head)])
    if earlier is not None and before is not None:
        yield _row([cell(comparison.earlier_name(earlier)), *(value for _, value in _totals(before))])
    yield _row(["**now**" if before else "", *(value for _, value in _totals(model.totals))])
    if before is not None:
        yield _row(["change", *(comparison.change(of(before), of(model.totals)) for _, of in comparison.TOTALS)])
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _totals(totals: Totals) -> Iterator[tuple[str, str]]:
    """Title and text of each total of a model, in the order of comparison."""
    for name, of in comparison.TOTALS:
        value = of(totals)
        if name in ("MACs", "parameters"):
            yield name, f"{value:,}"
        else:
            yield f"{name}, MB", "not measured" if value is None else f"{value / MB:,.2f}"


def _layers(model: Model, room: int) -> str:
    """The table of layers, collapsed to the largest depth that fits."""
    for depth in (None, 3, 2, 1):
        options = TableOptions(depth=depth)
        rows = lines(model, options) if model.layers else []
        if not rows:
            return ""
        text = "\n".join(_table(model, options, rows))
        if len(text) < room:
            return text
    return f"Table of {number_of(len(model.layers), 'layer')} left out: the comment would be too long.\n"


def _table(model: Model, options: TableOptions, rows: Sequence[Line]) -> Iterator[str]:
    names = options.visible_columns(rows, model.totals)
    depth = "" if options.depth is None else f", to a depth of {options.depth}"
    yield f"<details><summary>Layers{depth}</summary>\n"
    yield _row([COLUMNS[name].title for name in names])
    yield _row(["---:" if COLUMNS[name].right else "---" for name in names])
    for line in rows:
        yield _row([_entry(model, name, line) for name in names])
    yield ""
    yield from (f"- {_cut(note)}" for note in footer.notes(model, rows))
    yield "\n</details>\n"


def _entry(model: Model, name: str, line: Line) -> str:
    text = cell(COLUMNS[name].text(line, model.totals))
    if name != "name":
        return text
    failed = "! " if line.row.failed else ""
    return f"{'&nbsp;' * 3 * line.indent}{failed}{code(line.label)}"
