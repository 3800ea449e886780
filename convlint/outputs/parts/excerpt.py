"""Lines of the user's source with a span marked."""

from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Edit, Site
from convlint.outputs.parts.terminal import Styled, cell_len, cut, styled, visible
from convlint.source_text.lines import of as lines_of

LONGEST = 6
"""Lines shown of a span."""


def excerpt(site: Site, mark: str, style: str, width: int | None) -> Iterator[Styled]:
    """The lines of a span, each underlined with ``mark``; nothing where the file cannot be read. A single place is
    marked as if it were one character wide.

    Where a line is wider than ``width``, all lose the indentation that they share; what is still too wide is cut
    around the span.
    """
    source = lines_of(site.path)
    last = max(site.line, site.end_line)
    shown = range(site.line, min(last, site.line + LONGEST - 1, len(source)) + 1)
    texts = [source[number - 1].rstrip() for number in shown]
    end_column = site.end_column
    if (site.line, site.column) == (site.end_line, end_column) and texts:
        texts, end_column = [texts[0].ljust(site.column)], site.column + 1
    gutter = len(str(shown.stop - 1))
    room = None if width is None else width - gutter - len(" | ")
    shift = _shift(texts, room)
    for number, text in zip(shown, texts, strict=True):
        indent = len(text) - len(text.lstrip())
        start = site.column - 1 if number == site.line else indent
        end = end_column - 1 if number == site.end_line else len(text)
        before, inside, after = _parts(text, (start, end), shift, room)
        yield styled((f"{number:{gutter}} | ", "blue"), before, inside, after)
        if inside:
            marks = (mark * cell_len(inside), style)
            yield styled((f"{'':{gutter}} | ", "blue"), " " * cell_len(before), marks)
    if last not in shown and shown:
        yield styled((f"{'':{gutter}} | .. to line {last}", "dim"))


def mended(edits: tuple[Edit, ...], width: int | None) -> Iterator[Styled]:
    """What edits make of their lines, as a small diff; nothing if they are of several files, or long.

    What changes in a line is bold. Lines are fitted to ``width`` as in an excerpt.
    """
    paths = {edit.site.path for edit in edits}
    source = lines_of(paths.pop()) if len(paths) == 1 else []
    pieces = list(_pieces(edits))
    if not all(pieces) or not pieces or pieces[-1].stop - 1 > len(source):
        return
    changes = [_Change(piece, source, edits) for piece in pieces]
    if sum(len(change.old) + len(change.new) for change in changes) > 2 * LONGEST:
        return
    gutter = len(str(pieces[-1].stop - 1))
    room = None if width is None else width - gutter - len(" - ")
    shift = _shift([text for change in changes for text in (*change.old, *change.new)], room)
    for change in changes:
        start, end = change.same
        widest = max(cell_len(t[start : len(t) - end]) for t in (*change.old, *change.new, ""))
        for sign, style, texts in (("-", "red", change.old), ("+", "green", change.new)):
            for number, text in enumerate(texts, change.first):
                parts = _parts(text, (start, len(text) - end), shift, room, widest)
                yield styled(
                    (f"{number:{gutter}} ", "blue"),
                    (f"{sign} {parts[0]}", style),
                    (parts[1], f"bold {style}"),
                    (parts[2], style),
                )


class _Change:
    """Neighbouring lines of a file before and after edits. ``same``: how many characters at the start and at the end
    of a line stay as they are, where it is one line for one line.
    """

    def __init__(self, lines: range, source: list[str], edits: tuple[Edit, ...]) -> None:
        self.first = lines.start
        text = "".join(source[number - 1] for number in lines)
        starts = [sum(len(source[n - 1]) for n in range(lines.start, line)) for line in lines]
        self.old = [source[number - 1].rstrip() for number in lines]
        here = sorted((_span(e.site, lines, starts), e.text) for e in edits if e.site.line in lines)
        self.same = (here[0][0][0], len(self.old[0]) - here[-1][0][1])
        for (start, end), new in reversed(here):
            text = text[:start] + new + text[end:]
        self.new = [line.rstrip() for line in text.splitlines()]
        if len(self.old) != 1 or len(self.new) != 1 or min(self.same) < 0:
            self.same = (0, 0)


def _span(site: Site, lines: range, starts: list[int]) -> tuple[int, int]:
    """Where a span begins and ends in the text of ``lines``, whose own starts in it are ``starts``."""
    first, last = site.line - lines.start, site.end_line - lines.start
    return starts[first] + site.column - 1, starts[last] + site.end_column - 1


def _pieces(edits: tuple[Edit, ...]) -> Iterator[range]:
    """The runs of lines that edits stand in, in order: edits on neighbouring lines are one change."""
    lines: range | None = None
    for edit in sorted(edits, key=lambda one: (one.site.line, one.site.end_line)):
        one = range(edit.site.line, edit.site.end_line + 1)
        if lines is not None and one.start <= lines.stop:
            lines = range(lines.start, max(lines.stop, one.stop))
            continue
        if lines is not None:
            yield lines
        lines = one
    if lines is not None:
        yield lines


def _shift(texts: list[str], room: int | None) -> int:
    """The characters that all lines lose at their start: the indentation that they share, if one has no room."""
    if room is None or all(cell_len(visible(_spaced(text))) <= room for text in texts):
        return 0
    return min((len(text) - len(text.lstrip()) for text in texts if text), default=0)


def _parts(
    text: str, span: tuple[int, int], shift: int, room: int | None, widest: int = 0
) -> tuple[str, str, str]:
    """A line of source without its first ``shift`` characters, before, inside and behind the characters
    ``span[0]`` to ``span[1]``, in ``room`` cells. ``widest``: what takes the place of the middle in another line.
    """
    start, end = span
    parts = (text[shift:start], text[max(start, shift) : end], text[end:])
    before, inside, after = (visible(_spaced(part)) for part in parts)
    return (before, inside, after) if room is None else _cut(before, inside, after, room, widest)


def _spaced(text: str) -> str:
    return text.replace("\t", "    ")


def _cut(before: str, inside: str, after: str, room: int, widest: int) -> tuple[str, str, str]:
    """The three parts of a line in ``room`` cells: what stands before gives way first."""
    over = cell_len(before) + max(cell_len(inside), widest) - room
    if over > 0 and before.isspace():
        before = before[: max(len(before) - over, 4)]
    elif over > 0 and cell_len(before) > 12:
        from rich.cells import set_cell_size

        before = ".." + set_cell_size(before[::-1], 10)[::-1]
    parts, left = [], room
    for part in (before, inside, after):
        kept = cut(part, left)
        parts.append(kept)
        left = 0 if kept != part else left - cell_len(kept)
    return parts[0], parts[1], parts[2]
