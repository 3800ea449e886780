"""The patterns of ``.gitignore`` files, matched without backtracking.

A regular expression with a ``.*`` for every star tries all ways to split a name among them: time that grows with the
length of the name to the power of the number of stars. The first place where the text between two stars fits is as good
as any later one, so each is tried once here (an atomic group), and folders between two ``**`` likewise.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from convlint.support.dataclass import dataclass

MOST_LINES: Final = 10_000
MOST_WILDCARD_BYTES: Final = 100_000
"""Of all patterns of a file that have wildcards: to compile more would take seconds."""

_STAR, _ANY_FOLDERS = b"*", b"**"  # tokens; all others are bytes of a name, or regular expressions of one byte
_SLASH: Final = ord("/")
_SUBFOLDERS = b"(?:[^/]+/)*?"
_POSIX_CLASSES: Final = {
    b"alnum": b"0-9A-Za-z", b"alpha": b"A-Za-z", b"blank": b" \\t", b"cntrl": b"\\x00-\\x1f\\x7f", b"digit": b"0-9",
    b"graph": b"!-~", b"lower": b"a-z", b"print": b" -~", b"punct": b"!-/:-@\\[-`{-~", b"space": b"\\s",
    b"upper": b"A-Z", b"xdigit": b"0-9A-Fa-f",
}  # fmt: skip

Token = int | bytes


@dataclass(frozen=True, repr=False)
class _Pattern:
    negated: bool
    of_a_name: bool  # and not of a path
    only_folders: bool
    tokens: Sequence[Token]


class GitPatterns:
    """The patterns of one file; the last one that matches a path decides. Raises ValueError for too many of them."""

    def __init__(self, content: bytes) -> None:
        lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        if len(lines) > MOST_LINES + 1:
            raise ValueError(f"it has more than {MOST_LINES:,} lines")
        patterns = [pattern for line in lines if (pattern := _parsed(line)) is not None]
        if sum(len(each.tokens) for each in patterns if not _is_literal(each.tokens)) > MOST_WILDCARD_BYTES:
            raise ValueError(f"its patterns with wildcards have more than {MOST_WILDCARD_BYTES:,} characters")
        self._runs = [_Run(negated, list(run)) for negated, run in groupby(patterns, lambda each: each.negated)][::-1]

    def ignores(self, path: str, *, folder: bool) -> bool | None:
        """Match a path that is relative to the folder of the file; None if no pattern matches it."""
        text = os.fsencode(path).replace(os.fsencode(os.sep), b"/")
        name = text[text.rfind(b"/") + 1 :]
        return next((not run.negated for run in self._runs if run.matches(name, text, folder=folder)), None)


class _Run:
    """Patterns between which the order does not matter: all ignore, or all are negated."""

    def __init__(self, negated: bool, patterns: Sequence[_Pattern]) -> None:
        self.negated = negated
        self._of_all = _NamesAndPaths([each for each in patterns if not each.only_folders])
        self._of_folders = _NamesAndPaths([each for each in patterns if each.only_folders])

    def matches(self, name: bytes, path: bytes, *, folder: bool) -> bool:
        return self._of_all.match(name, path) or (folder and self._of_folders.match(name, path))


class _NamesAndPaths:
    """Patterns of which one has to match."""

    def __init__(self, patterns: Sequence[_Pattern]) -> None:
        self._names = _Alternatives([each.tokens for each in patterns if each.of_a_name])
        self._paths = _Alternatives([each.tokens for each in patterns if not each.of_a_name])

    def match(self, name: bytes, path: bytes) -> bool:
        return self._names.match(name) or self._paths.match(path)


class _Alternatives:
    """Patterns of which one has to match a text; those without wildcards are looked up."""

    def __init__(self, patterns: Iterable[Sequence[Token]]) -> None:
        self._literal: set[bytes] = set()
        wild = []
        for tokens in patterns:
            if _is_literal(tokens):
                self._literal.add(bytes(token for token in tokens if isinstance(token, int)))
            else:
                wild.append(_regex(tokens))
        self._wild = re.compile(b"|".join(wild), re.DOTALL) if wild else None

    def match(self, text: bytes) -> bool:
        return text in self._literal or (self._wild is not None and self._wild.fullmatch(text) is not None)


def _parsed(line: bytes) -> _Pattern | None:
    """The pattern of a line; None if it has none, or one that matches nothing."""
    line = re.sub(rb"(?<!\\)((?:\\\\)*)\ +\Z", rb"\1", line.removesuffix(b"\r"))
    if not line or line.startswith(b"#"):
        return None
    negated = line.startswith(b"!")
    text = line[negated:]
    only_folders = text.endswith(b"/")
    text = text[: len(text) - only_folders]
    of_a_name = b"/" not in text
    try:
        tokens = list(_tokens(text.removeprefix(b"/")))
    except ValueError:
        return None
    if of_a_name:
        tokens = [_STAR if token == _ANY_FOLDERS else token for token in tokens]
    return _Pattern(negated, of_a_name, only_folders, tokens) if tokens else None


def _tokens(text: bytes) -> Iterator[Token]:
    """The tokens of a pattern. Raises ValueError for one that git does not understand."""
    place = 0
    while place < len(text):
        character = text[place : place + 1]
        if character == b"*":
            end = place
            while text[end : end + 1] == b"*":
                end += 1
            alone = (place == 0 or text[place - 1 : place] == b"/") and text[end : end + 1] in (b"", b"/")
            any_folders = alone and end - place > 1
            yield _ANY_FOLDERS if any_folders else _STAR
            place = end + (any_folders and end < len(text))  # the slash belongs to it
            if any_folders and place == len(text) > end:
                raise ValueError("a slash at the end, before the one that means a folder")
        elif character == b"[":
            expression, place = _one_of(text, place + 1)
            yield expression
        elif character == b"?":
            yield b"[^/]"
            place += 1
        else:
            place += character == b"\\"
            if place == len(text):
                raise ValueError("a backslash at the end")
            yield text[place]
            place += 1


def _one_of(text: bytes, place: int) -> tuple[bytes, int]:
    """The expression of a set that begins at a place, and the place after it."""
    negated = text[place : place + 1] in (b"!", b"^")
    place += negated
    items, first, before = [], True, None  # the character before a dash, as a number
    while True:
        character = text[place : place + 1]
        if not character:
            raise ValueError("a set without an end")
        if character == b"]" and not first:
            break
        first = False
        following = text[place + 1 : place + 2]
        if character == b"[" and following == b":":
            end = text.find(b"]", place + 2)
            if end > place + 2 and text[end - 1 : end] == b":":
                items.append(_POSIX_CLASSES.get(text[place + 2 : end - 1]) or _unknown_class())
                place, before = end + 1, None
                continue
        if character == b"-" and before is not None and following not in (b"", b"]"):
            place += 1 + (following == b"\\")
            if place >= len(text):
                raise ValueError("a set without an end")
            items += [b"\\x%02x-\\x%02x" % (before, text[place])] * (before <= text[place])
            before = None
        else:
            place += character == b"\\"
            if place >= len(text):
                raise ValueError("a set without an end")
            before = text[place]
            items.append(b"\\x%02x" % before)
        place += 1
    members = b"".join(items)
    return (b"[^/%s]" % members if negated else b"(?!/)[%s]" % members), place + 1


def _unknown_class() -> bytes:
    raise ValueError("an unknown class of characters")


def _is_literal(tokens: Sequence[Token]) -> bool:
    return all(isinstance(token, int) for token in tokens)


def _regex(tokens: Sequence[Token]) -> bytes:
    """The regular expression of a pattern."""
    parts = _split(tokens, _ANY_FOLDERS)
    *between, last = [_folders(part) for part in parts]
    if not between:
        return last
    first, *between = between
    return (
        first
        + b"".join(b"(?>%s%s)" % (_SUBFOLDERS, part) for part in between if part)
        + (_SUBFOLDERS + last if last else b".+")
    )


def _folders(tokens: Sequence[Token]) -> bytes:
    """The expression of tokens between two ``**``: of names, with slashes between them."""
    return b"/".join(_name(name) for name in _split(tokens, _SLASH))


def _name(tokens: Sequence[Token]) -> bytes:
    first, *others = [b"".join(map(_one, part)) for part in _split(tokens, _STAR)]
    if not others:
        return first
    *between, last = others
    return first + b"".join(b"(?>[^/]*?%s)" % part for part in between if part) + b"[^/]*" + last


def _one(token: Token) -> bytes:
    return re.escape(bytes([token])) if isinstance(token, int) else token


def _split(tokens: Sequence[Token], at: Token) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token == at:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
