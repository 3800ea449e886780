"""Read YAML as configurations use it: mappings, sequences, scalars, anchors and merges. Nothing in it is executed.

Scalars have the types of YAML 1.1, as PyYAML reads them. Tags, several documents, complex keys and scalars of several
lines are refused, and so is a text whose aliases stand for more values than a configuration has.
"""

from __future__ import annotations

import re
from typing import Any

_MOST_VALUES = 20_000
_DEEPEST = 50

_INT = re.compile(r"[-+]?(0b[01_]+|0x[\da-fA-F_]+|0[0-7_]*|[1-9][\d_]*)")
_FLOAT = re.compile(r"[-+]?((\d[\d_]*)\.[\d_]*([eE][-+]\d+)?|\.\d[\d_]*([eE][-+]\d+)?)")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{form: True for word in ("yes", "true", "on") for form in (word, word.title(), word.upper())},
    **{form: False for word in ("no", "false", "off") for form in (word, word.title(), word.upper())},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_KEY = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s\[\]{}#&*!|>'"%@`,?-].*?|[?-][^\s].*?)\s*:(?=\s|$)""")
_WORD = re.compile(
    r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[\[\]{},]|:(?=[\s\[\]{},]|$)"""
    r"""|(?:[^\s\[\]{},:"']|:(?![\s\[\]{},]|$))(?:[^\[\]{},:]|:(?![\s\[\]{},]|$))*)"""
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", '"': '"', "\\": "\\", "/": "/", " ": " "}


class YamlError(ValueError):
    """A text that is not read; the message says why, and where."""


def read(text: str) -> Any:
    """Return the value of a YAML document. Raises YamlError."""
    reader = _Reader(text)
    value = reader.block(-1, 0) if reader.more else None
    if reader.more:
        reader.refuse("a line that fits nowhere")
    _check_size(value)
    return value


def _check_size(value: Any) -> None:
    """Raise YamlError if a value, with each alias counted where it stands, has too many parts."""
    count, pending = 0, [value]
    while pending:
        count += 1
        if count > _MOST_VALUES:
            raise YamlError(f"more than {_MOST_VALUES} values")
        current = pending.pop()
        pending += [*current, *current.values()] if type(current) is dict else current if type(current) is list else []


class _Reader:
    def __init__(self, text: str) -> None:
        self._raw = text.splitlines()
        self._at = 0
        self._anchors: dict[str, Any] = {}
        self._indent, self._text = 0, ""
        self._next()

    def refuse(self, reason: str) -> None:
        raise YamlError(f"line {self._at}: {reason}")

    @property
    def more(self) -> bool:
        return self._indent >= 0

    def _next(self) -> None:
        """Go to the next line with content; ``_at`` is its number."""
        while self._at < len(self._raw):
            line = self._raw[self._at]
            self._at += 1
            content = _without_comment(line).rstrip()
            if content in ("---", "") and not (content and self._seen()):
                continue
            if content == "...":
                break
            self._indent, self._text = len(content) - len(content.lstrip(" ")), content.lstrip(" ")
            if self._text.startswith(("---", "%", "\t")):
                self.refuse("several documents, directives and tabs are not read")
            return
        self._indent, self._text = -1, ""

    def _seen(self) -> bool:
        return any(_without_comment(line).strip() not in ("", "---") for line in self._raw[: self._at - 1])

    # --- blocks

    def block(self, outer: int, depth: int) -> Any:
        """Read the value that begins at this line, which is indented more than ``outer``."""
        if depth > _DEEPEST:
            self.refuse("nested too deeply")
        indent = self._indent
        if self._text == "-" or self._text.startswith("- "):
            return self._sequence(indent, depth)
        if _KEY.match(self._text):
            return self._mapping(indent, depth)
        text = self._text
        return self._inline(text, outer, depth)

    def _sequence(self, indent: int, depth: int) -> list[Any]:
        items = []
        while self._indent == indent and (self._text == "-" or self._text.startswith("- ")):
            rest = self._text[1:].lstrip(" ")
            if _KEY.match(rest) or rest.startswith("- "):
                self._indent, self._text = indent + len(self._text) - len(rest), rest
                items.append(self.block(indent, depth + 1))
            else:
                items.append(self._inline(rest, indent, depth + 1))
        if self._indent > indent:
            self.refuse("an unexpected indentation")
        return items

    def _mapping(self, indent: int, depth: int) -> dict[Any, Any]:
        own: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        while self._indent == indent and (match := _KEY.match(self._text)):
            key, rest = _scalar(match[1], self), self._text[match.end() :].lstrip(" ")
            value = self._inline(rest, indent, depth + 1, in_mapping=True)
            if match[1] == "<<":
                for part in value if type(value) is list else [value]:
                    merged = {**part, **merged} if type(part) is dict else merged
            else:
                own[key] = value
        if self._indent > indent:
            self.refuse("an unexpected indentation")
        return {**merged, **own}

    def _inline(self, text: str, outer: int, depth: int, *, in_mapping: bool = False) -> Any:
        """Read the value whose text begins on this line, after a key or a dash; goes to the line after it."""
        if text.startswith("&"):
            name, _, rest = text[1:].partition(" ")
            value = self._anchors[name] = self._inline(rest.lstrip(" "), outer, depth, in_mapping=in_mapping)
            return value
        if text.startswith(("!", "`", "@", "%", "? ")):
            self.refuse(f"{text.partition(' ')[0]!r} is not read")
        if text.startswith(("|", ">")):
            return self._literal(text, outer)
        if text.startswith(("[", "{")):
            return _Flow(self._bracketed(text), self, self._anchors).read()
        self._next()
        if text:
            if self.more and self._indent > outer:
                self.refuse("a value of several lines is not read")
            if text.startswith("*"):
                return self._alias(text[1:])
            return _scalar(text, self)
        is_sequence = self._text == "-" or self._text.startswith("- ")
        if self._indent > outer or (in_mapping and self._indent == outer and is_sequence):
            return self.block(outer, depth)
        return None

    def _alias(self, name: str) -> Any:
        if name not in self._anchors:
            self.refuse(f"nothing is named &{name}")
        return self._anchors[name]

    def _literal(self, header: str, outer: int) -> str:
        """Read a text of several lines, ``|`` or ``>``."""
        lines: list[str] = []
        while self._at < len(self._raw):
            line = self._raw[self._at]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= outer:
                break
            lines.append(line)
            self._at += 1
        indent = min([len(line) - len(line.lstrip(" ")) for line in lines if line.strip()], default=0)
        text = ("\n" if header[0] == "|" else " ").join([line[indent:] for line in lines]).rstrip()
        self._next()
        return text if header.endswith("-") else f"{text}\n"

    def _bracketed(self, text: str) -> str:
        """Return a list or mapping in brackets, which may go on in further lines; goes to the line after it."""
        while not _is_closed(text):
            if self._at >= len(self._raw):
                self.refuse("a bracket is not closed")
            text += f" {_without_comment(self._raw[self._at]).strip()}"
            self._at += 1
        self._next()
        return text


class _Flow:
    """Reads ``[1, {a: b}]``."""

    def __init__(self, text: str, reader: _Reader, anchors: dict[str, Any]) -> None:
        self._words = _words(text, reader)
        self._reader = reader
        self._anchors = anchors
        self._depth = 0

    def read(self) -> Any:
        value = self._value()
        if self._words:
            self._reader.refuse("text after a bracket")
        return value

    def _take(self) -> str:
        if not self._words:
            self._reader.refuse("a bracket is not closed")
        word: str = self._words.pop(0)
        return word.strip()

    def _value(self) -> Any:
        word = self._take()
        self._depth += 1
        if self._depth > _DEEPEST or word in ("]", "}", ",", ":"):
            self._reader.refuse(f"unexpected {word!r}")
        value: Any
        if word == "[":
            value = self._list()
        elif word == "{":
            value = self._dict()
        elif word.startswith("*"):
            value = self._anchors.get(word[1:])
        elif word.startswith(("!", "&")):
            self._reader.refuse(f"{word!r} is not read")
        else:
            value = _scalar(word, self._reader)
        self._depth -= 1
        return value

    def _key(self, value: Any) -> Any:
        """Return a value that is the key of a mapping: a list or a mapping is refused."""
        if isinstance(value, (list, dict)):
            self._reader.refuse("a list or a mapping is a key")
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
                self._reader.refuse("a comma is missing")
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
                self._reader.refuse("a comma is missing")
        self._take()
        return items

    def _peek(self) -> str:
        if not self._words:
            self._reader.refuse("a bracket is not closed")
        return str(self._words[0]).strip()


def _words(text: str, reader: _Reader) -> list[str]:
    """Return the brackets, commas, colons and scalars of a text."""
    words, at = [], 0
    while at < len(text.rstrip()):
        match = _WORD.match(text, at)
        if match is None:
            reader.refuse("a quote is not closed")
            break
        words.append(match[1])
        at = match.end()
    return words


def _is_closed(text: str) -> bool:
    words = [match[1] for match in _WORD.finditer(text)]
    return sum([(word in ("[", "{")) - (word in ("]", "}")) for word in words]) <= 0


def _without_comment(line: str) -> str:
    if "#" not in line:
        return line
    quote = ""
    for position, character in enumerate(line):
        if quote:
            quote = "" if character == quote and line[position - 1] != "\\" else quote
        elif character in "'\"" and (position == 0 or line[position - 1] in " [{,:"):
            quote = character
        elif character == "#" and (position == 0 or line[position - 1] in " \t"):
            return line[:position]
    return line


def _scalar(text: str, reader: _Reader) -> Any:
    """Return the value of a scalar."""
    if text.startswith('"'):
        if len(text) < 2 or not re.fullmatch(r'"(?:[^"\\]|\\.)*"', text):
            reader.refuse("a quote is not closed")
        return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), text[1:-1])
    if text.startswith("'"):
        if not re.fullmatch(r"'(?:[^']|'')*'", text):
            reader.refuse("a quote is not closed")
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
        reader.refuse("a key inside a value")
    return text
