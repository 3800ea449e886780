"""Convert positions: editors count code units of an encoding from 0, convlint counts characters from 1."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol.types import Position, Range
from pygls.workspace import PositionCodec

from convlint.ir import Site
from convlint.support.dataclass import replace


def units(text: str, codec: PositionCodec) -> int:
    """Return the number of code units in a text."""
    return int(codec.client_num_units(text))


def characters(text: str, count: int, codec: PositionCodec) -> int:
    """Return the number of whole characters in the first ``count`` code units of a text.

    pygls counts a character that is cut, too, and is off by one for a count beyond the end.
    """
    count = min(count, units(text, codec))
    found = codec.position_from_client_units([text], Position(0, count)).character
    return int(found) - (units(text[:found], codec) > count)


def content(line: str) -> str:
    """Return a line without its line end."""
    return line.rstrip("\r\n")


def place(lines: Sequence[str], position: Position, codec: PositionCodec) -> tuple[int, int]:
    """Return the line and column, from 1, of an editor's position, or the nearest one in the text."""
    if position.line >= len(lines):
        last = lines[-1] if lines else ""
        if last == content(last) and lines:  # the text ends without a line end
            return len(lines), len(last) + 1
        return len(lines) + 1, 1
    return position.line + 1, characters(content(lines[position.line]), position.character, codec) + 1


def position(lines: Sequence[str], line: int, column: int, codec: PositionCodec) -> Position:
    """Return the editor's position of a line and column from 1, or the nearest one in the text."""
    line = max(line, 1)
    if line > len(lines):
        if not lines or lines[-1] != content(lines[-1]):
            return Position(len(lines), 0)
        line, column = len(lines), len(lines[-1]) + 1
    return Position(line - 1, units(content(lines[line - 1])[: max(column, 1) - 1], codec))


def range_of(lines: Sequence[str], site: Site, codec: PositionCodec) -> Range:
    """Return the editor's range of a site; the rest of the line if the site is empty."""
    start = (site.line, site.column)
    end = (site.end_line or site.line, site.end_column or site.column)
    if end <= start and 1 <= site.line <= len(lines):
        end = (site.line, len(content(lines[site.line - 1])) + 1)
    return Range(position(lines, *start, codec), position(lines, *max(start, end), codec))


def exact_range(lines: Sequence[str], site: Site, codec: PositionCodec) -> Range:
    """Return the editor's range of the site of an edit, which is empty for an insertion."""
    return Range(position(lines, site.line, site.column, codec), position(lines, site.end_line, site.end_column, codec))


def same_ends(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """Return how many lines two texts share at the beginning, and of the rest at the end."""
    most = min(len(before), len(after))
    head = next((i for i in range(most) if before[i] != after[i]), most)
    tail = next((i for i in range(most - head) if before[-1 - i] != after[-1 - i]), most - head)
    return head, tail


def moved(before: Sequence[str], after: Sequence[str], first: int, last: int) -> int | None:
    """Return by how many lines the lines ``first`` to ``last``, from 1, have moved; None if one of them changed.

    All lines between the first and the last change count as changed.
    """
    if before is after:
        return 0
    head, tail = same_ends(before, after)
    if last <= head:
        return 0
    return len(after) - len(before) if first > len(before) - tail else None


def moved_site(site: Site, before: Sequence[str], after: Sequence[str]) -> Site | None:
    """Return where the lines of a site are now; None if one of them changed."""
    shift = moved(before, after, site.line, site.end_line or site.line)
    if shift is None:
        return None
    return replace(site, line=site.line + shift, end_line=(site.end_line or site.line) + shift)
