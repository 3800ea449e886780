"""Edits of text: which can be made together, made, shown as a diff, and written to disk.

Outside of its edits a file stays as it is, byte for byte: line ends, encoding, byte order mark.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from difflib import unified_diff

from convlint.source_text import lines
from convlint.source_text.site import Edit, Fix
from convlint.support.atomic_write import replacing

_PLAIN = re.compile(r'[^\x00-\x1f\x7f"\\]+')
"""Paths that a diff takes as they are; in others git quotes these characters."""


class EditError(ValueError):
    """An edit that cannot be made: its span is not in the text, it overlaps another, or the file's
    encoding has no such character.
    """


# --- which edits, and making them


def together(fixes: Sequence[Fix]) -> list[Fix]:
    """The fixes that can be made in one go: of those that overlap the first by position wins, and a
    fix is made as a whole or not at all. Edits that say the same are one.
    """
    chosen: list[Fix] = []
    taken: dict[str, set[_Span]] = {}
    for fix in sorted(fixes, key=lambda fix: sorted(map(_order, fix.edits))):
        spans = [(edit.site.path, _span(edit)) for edit in dict.fromkeys(fix.edits)]
        if all(_fits(span, taken.get(path, set())) for path, span in spans):
            chosen.append(fix)
            for path, span in spans:
                taken.setdefault(path, set()).add(span)
    return chosen


def apply(data: bytes, edits: Iterable[Edit]) -> bytes:
    r"""The file ``data`` after ``edits``, which are all taken to be about it.

    Edits that say the same count once. ``\n`` in an edit's text becomes the line end that the file
    has at that place. Raises EditError.
    """
    try:
        text, encoding = lines.decode(data)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise EditError(f"the file cannot be decoded: {error}") from None
    source = lines.split(text)
    starts = [0]
    for line in source:
        starts.append(starts[-1] + len(line))
    pieces: list[str] = []
    last, position = None, 0
    for span in sorted({_span(edit) for edit in edits}):
        start, end = (_offset(place, source, starts) for place in span[:2])
        if end < start or start < position or span[:2] == last:
            raise EditError(f"the edit at line {span[0][0]} overlaps another")
        pieces += (text[position:start], span[2].replace("\n", _line_end(source, span[0][0])))
        last, position = span[:2], end
    pieces.append(text[position:])
    try:
        if text.encode(encoding) != data:
            raise EditError(f"what is read as {encoding} cannot be written back as it was")
        return "".join(pieces).encode(encoding)
    except UnicodeEncodeError as error:
        raise EditError(f"the file's encoding lacks a character: {error}") from None


_Place = tuple[int, int]
_Span = tuple[_Place, _Place, str]


def _span(edit: Edit) -> _Span:
    site = edit.site
    return (site.line, site.column), (site.end_line, site.end_column), edit.text


def _order(edit: Edit) -> tuple[str, _Span]:
    return edit.site.path, _span(edit)


def _fits(span: _Span, taken: set[_Span]) -> bool:
    return span in taken or all(_apart(*sorted((span, other))) for other in taken)


def _apart(one: _Span, other: _Span) -> bool:
    """Whether both can be made, ``one`` before ``other``. What is put in at one place has no order."""
    return one[1] <= other[0] and one[:2] != other[:2]


def _offset(place: _Place, source: list[str], starts: list[int]) -> int:
    """The character at a line and column; the end of a line stands before its line end."""
    line, column = place
    if not 1 <= line <= len(starts):
        raise EditError(f"there is no line {line}")
    inside = source[line - 1 : line]  # none behind the last line end
    room = 1 + sum(len(text.rstrip("\r\n")) for text in inside)
    if not 1 <= column <= room:
        raise EditError(f"there is no column {column} in line {line}")
    return starts[line - 1] + column - 1


def _line_end(source: list[str], line: int) -> str:
    """The line end in use at a line: its own, or where it has none that of the line before."""
    for text in reversed(source[max(line - 2, 0) : line]):
        if end := text[len(text.rstrip("\r\n")) :]:
            return end
    return "\n"


# --- showing them


def diff(path: str, before: bytes, after: bytes) -> str:
    """The change of one file as a diff that ``git apply`` takes; "" where there is none.

    In a repository paths start at its root, as git reads them wherever it is called; elsewhere they stay as they are,
    for ``patch -p1``.
    Bytes that are no UTF-8 come as surrogate escapes: write the text with
    ``errors="surrogateescape"``.
    """
    if before == after:
        return ""
    shown = _in_repository(path).replace(os.sep, "/").lstrip("/")
    old, new = _quoted(f"a/{shown}"), _quoted(f"b/{shown}")
    hunks = list(unified_diff(_diff_lines(before), _diff_lines(after)))[2:]
    tab = "\t" if " " in shown else ""  # it ends a name with spaces
    head = [f"diff --git {old} {new}\n", f"--- {old}{tab}\n", f"+++ {new}{tab}\n"]
    return "".join([*head, *map(_ended, hunks)])


def _in_repository(path: str) -> str:
    """A relative path from the root of the repository that the working directory lies in, if it lies in one."""
    here = os.getcwd()
    root = here
    while not os.path.exists(os.path.join(root, ".git")):
        if root == os.path.dirname(root):
            return path
        root = os.path.dirname(root)
    whole = os.path.join(here, path)
    inside = os.path.normpath(whole).startswith(os.path.join(root, ""))
    return os.path.relpath(whole, root) if inside else path


def _diff_lines(data: bytes) -> list[str]:
    """Lines as git counts them: a carriage return is part of the line."""
    return re.findall(r"[^\n]*\n|[^\n]+", data.decode(errors="surrogateescape"))


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _quoted(path: str) -> str:
    """A path as git writes it."""
    if _PLAIN.fullmatch(path):
        return path
    return '"' + "".join(map(_escaped, path)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if _PLAIN.fullmatch(character) else f"\\{ord(character):03o}"


# --- writing them


def write_atomically(path: str, data: bytes) -> None:
    """Put ``data`` in the place of the file at ``path``, at once; see ``replacing``. Raises OSError."""
    with replacing(path) as beside, open(beside, "xb") as file:
        file.write(data)
