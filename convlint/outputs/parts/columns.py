"""The columns of the layer table: their texts and sort keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from convlint.ir import Row, Shape, Totals
from convlint.support.dataclass import dataclass

MB = 2**20  # as in torchsummary and torchinfo


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: a row, a module with the sums of its parts, or ``times`` equal consecutive ones.

    The parts of a ``group`` follow it, indented. ``at_least``: ``row.macs`` lacks calls that were not traced.
    """

    row: Row
    label: str
    indent: int = 0
    group: bool = False
    times: int = 1
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column, sorted by ``value`` (numbers descending) and printed as ``text``."""

    title: str
    value: Callable[[Line, Totals], float | str | None]
    text: Callable[[Line, Totals], str]
    right: bool = True


def sizes(value: Shape | str | None) -> str:
    """Sizes as text: (3, 3) is "3x3", and the shape of a scalar is "()"."""
    if value is None or isinstance(value, str):
        return value or ""
    return "x".join(map(str, value)) or "()"


def count(value: int | None) -> str:
    """A count with thousands separators; "-" for none."""
    return "" if value is None else f"{value:,}" if value else "-"


def megabytes(value: int | None) -> str:
    """Bytes in units of 2**20 with two digits; "-" for none."""
    return "" if value is None else f"{value / MB:,.2f}" if value else "-"


def macs(line: Line) -> str:
    """Multiply-accumulates; "?" if no call was traced, ">=" if some were not."""
    if line.at_least:
        return f">={line.row.macs:,}" if line.row.macs else "?"
    return count(line.row.macs)


def _text(title: str, get: Callable[[Row], str]) -> Column:
    return Column(title, lambda line, _: get(line.row), lambda line, _: get(line.row), right=False)


def _sizes(title: str, get: Callable[[Row], Shape | str | None]) -> Column:
    def value(line: Line, _: Totals) -> float | None:
        found = get(line.row)
        return prod(found) if isinstance(found, tuple) else None

    return Column(title, value, lambda line, _: sizes(get(line.row)))


def _number(title: str, get: Callable[[Row], int | None], show: Callable[[int | None], str] = count) -> Column:
    return Column(title, lambda line, _: get(line.row), lambda line, _: show(get(line.row)))


def _share(title: str, get: Callable[[Row], int | None], total: Callable[[Totals], int]) -> Column:
    def value(line: Line, totals: Totals) -> float:
        whole = total(totals)
        return 100 * (get(line.row) or 0) / whole if whole else 0.0

    def text(line: Line, totals: Totals) -> str:
        return f"{value(line, totals):.1f}" if get(line.row) else ""

    return Column(title, value, text)


COLUMNS: dict[str, Column] = {
    "name": Column("layer", lambda line, _: line.label, lambda line, _: line.label, right=False),
    "kind": _text("kind", lambda row: row.kind),
    "calls": Column("calls", lambda line, _: line.row.calls, lambda line, _: f"{line.row.calls:,}"),
    "input": _sizes("input", lambda row: row.input_shape),
    "output": _sizes("output", lambda row: row.output_shape),
    "kernel": _sizes("kernel", lambda row: row.kernel_size),
    "stride": _sizes("stride", lambda row: row.stride),
    "padding": _sizes("padding", lambda row: row.padding),
    "dilation": _sizes("dilation", lambda row: row.dilation),
    "groups": _number("groups", lambda row: row.groups, lambda groups: str(groups or "")),
    "bias": _text("bias", lambda row: {None: "", True: "yes", False: "no"}[row.bias]),
    "params": _number("params", lambda row: row.params),
    "params_share": _share("params %", lambda row: row.params, lambda totals: totals.params),
    "trainable": _number("trainable", lambda row: row.trainable_params),
    "params_bytes": _number("params MB", lambda row: row.params_bytes, megabytes),
    "macs": Column("MACs", lambda line, _: line.row.macs, lambda line, _: macs(line)),
    "macs_share": _share("MACs %", lambda row: row.macs, lambda totals: totals.macs),
    "output_bytes": _number("output MB", lambda row: row.output_bytes, megabytes),
    "saved": _number("saved MB", lambda row: row.saved_bytes, megabytes),
    "site": _text("built at", lambda row: str(row.site or "")),
}

_OPTIONAL = {"stride", "padding", "dilation", "bias", "trainable", "params_bytes", "site"}
DEFAULT = tuple(name for name in COLUMNS if name not in _OPTIONAL)

# The default columns by importance: a narrow terminal hides the last ones first.
_LAYER_FIRST = ("name", "params", "macs", "kind", "output", "macs_share", "kernel", "groups")
KEPT_FIRST = (*_LAYER_FIRST, "params_share", "input", "saved", "output_bytes", "calls")

SHARE = ("params_share", "macs_share")  # the columns that "share" selects

_OTHER_NAMES = {
    **{name: ["macs"] for name in ("flops", "mult_adds", "madds", "ops")},
    **{name: ["params"] for name in ("num_params", "parameters", "weights")},
    **{name: ["input"] for name in ("input_size", "input_shape")},
    **{name: ["output"] for name in ("output_size", "output_shape")},
    **{name: ["saved", "output_bytes"] for name in ("memory", "mem")},
}
"""Columns as other tools call them, and those here."""


@dataclass(frozen=True, slots=True)
class TableOptions:
    """Options of the layer table. Raises ValueError for an unknown column.

    ``columns``: names in ``COLUMNS``, or ``share`` for both shares; empty for the default ones.
    ``depth``: deeper modules are collapsed into their parent; 0 is the model.
    ``sort``: a column, numbers descending; implies ``flat``, which lists layers instead of the tree.
    ``exact``: the totals below the table have all digits. ``classic``: the memory below it is estimated as by
    torchsummary, instead of measured.
    """

    columns: tuple[str, ...] = ()
    depth: int | None = None
    sort: str | None = None
    flat: bool = False
    exact: bool = False
    classic: bool = False

    def __post_init__(self) -> None:
        if self.depth is not None and self.depth < 0:
            raise ValueError(f"depth must be 0 or more, not {self.depth}")
        for name in (*self.columns, *([self.sort] if self.sort else [])):
            if name not in COLUMNS and name != "share":
                from difflib import get_close_matches

                near = _OTHER_NAMES.get(name, []) or get_close_matches(name, [*COLUMNS, "share"], n=1)
                hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(COLUMNS)}"
                raise ValueError(f"unknown column {name!r}: {hint}")

    @property
    def requested_columns(self) -> tuple[str, ...]:
        """The requested or default columns, each once, with the name first."""
        names = [part for name in self.columns or DEFAULT for part in (SHARE if name == "share" else (name,))]
        return tuple(dict.fromkeys(["name", *names]))

    def importance(self, name: str) -> int:
        """Rank by which columns are kept in a narrow terminal, the smallest first: sort key, then the user's order."""
        order = self.requested_columns if self.columns else KEPT_FIRST
        return -1 if name == self.sort or name not in order else order.index(name)

    def visible_columns(self, lines: Sequence[Line], totals: Totals) -> tuple[str, ...]:
        """The columns in their order. Default columns without any text, as of unmeasured memory, are left out."""
        order = (self.sort,) if self.sort in COLUMNS else ()
        names = tuple(dict.fromkeys((*self.requested_columns, *order)))
        if self.columns:
            return names
        return tuple(n for n in names if any(COLUMNS[n].text(line, totals) for line in lines))

    @property
    def order(self) -> Column | None:
        """The column to sort by."""
        if self.sort is None:
            return None
        return COLUMNS["macs_share" if self.sort == "share" else self.sort]
