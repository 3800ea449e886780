"""Lines of the user's source with a span marked."""

from __future__ import annotations

import linecache
from collections.abc import Iterator

from convlint.model import Edit, Site
from convlint.outputs.parts.terminal import Styled, cell_len, styled, visible

LONGEST = 6
"""Lines shown of a span."""


def excerpt(site: Site, mark: str, style: str, width: int | None) -> Iterator[Styled]:
    """The lines of a span, each underlined with ``mark``; nothing where the file cannot be read.

    A line that is wider than ``width`` is cut around the span.
    """
    source = _source(site.path)
    last = max(site.line, site.end_line)
    shown = range(site.line, min(last, site.line + LONGEST - 1, len(source)) + 1)
    gutter = len(str(shown.stop - 1))
    for number in shown:
        text = source[number - 1].rstrip()
        indent = len(text) - len(text.lstrip())
        start = site.column - 1 if number == site.line else indent
        end = site.end_column - 1 if number == site.end_line else len(text)
        yield from _marked(number, gutter, text, (start, end), mark, style, width)
    if last in shown:
        return
    if shown:
        yield styled((f"{'':{gutter}} | .. to line {last}", "dim"))


def mended(edits: tuple[Edit, ...], width: int | None) -> Iterator[Styled]:
    """The line as edits would leave it, with what they put in marked; only where all stand in one line."""
    places = {(edit.site.path, edit.site.line, edit.site.end_line) for edit in edits}
    if len(places) != 1 or any("\n" in edit.text for edit in edits):
        return
    path, number, end_line = places.pop()
    source = _source(path)
    if number != end_line or number > len(source):
        return
    text, marks, shift = source[number - 1].rstrip(), [], 0
    for edit in sorted(edits, key=lambda edit: edit.site.column):
        start, end = edit.site.column - 1 + shift, edit.site.end_column - 1 + shift
        text = text[:start] + edit.text + text[end:]
        marks += [start, start + len(edit.text)]
        shift += len(edit.text) - (end - start)
    yield from _marked(
        number, len(str(number)), text, (min(marks), max(marks)), "+", "green", width
    )


def _source(path: str) -> list[str]:
    """The lines of a file or of a notebook's cell; none if it cannot be read."""
    linecache.checkcache(path)
    return linecache.getlines(path)


def _marked(
    number: int,
    gutter: int,
    text: str,
    span: tuple[int, int],
    mark: str,
    style: str,
    width: int | None,
) -> Iterator[Styled]:
    """A line of source, and below it ``mark`` under the characters ``span[0]`` to ``span[1]``."""
    start, end = span
    before, inside, after = (visible(_spaced(part)) for part in _split(text, start, end))
    if width is not None:
        before, inside, after = _cut(before, inside, after, width - gutter - 3)
    yield styled((f"{number:{gutter}} | ", "blue"), before, inside, after)
    if inside:
        yield styled(
            (f"{'':{gutter}} | ", "blue"),
            " " * cell_len(before),
            (mark * cell_len(inside), style),
        )


def _split(text: str, start: int, end: int) -> tuple[str, str, str]:
    return text[:start], text[start:end], text[end:]


def _spaced(text: str) -> str:
    return text.replace("\t", "    ")


def _cut(before: str, inside: str, after: str, room: int) -> tuple[str, str, str]:
    """The three parts of a line in ``room`` cells: first the indentation goes, then the sides."""
    if cell_len(before + inside + after) > room:
        before = before.lstrip()
    if cell_len(before + inside) > room and len(before) > 12:
        before = ".." + before[-10:]
    parts, left = [], room
    for part in (before, inside, after):
        kept = part if cell_len(part) <= left else part[: max(left - 2, 0)] + ".."[: max(left, 0)]
        parts.append(kept)
        left = 0 if kept != part else left - cell_len(kept)
    return parts[0], parts[1], parts[2]
