"""Excerpts of the user's source: a marked span, and a fix as a small diff."""

from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Edit, Site
from convlint.outputs.parts.terminal import Styled, cell_len, cut, styled, visible
from convlint.source_text.texts import SourceTexts

LONGEST = 6  # lines of a span
GUTTER = "bright_blue"  # the standard blue is unreadable on black


def excerpt(texts: SourceTexts, site: Site, mark: str, style: str, width: int | None) -> Iterator[Styled]:
    """The lines of a span, underlined with ``mark``; nothing if the file cannot be read.

    An empty span is marked as one character. If a line is wider than ``width``, all lines lose their common
    indentation; lines that are still too wide are cut around the span.
    """
    source = texts.lines(site.path)
    last = max(site.line, site.end_line)
    shown = range(site.line, min(last, site.line + LONGEST - 1, len(source)) + 1)
    shown_lines = [source[number - 1].rstrip() for number in shown]
    end_column = site.end_column
    if (site.line, site.column) == (site.end_line, end_column) and shown_lines:
        shown_lines, end_column = [shown_lines[0].ljust(site.column)], site.column + 1
    gutter = len(str(shown.stop - 1))
    room = None if width is None else width - gutter - len(" | ")
    shift = _shift(shown_lines, room)
    for number, text in zip(shown, shown_lines, strict=True):
        indent = len(text) - len(text.lstrip())
        start = site.column - 1 if number == site.line else indent
        end = end_column - 1 if number == site.end_line else len(text)
        before, inside, after = _parts(text, (start, end), shift, room)
        yield styled((f"{number:{gutter}} | ", GUTTER), before, inside, after)
        if inside:
            marks = (mark * cell_len(inside), style)
            yield styled((f"{'':{gutter}} | ", GUTTER), " " * cell_len(before), marks)
    if last not in shown and shown:
        yield styled((f"{'':{gutter}} | .. to line {last}", "dim"))


def span_text(texts: SourceTexts, site: Site, longest: int = 80) -> str:
    """The text of a span on one line of at most ``longest`` characters; empty if the file cannot be read."""
    source = texts.lines(site.path)[site.line - 1 : max(site.line, site.end_line)]
    if source and site.end_line:
        source[-1] = source[-1][: site.end_column - 1]
    text = " ".join("".join([source[0][site.column - 1 :], *source[1:]]).split()) if source else ""
    return text if len(text) <= longest else f"{text[: longest - 2]}.."


def fix_preview(texts: SourceTexts, edits: tuple[Edit, ...], width: int | None) -> Iterator[Styled]:
    """Edits as small diffs in ``width`` cells, with changes in bold, below the names of the files if they are several.

    Nothing if one of the files cannot be read or many of its lines change.
    """
    paths = dict.fromkeys(edit.site.path for edit in edits)
    diffs = {
        path: [*_preview(texts.lines(path), tuple([e for e in edits if e.site.path == path]), width)] for path in paths
    }
    if all(diffs.values()):
        for path, diff in diffs.items():
            if len(diffs) > 1:
                yield styled((visible(path), "bold"))
            yield from diff


def _preview(source: list[str], edits: tuple[Edit, ...], width: int | None) -> Iterator[Styled]:
    """The edits of one file as a diff."""
    ranges = _edited_ranges(edits)
    if not all(ranges) or not ranges or ranges[-1].stop - 1 > len(source):
        return
    changes = [_Change(lines, source, edits) for lines in ranges]
    if sum(len(change.old) + len(change.new) for change in changes) > 2 * LONGEST:
        return
    gutter = len(str(ranges[-1].stop - 1))
    room = None if width is None else width - gutter - len(" - ")
    shift = _shift([text for change in changes for text in (*change.old, *change.new)], room)
    for change in changes:
        start, end = change.same
        widest = max(cell_len(t[start : len(t) - end]) for t in (*change.old, *change.new, ""))
        for sign, style, changed in (("-", "red", change.old), ("+", "green", change.new)):
            for number, text in enumerate(changed, change.first):
                parts = _parts(text, (start, len(text) - end), shift, room, widest)
                yield styled(
                    (f"{number:{gutter}} ", GUTTER),
                    (f"{sign} {parts[0]}", style),
                    (parts[1], f"bold {style}"),
                    (parts[2], style),
                )


class _Change:
    """Consecutive lines before and after edits; if it is one line, its unchanged characters at both ends (``same``)."""

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
    """Start and end of a span in the text of ``lines``, which start at the offsets ``starts``."""
    first, last = site.line - lines.start, site.end_line - lines.start
    return starts[first] + site.column - 1, starts[last] + site.end_column - 1


def _edited_ranges(edits: tuple[Edit, ...]) -> list[range]:
    """Ranges of lines with edits, in order; edits on consecutive lines share a range."""
    ranges: list[range] = []
    for edit in sorted(edits, key=lambda edit: (edit.site.line, edit.site.end_line)):
        edited = range(edit.site.line, edit.site.end_line + 1)
        if ranges and edited.start <= ranges[-1].stop:
            ranges[-1] = range(ranges[-1].start, max(ranges[-1].stop, edited.stop))
        else:
            ranges.append(edited)
    return ranges


def _shift(texts: list[str], room: int | None) -> int:
    """The characters that all lines lose at their start: the indentation that they share, if one has no room."""
    if room is None or all(cell_len(visible(_spaced(text))) <= room for text in texts):
        return 0
    return min((len(text) - len(text.lstrip()) for text in texts if text), default=0)


def _parts(text: str, span: tuple[int, int], shift: int, room: int | None, widest: int = 0) -> tuple[str, str, str]:
    """A line without its first ``shift`` characters, in ``room`` cells: the parts before, in and after the characters
    ``span[0]`` to ``span[1]``. ``widest``: the width of the middle part in the other line of a diff.
    """
    start, end = span
    parts = (text[shift:start], text[max(start, shift) : end], text[end:])
    before, inside, after = (visible(_spaced(part)) for part in parts)
    return (before, inside, after) if room is None else _cut(before, inside, after, room, widest)


def _spaced(text: str) -> str:
    return text.replace("\t", "    ")


def _cut(before: str, inside: str, after: str, room: int, widest: int) -> tuple[str, str, str]:
    """The three parts of a line in ``room`` cells; the first part is cut first."""
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
