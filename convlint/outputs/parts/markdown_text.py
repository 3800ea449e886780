"""The user's text in Markdown, escaped so that none of it is markup."""

from __future__ import annotations

import re

from convlint.outputs.parts.terminal import one_line

_CODE = re.compile(r"(`[^`]*`)")
_MENTION = re.compile(r"[@#](?=\w)")
_SEVERAL_BACKTICKS = re.compile("``+")
_INLINE = re.compile(r"(?<! )\*|\*(?! )|~~|[<`]|\\(?=\W|$)|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")
_BLOCK = re.compile(r"(?=[-+](?:\s|$)|-[- ]*-|#+(?:\s|$)|>)|(\d+)(?=[.)](?:\s|$))")


def cell(text: str) -> str:
    """Text for a cell or a list item: text in backticks is code, and ``@name`` and ``#1`` do not become links."""
    parts = _CODE.split(one_line(text))
    return "".join(code(part[1:-1]) if n % 2 else _plain(part) for n, part in enumerate(parts))


def code(text: str) -> str:
    """Text as code. Bars are escaped because they would end the cell of a table."""
    shown = one_line(text).replace("`", "'").replace("|", "\\|")
    return f"`{shown}`" if shown.strip() else ""


def _plain(text: str) -> str:
    text = re.sub(r"([\\`*_|\[\]~])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")
    return _MENTION.sub(lambda found: f"{found[0]}<!-- -->", text)


def sentence(text: str) -> str:
    """A line that some readers show as Markdown and others as it is: only what would be markup is escaped."""
    parts = _CODE.split(_SEVERAL_BACKTICKS.sub("'", text))
    return "".join(part if n % 2 else _unmarked(part, is_first=not n) for n, part in enumerate(parts))


def _unmarked(text: str, *, is_first: bool) -> str:
    text = _INLINE.sub(r"\\\g<0>", text)
    if "](" in text:
        text = text.replace("[", r"\[")
    if is_first and (start := _BLOCK.match(text)) is not None:
        text = f"{start[0]}\\{text[start.end() :]}"
    return _MENTION.sub("\\g<0>\u200b", text)
