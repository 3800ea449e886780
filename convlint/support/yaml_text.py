"""Read YAML as configurations use it: mappings, sequences, scalars, anchors and merges. Nothing in it is executed.

Scalars have the types of YAML 1.1, as PyYAML reads them. Tags, several documents, complex keys and scalars of several
lines are refused, and so is a text whose aliases stand for more values than a configuration has.
"""

from __future__ import annotations

import re
from typing import Any

from convlint.support.yaml_values import DEEPEST, Flow, is_closed, scalar

_MOST_VALUES = 20_000
_KEY = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s\[\]{}#&*!|>'"%@`,?-].*?|[?-][^\s].*?)\s*:(?=\s|$)""")


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
        if depth > DEEPEST:
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
            key, rest = scalar(match[1], self.refuse), self._text[match.end() :].lstrip(" ")
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
            return Flow(self._bracketed(text), self.refuse, self._anchors).read()
        self._next()
        if text:
            if self.more and self._indent > outer:
                self.refuse("a value of several lines is not read")
            if text.startswith("*"):
                return self._alias(text[1:])
            return scalar(text, self.refuse)
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
        while not is_closed(text):
            if self._at >= len(self._raw):
                self.refuse("a bracket is not closed")
            text += f" {_without_comment(self._raw[self._at]).strip()}"
            self._at += 1
        self._next()
        return text


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
