"""The values of YAML within a line: scalars, and lists and mappings in brackets."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

DEEPEST = 50  # levels of lists and mappings

Refuse = Callable[[str], None]
"""Raises the error for a text that is not read, with its reason."""

_INT = re.compile(r"[-+]?(0b[01_]+|0x[\da-fA-F_]+|0[0-7_]*|[1-9][\d_]*)")
_FLOAT = re.compile(r"[-+]?((\d[\d_]*)\.[\d_]*([eE][-+]\d+)?|\.\d[\d_]*([eE][-+]\d+)?)")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{form: True for word in ("yes", "true", "on") for form in (word, word.title(), word.upper())},
    **{form: False for word in ("no", "false", "off") for form in (word, word.title(), word.upper())},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_WORD = re.compile(
    r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[\[\]{},]|:(?=[\s\[\]{},]|$)"""
    r"""|(?:[^\s\[\]{},:"']|:(?![\s\[\]{},]|$))(?:[^\[\]{},:]|:(?![\s\[\]{},]|$))*)"""
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", '"': '"', "\\": "\\", "/": "/", " ": " "}


class Flow:
    """Reads ``[1, {a: b}]``."""

    def __init__(self, text: str, refuse: Refuse, anchors: dict[str, Any]) -> None:
        self._words = _words(text, refuse)
        self._refuse = refuse
        self._anchors = anchors
        self._depth = 0

    def read(self) -> Any:
        value = self._value()
        if self._words:
            self._refuse("text after a bracket")
        return value

    def _take(self) -> str:
        if not self._words:
            self._refuse("a bracket is not closed")
        word: str = self._words.pop(0)
        return word.strip()

    def _value(self) -> Any:
        word = self._take()
        self._depth += 1
        if self._depth > DEEPEST or word in ("]", "}", ",", ":"):
            self._refuse(f"unexpected {word!r}")
        value: Any
        if word == "[":
            value = self._list()
        elif word == "{":
            value = self._dict()
        elif word.startswith("*"):
            value = self._anchors.get(word[1:])
        elif word.startswith(("!", "&")):
            self._refuse(f"{word!r} is not read")
        else:
            value = scalar(word, self._refuse)
        self._depth -= 1
        return value

    def _key(self, value: Any) -> Any:
        """Return a value that is the key of a mapping: a list or a mapping is refused."""
        if isinstance(value, (list, dict)):
            self._refuse("a list or a mapping is a key")
        return value

    def _list(self) -> list[Any]:
        items = []
        while self._peek() != "]":
            item = self._value()
            if self._peek() == ":":
                self._take()
                item = {self._key(item): self._value()}
            items.append(item)
            if self._peek() == ",":
                self._take()
            elif self._peek() != "]":
                self._refuse("a comma is missing")
        self._take()
        return items

    def _dict(self) -> dict[Any, Any]:
        items: dict[Any, Any] = {}
        while self._peek() != "}":
            key = self._key(self._value())
            items[key] = None
            if self._peek() == ":":
                self._take()
                items[key] = None if self._peek() in (",", "}") else self._value()
            if self._peek() == ",":
                self._take()
            elif self._peek() != "}":
                self._refuse("a comma is missing")
        self._take()
        return items

    def _peek(self) -> str:
        if not self._words:
            self._refuse("a bracket is not closed")
        return str(self._words[0]).strip()


def _words(text: str, refuse: Refuse) -> list[str]:
    """Return the brackets, commas, colons and scalars of a text."""
    words, at = [], 0
    while at < len(text.rstrip()):
        match = _WORD.match(text, at)
        if match is None:
            refuse("a quote is not closed")
            break
        words.append(match[1])
        at = match.end()
    return words


def is_closed(text: str) -> bool:
    """Return whether all brackets of a text are closed."""
    words = [match[1] for match in _WORD.finditer(text)]
    return sum([(word in ("[", "{")) - (word in ("]", "}")) for word in words]) <= 0


def scalar(text: str, refuse: Refuse) -> Any:
    """Return the value of a scalar."""
    if text.startswith('"'):
        if len(text) < 2 or not re.fullmatch(r'"(?:[^"\\]|\\.)*"', text):
            refuse("a quote is not closed")
        return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), text[1:-1])
    if text.startswith("'"):
        if not re.fullmatch(r"'(?:[^']|'')*'", text):
            refuse("a quote is not closed")
        return text[1:-1].replace("''", "'")
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        digits = text.replace("_", "")
        sign, digits = (-1 if digits[0] == "-" else 1), digits.lstrip("+-")
        base = 2 if digits.startswith("0b") else 16 if digits.startswith("0x") else 8 if digits[0] == "0" else 10
        return sign * int(digits.removeprefix("0b").removeprefix("0x") or "0", base)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    if match := _INFINITE.fullmatch(text):
        return float(f"{match[1]}inf")
    if ": " in text or text.endswith(":"):
        refuse("a key inside a value")
    return text
