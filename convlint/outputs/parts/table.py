"""The layer table of one model, as wide as its terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from convlint.ir import Model, Totals
from convlint.outputs.parts import footer
from convlint.outputs.parts.columns import COLUMNS, Line, TableOptions
from convlint.outputs.parts.terminal import one_line, painted
from convlint.outputs.parts.tree import lines

__all__ = ["TableOptions", "render"]

GAP = "  "
NAME_AT_LEAST = 24
"""Cells that the layer column keeps before another column goes."""
FAILED = "! "
"""Stands before the name of a layer that cannot run."""


def render(
    model: Model,
    options: TableOptions | None = None,
    *,
    width: int | None = None,
    color: bool = False,
) -> str:
    """The table with its heading and sums.

    ``width`` is that of the terminal, in cells: the least important columns are left out, and named,
    until the rest fits. None is as wide as it takes. ``color`` adds escape codes.
    """
    return painted(texts(model, options or TableOptions(), width), width=width, color=color)


def texts(model: Model, options: TableOptions, width: int | None) -> Iterator[Text]:
    """The lines of ``render``, styled."""
    yield from (_pair(*pair, style="bold") for pair in footer.heading(model))
    found = lines(model, options) if model.layers else []
    dropped: list[str] = []
    if found:
        yield Text()
        grid, dropped = _fitted(options, found, model.totals, width)
        yield from grid
    if reason := footer.stopped(model):
        yield Text(reason, "bold red")
    yield Text()
    yield from (_pair(*pair) for pair in footer.counts(model))
    yield Text("Memory as torchsummary estimates it (1 MB = 2**20 bytes):", "dim")
    yield from (_pair(f"  {name}", value) for name, value in footer.classic(model))
    yield Text("Memory in use, measured:", "dim")
    yield from (_pair(f"  {name}", value) for name, value in footer.measured(model))
    remarks = footer.notes(model, found)
    if dropped:
        remarks.append(f"columns hidden in this width: {', '.join(dropped)}")
    yield from (Text(remark, "dim") for remark in remarks)


def _pair(name: str, value: str, style: str = "") -> Text:
    return Text.assemble(f"{name}: ", (value, style))


# --- the grid


@dataclass(frozen=True, slots=True)
class _Filled:
    """A column with what it shows, and the cells that takes."""

    name: str
    cells: list[str]
    width: int

    def cell(self, n: int, width: int) -> str:
        """Cell ``n`` in ``width`` cells; only text is ever cut, never a number."""
        text, right = self.cells[n], COLUMNS[self.name].right
        room = width - cell_len(text)
        if room < 0:
            return _cut(text, width)
        return " " * room + text if right else text + " " * room


def _fitted(
    options: TableOptions, found: list[Line], totals: Totals, width: int | None
) -> tuple[list[Text], list[str]]:
    """The table's lines, and the columns that had no room."""
    every = {name: _filled(name, found, totals) for name in options.shown(found, totals)}
    kept = ["name"]
    for name in sorted(every, key=options.importance):
        if name not in kept and (
            width is None or _least([every[n] for n in (*kept, name)]) <= width
        ):
            kept.append(name)
    columns = [column for name, column in every.items() if name in kept]
    widths = {column.name: column.width for column in columns}
    if width is not None:
        rest = sum(widths.values()) - widths["name"] + len(GAP) * (len(columns) - 1)
        widths["name"] = max(min(widths["name"], width - rest), 1)
    rows = [
        [column.cell(n, widths[column.name]) for column in columns] for n in range(len(found) + 1)
    ]
    grid = [Text(GAP.join(rows[0]), "bold"), Text("-" * len(GAP.join(rows[0])), "dim")]
    grid += [_styled(line, columns, row) for line, row in zip(found, rows[1:], strict=True)]
    return grid, [name for name in every if name not in kept]


def _filled(name: str, found: list[Line], totals: Totals) -> _Filled:
    """A column with its title on top."""
    column = COLUMNS[name]
    cells = [one_line(column.text(line, totals)) for line in found]
    if name == "name":
        cells = [
            "  " * line.indent + FAILED * bool(line.row.failed) + cell
            for line, cell in zip(found, cells, strict=True)
        ]
    cells.insert(0, column.title)
    return _Filled(name, cells, max(map(cell_len, cells)))


def _least(columns: list[_Filled]) -> int:
    """The cells that columns need at least."""
    return sum(
        min(column.width, NAME_AT_LEAST) if column.name == "name" else column.width
        for column in columns
    ) + len(GAP) * (len(columns) - 1)


def _cut(text: str, width: int) -> str:
    """``text`` in ``width`` cells, without its start: the end of a module path says more. What fails stays marked."""
    kept = text.strip()
    start = FAILED * kept.startswith(FAILED) + ".."
    while kept and cell_len(kept) > width - len(start):
        kept = kept[1:]
    return set_cell_size(start + kept, width)


def _styled(line: Line, columns: list[_Filled], cells: list[str]) -> Text:
    base = "red" if line.row.failed else "bold" if line.group else ""
    text = Text(style=base)
    for n, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        style = "dim" if cell.strip() == "-" else "" if base else _STYLES.get(column.name, "")
        text.append(GAP * bool(n)).append(cell, style)
    return text


_STYLES = {"kind": "cyan", "params_share": "dim", "macs_share": "dim", "calls": "dim"}
