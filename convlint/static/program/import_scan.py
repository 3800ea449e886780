"""The imports of a file, found in its text without parsing it.

A file leads to hundreds of others of its project that are never followed, and parsing one takes six times as long.
Lines of strings that look like imports count: a file too many is looked at, never one too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Name = tuple[str, tuple[str, ...], int]  # a dotted name, the names imported from it, and the leading dots

_WORD = re.compile(r"\bimport\b[ \t]*")
_START = re.compile(r"(?:^|[:;])[ \t\f]*(?:from\b[ \t]*(?P<dots>[. \t]*)(?P<source>[\w. \t]*))?$")
_MEMBERS = re.compile(r"\((?:[^)#]|#[^\n]*)*\)|[^\n;#]*")
_COMMENT = re.compile(r"#[^\n]*")


def scanned_imports(text: str) -> Iterator[Name]:
    """Yield what the import statements of a file name, at any level of nesting."""
    if "\\\n" in text or "\\\r" in text:
        text = text.replace("\\\r\n", " ").replace("\\\n", " ")
    for word in _WORD.finditer(text):
        start = _START.search(text[text.rfind("\n", 0, word.start()) + 1 : word.start()])
        if start is None:
            continue
        found = _MEMBERS.match(text, word.end())
        members = [] if found is None else _listed(_COMMENT.sub("", found.group()))
        if start["source"] is None:
            yield from ((name, (), 0) for name in members)
            continue
        source = start["source"].replace(" ", "").replace("\t", "")
        yield source, tuple([member for member in members if member != "*"]), start["dots"].count(".")


def _listed(text: str) -> list[str]:
    """Return the names in ``a as b, (c, d)``."""
    words = [part.split() for part in text.strip("() \t\r\n").split(",")]
    return [parts[0] for parts in words if parts]
