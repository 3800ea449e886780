"""Columns of editors and ours: they count code units of an encoding from 0, we count characters from 1."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol.types import Position, PositionEncodingKind, Range

from convlint.model import Site

Encoding = PositionEncodingKind | str
_CODECS = {
    PositionEncodingKind.Utf8: ("utf-8", 1),
    PositionEncodingKind.Utf16: ("utf-16-le", 2),
    PositionEncodingKind.Utf32: ("utf-32-le", 4),
}
"""The codec of each encoding, and the bytes of one of its units."""


def units(text: str, encoding: Encoding) -> int:
    """How many code units a text has."""
    if text.isascii() or encoding == PositionEncodingKind.Utf32:
        return len(text)
    codec, size = _CODECS[PositionEncodingKind(encoding)]
    return len(text.encode(codec, "surrogatepass")) // size


def characters(text: str, count: int, encoding: Encoding) -> int:
    """How many characters the first ``count`` code units of a text are; all, if it has fewer.

    A unit in the middle of a character stands for the place before it.
    """
    if text.isascii() or encoding == PositionEncodingKind.Utf32:
        return min(count, len(text))
    codec, size = _CODECS[PositionEncodingKind(encoding)]
    encoded = text.encode(codec, "surrogatepass")[: count * size]
    # What the cut leaves of a character, half a pair or some of its bytes, is dropped.
    return len(encoded.decode(codec, "ignore"))


def content(line: str) -> str:
    """A line without its end."""
    return line.rstrip("\r\n")


def place(lines: Sequence[str], position: Position, encoding: Encoding) -> tuple[int, int]:
    """The line and column, from 1, of an editor's position; the nearest there is, where it is outside."""
    if position.line >= len(lines):
        last = lines[-1] if lines else ""
        if last == content(last) and lines:  # the text ends without a line end
            return len(lines), len(last) + 1
        return len(lines) + 1, 1
    text = content(lines[position.line])
    return position.line + 1, characters(text, position.character, encoding) + 1


def position(lines: Sequence[str], line: int, column: int, encoding: Encoding) -> Position:
    """The editor's position of a line and column from 1; the nearest there is, where it is outside."""
    line = max(line, 1)
    if line > len(lines):
        ended = not lines or lines[-1] != content(lines[-1])
        if ended:
            return Position(len(lines), 0)
        line, column = len(lines), len(lines[-1]) + 1
    before = content(lines[line - 1])[: max(column, 1) - 1]
    return Position(line - 1, units(before, encoding))


def range_of(lines: Sequence[str], site: Site, encoding: Encoding) -> Range:
    """The editor's range of a site; the rest of the line where it has no end behind its start."""
    start = (site.line, site.column)
    end = (site.end_line or site.line, site.end_column or site.column)
    if end <= start and 1 <= site.line <= len(lines):
        end = (site.line, len(content(lines[site.line - 1])) + 1)
    return Range(position(lines, *start, encoding), position(lines, *max(start, end), encoding))


def exact_range(lines: Sequence[str], site: Site, encoding: Encoding) -> Range:
    """The same of the site of an edit, which is empty where something is put in."""
    return Range(
        position(lines, site.line, site.column, encoding),
        position(lines, site.end_line, site.end_column, encoding),
    )


def moved(before: Sequence[str], after: Sequence[str], first: int, last: int) -> int | None:
    """By how many lines the lines ``first`` to ``last``, from 1, have moved; None if one of them changed.

    All between the first and the last line that changed counts as changed.
    """
    if before is after:
        return 0
    most = min(len(before), len(after))
    head = 0
    while head < most and before[head] == after[head]:
        head += 1
    if last <= head:
        return 0
    tail = 0
    while tail < most - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return len(after) - len(before) if first > len(before) - tail else None
