r"""The text of a Python file: its encoding, its lines, its syntax tree, and the spans of expressions.

A line ends only at ``\n``, ``\r\n`` or ``\r``, as Python reads files; ``str.splitlines`` also splits at form feeds and
other characters.
"""

from __future__ import annotations

import ast
import re
import warnings
from codecs import BOM_UTF8

from convlint.source_text.site import Site

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def split(text: str) -> list[str]:
    """Split a text into lines, each with its line end."""
    return _LINE.findall(text)


def decode(data: bytes) -> tuple[str, str]:
    """Return the text of a Python file and its encoding (PEP 263, or a byte order mark).

    Line ends are kept. A byte order mark is not part of the text; the encoding is then "utf-8-sig". Raises SyntaxError
    as Python does, UnicodeDecodeError or LookupError.
    """
    return data.decode(encoding := _declared_encoding(data)), encoding


def encode(text: str) -> bytes:
    """Return the bytes of a file whose text is known, in the encoding that it declares.

    A character that the encoding lacks becomes a question mark, so that columns stay the same.
    """
    data = text.encode(errors="replace")
    try:
        return text.encode(_declared_encoding(data), errors="replace")
    except (SyntaxError, LookupError):  # not a valid encoding, which is reported when the file is parsed
        return data


def _declared_encoding(data: bytes) -> str:
    lines = data.splitlines(keepends=True)[:2]
    if not any(b"coding" in line for line in lines) and not data.startswith(BOM_UTF8):
        return "utf-8"
    import tokenize  # takes long to import, for few files

    first = iter(lines)
    return tokenize.detect_encoding(lambda: next(first, b""))[0]


def parse(text: str | bytes) -> ast.Module | None:
    """Return the syntax tree of a text, or None if Python cannot parse it; its warnings are ignored."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
            return None


def span(path: str, node: ast.expr | ast.stmt | ast.keyword, lines: list[str], function: str = "") -> Site:
    """Return the span of an expression, statement or keyword argument; columns start at 1 and count characters."""
    end_line = node.end_lineno or 0
    start = character_column(lines[node.lineno - 1], node.col_offset)
    end = character_column(lines[end_line - 1], node.end_col_offset or 0)
    return Site(path, node.lineno, start, end_line, end, function)


def character_column(line: str, offset: int) -> int:
    """Convert an offset in UTF-8 bytes, from 0, to a column in characters, from 1."""
    if line.isascii():
        return offset + 1
    return len(line.encode()[:offset].decode(errors="replace")) + 1
