"""The layer table of one model, as wide as its terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from convlint.ir import Model, Totals
from convlint.outputs.parts import footer
from convlint.outputs.parts.columns import COLUMNS, Line, TableOptions
from convlint.outputs.parts.terminal import one_line, painted
from convlint.outputs.parts.tree import BRANCHES, branches, lines
from convlint.support.dataclass import dataclass

__all__ = ["TableOptions", "render"]

GAP = "  "
NAME_AT_LEAST = 24  # cells that the layer column keeps; other columns are hidden first
FAILED = "! "  # prefix of a layer that failed
_STYLES = {"kind": "cyan", "params_share": "dim", "macs_share": "dim", "calls": "dim"}  # by column


def render(model: Model, options: TableOptions | None = None, *, width: int | None = None, color: bool = False) -> str:
    """The table with its heading, totals and notes.

    ``width``: cells of the terminal; the least important columns are hidden, and listed, until the others fit.
    None does not limit it. ``color`` adds escape codes.
    """
    return painted(texts(model, options or TableOptions(), width), width=width, color=color)


def texts(model: Model, options: TableOptions, width: int | None) -> Iterator[Text]:
    """The lines of ``render``, styled."""
    yield from (_pair(*pair, style="bold") for pair in footer.heading(model))
    rows = lines(model, options) if model.layers else []
    dropped: list[str] = []
    if rows:
        yield Text()
        grid, dropped = _fitted(options, rows, model.totals, width)
        yield from grid
    if reason := footer.stopped(model):
        yield Text(reason, "bold red")
    yield Text()
    yield from (_pair(*pair) for pair in footer.counts(model, exact=options.exact))
    title, memory = footer.memory(model, classic=options.classic)
    yield Text(title, "dim")
    yield from (_pair(f"  {name}", value) for name, value in memory)
    remarks = footer.notes(model, rows)
    if dropped:
        remarks.append(f"columns hidden in this width: {', '.join(dropped)}")
    yield from (Text(remark, "dim") for remark in remarks)


def _pair(name: str, value: str, style: str = "") -> Text:
    return Text.assemble(f"{name}: ", (value, style))


@dataclass(frozen=True, slots=True)
class _Filled:
    """A column with its texts and its width in cells."""

    name: str
    cells: list[str]
    width: int

    def cell(self, n: int, width: int) -> str:
        """Text ``n`` padded or cut to ``width`` cells; numbers are never cut."""
        text, right = self.cells[n], COLUMNS[self.name].right
        room = width - cell_len(text)
        if room < 0:
            return _cut(text, width)
        return " " * room + text if right else text + " " * room


def _fitted(options: TableOptions, rows: list[Line], totals: Totals, width: int | None) -> tuple[list[Text], list[str]]:
    """The lines of the table, and the names of the hidden columns."""
    every = {name: _filled(name, rows, totals) for name in options.visible_columns(rows, totals)}
    kept = ["name"]
    for name in sorted(every, key=options.importance):
        if name not in kept and (width is None or _least([every[n] for n in (*kept, name)]) <= width):
            kept.append(name)
    columns = [column for name, column in every.items() if name in kept]
    widths = {column.name: column.width for column in columns}
    if width is not None:
        rest = sum(widths.values()) - widths["name"] + len(GAP) * (len(columns) - 1)
        widths["name"] = max(min(widths["name"], width - rest), 1)
    head, *body = [[column.cell(n, widths[column.name]) for column in columns] for n in range(len(rows) + 1)]
    grid = [Text(GAP.join(head), "bold"), Text("-" * len(GAP.join(head)), "dim")]
    grid += [_styled(line, columns, cells) for line, cells in zip(rows, body, strict=True)]
    return grid, [name for name in every if name not in kept]


def _filled(name: str, rows: list[Line], totals: Totals) -> _Filled:
    """A column with its title first."""
    column = COLUMNS[name]
    cells = [one_line(column.text(line, totals)) for line in rows]
    if name == "name":
        marks = [FAILED * bool(line.row.failed) for line in rows]
        cells = [branch + mark + cell for branch, mark, cell in zip(branches(rows), marks, cells, strict=True)]
    cells.insert(0, column.title)
    return _Filled(name, cells, max(map(cell_len, cells)))


def _least(columns: list[_Filled]) -> int:
    """The minimum width of columns in cells."""
    widths = [min(column.width, NAME_AT_LEAST) if column.name == "name" else column.width for column in columns]
    return sum(widths) + len(GAP) * (len(columns) - 1)


def _cut(text: str, width: int) -> str:
    """``text`` in ``width`` cells without its start, because the end of a module path says more; marks are kept."""
    kept = text.strip(BRANCHES)
    start = FAILED * kept.startswith(FAILED) + ".."
    while kept and cell_len(kept) > width - len(start):
        kept = kept[1:]
    return set_cell_size(start + kept, width)


def _styled(line: Line, columns: list[_Filled], cells: list[str]) -> Text:
    base = "red" if line.row.failed else "bold" if line.group else ""
    text = Text(style=base)
    for n, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        style = "dim" if cell.strip() == "-" else "" if base else _STYLES.get(column.name, "")
        start = len(cell) - len(cell.lstrip(BRANCHES)) if column.name == "name" else 0
        text.append(GAP * bool(n)).append(cell[:start], "dim not bold").append(cell[start:], style)
    return text
