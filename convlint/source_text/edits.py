"""Apply edits to files, show them as a diff, and write them to disk.

Everything outside the edits stays the same, byte for byte: line ends, encoding, byte order mark.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from difflib import unified_diff

from convlint.source_text import lines
from convlint.source_text.site import Edit, Fix
from convlint.support.atomic_write import atomic_replacement


class EditError(ValueError):
    """An edit that cannot be applied.

    Its span is not in the text, it overlaps another edit, or the file's encoding lacks a character.
    """


# --- apply


def compatible(fixes: Sequence[Fix]) -> list[Fix]:
    """Return the fixes that can be applied together: of overlapping ones, the first by position.

    A fix is applied completely or not at all. Equal edits count once.
    """
    chosen: list[Fix] = []
    taken: dict[str, set[_Span]] = {}
    for fix in sorted(fixes, key=lambda fix: sorted(map(_order, fix.edits))):
        spans = [(edit.site.path, _span(edit)) for edit in dict.fromkeys(fix.edits)]
        if all(_is_free(span, taken.get(path, set())) for path, span in spans):
            chosen.append(fix)
            for path, span in spans:
                taken.setdefault(path, set()).add(span)
    return chosen


def apply(data: bytes, edits: Iterable[Edit]) -> bytes:
    r"""Return the file ``data`` after ``edits``, whatever path they name.

    Equal edits count once. ``\n`` in an edit's text becomes the line end that the file uses at that place. Raises
    EditError.
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
            raise EditError(f"the file does not survive decoding and encoding as {encoding}")
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


def _is_free(span: _Span, taken: set[_Span]) -> bool:
    return span in taken or all(_apart(*sorted((span, other))) for other in taken)


def _apart(first: _Span, second: _Span) -> bool:
    """Check whether two edits are compatible; two insertions at one place are not, because they have no order."""
    return first[1] <= second[0] and first[:2] != second[:2]


def _offset(place: _Place, source: list[str], starts: list[int]) -> int:
    """Return the offset of a line and column; the last column of a line is before its line end."""
    line, column = place
    if not 1 <= line <= len(starts):
        raise EditError(f"there is no line {line}")
    texts = source[line - 1 : line]  # empty after the last line end
    last_column = 1 + sum(len(text.rstrip("\r\n")) for text in texts)
    if not 1 <= column <= last_column:
        raise EditError(f"there is no column {column} in line {line}")
    return starts[line - 1] + column - 1


def _line_end(source: list[str], line: int) -> str:
    """Return the line end of a line, or of the line before if it has none."""
    for text in reversed(source[max(line - 2, 0) : line]):
        if end := text[len(text.rstrip("\r\n")) :]:
            return end
    return "\n"


# --- show as a diff


def diff(path: str, before: bytes, after: bytes) -> str:
    """Return the change of a file as a diff for ``git apply``; "" if nothing changed.

    In a repository paths are relative to its root, as git expects in every folder; elsewhere they stay as they are,
    for ``patch -p1``. Bytes that are not UTF-8 become surrogate escapes: write the text with
    ``errors="surrogateescape"``.
    """
    if before == after:
        return ""
    name = _in_repository(path).replace(os.sep, "/").lstrip("/")
    old, new = _quoted(f"a/{name}"), _quoted(f"b/{name}")
    hunks = list(unified_diff(_diff_lines(before), _diff_lines(after)))[2:]
    tab = "\t" if " " in name else ""  # marks the end of a name with spaces
    head = [f"diff --git {old} {new}\n", f"--- {old}{tab}\n", f"+++ {new}{tab}\n"]
    return "".join([*head, *map(_ended, hunks)])


def _in_repository(path: str) -> str:
    """Return a path relative to the root of the repository around the working directory, if there is one."""
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
    """Quote a path as git does, where it contains what a terminal or the log of a CI system may execute."""
    if path.isprintable() and not any(mark in path for mark in ('"', "\\", "##")):
        return path
    return '"' + "".join(map(_escaped, path)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable() and character != "#":
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode(errors="surrogateescape"))


# --- write


def write_atomically(path: str, data: bytes) -> None:
    """Replace the file at ``path``; see ``atomic_replacement``. Raises OSError."""
    with atomic_replacement(path) as temporary, open(temporary, "xb") as file:
        file.write(data)
