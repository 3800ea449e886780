r"""A file's text as Python reads it: its encoding, where its lines end, and which lines a path has.

A line ends at ``\n``, ``\r\n`` or ``\r``, and nowhere else: not at a form feed, nor at the other
characters that ``str.splitlines`` takes for line ends.
"""

from __future__ import annotations

import ast
import re
import tokenize
import warnings

from convlint.source_text.site import Site

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def split(text: str) -> list[str]:
    """The lines of a text, each with its end."""
    return _LINE.findall(text)


def decode(data: bytes) -> tuple[str, str]:
    """The text of a Python file, and the encoding that it declares (PEP 263, or a byte order mark).

    Line ends stay as they are; a byte order mark is left out, and the encoding is "utf-8-sig" then.
    Raises SyntaxError as Python does, UnicodeDecodeError or LookupError.
    """
    first = iter(data.splitlines(keepends=True)[:2])
    encoding, _ = tokenize.detect_encoding(lambda: next(first, b""))
    return data.decode(encoding), encoding


def encoded(text: str) -> bytes:
    """The bytes of a file of which only the text is at hand, in the encoding that it declares.

    A character that is not of this encoding becomes a question mark, so that columns stay.
    """
    plain = text.encode(errors="replace")
    first = iter(plain.splitlines(keepends=True)[:2])
    try:
        encoding, _ = tokenize.detect_encoding(lambda: next(first, b""))
        return text.encode(encoding, errors="replace")
    except (SyntaxError, LookupError):  # no encoding of text: whoever reads the file says so
        return plain


def parsed(text: str | bytes) -> ast.Module | None:
    """The syntax tree of a text, None if Python cannot parse it. Warnings about it are not ours to tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
            return None


def span(path: str, node: ast.expr | ast.keyword, lines: list[str], function: str = "") -> Site:
    """Where an expression or a keyword argument stands, its columns in characters from 1."""
    end_line, end_column = node.end_lineno or 0, node.end_col_offset or 0
    return Site(
        path,
        node.lineno,
        _characters(lines[node.lineno - 1], node.col_offset),
        end_line,
        _characters(lines[end_line - 1], end_column),
        function,
    )


def _characters(line: str, column: int) -> int:
    if line.isascii():
        return column + 1
    return len(line.encode()[:column].decode(errors="replace")) + 1
