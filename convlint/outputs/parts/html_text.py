"""Text of the user's model and files as HTML: escaped, code in backticks, and diffs."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from convlint.outputs.parts.notebook_style import MONOSPACE
from convlint.outputs.parts.terminal import one_line

PRE = f'<pre style="font-family:{escape(MONOSPACE)};white-space:pre;text-align:left">'


def text_of(text: str) -> str:
    """Text on one line, escaped."""
    return escape(one_line(text))


def prose(text: str) -> str:
    """Text in which the parts in backticks are code."""
    parts = one_line(text).split("`")
    if len(parts) % 2 == 0:
        return escape(one_line(text))
    return "".join(f"<code>{escape(part)}</code>" if n % 2 else escape(part) for n, part in enumerate(parts))


def block(lines: Iterable[str]) -> str:
    """Lines of code."""
    return f"{PRE}{escape(chr(10).join(lines))}</pre>"


def diff_block(lines: Iterable[str], sign_at: int) -> str:
    """The lines of a diff in colors; the sign is the word at ``sign_at``, or the first character for -1."""
    return f"{PRE}{''.join(_changed(line, sign_at) for line in lines)}</pre>"


def _changed(line: str, sign_at: int) -> str:
    sign = line[:1] if sign_at < 0 else "".join(line.split()[sign_at : sign_at + 1])
    kind = {"-": "removed", "+": "added"}.get(sign)
    return f'<span class="{kind}">{escape(line)}</span>\n' if kind else f"{escape(line)}\n"


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values, one a line."""
    return "".join(f"<div>{escape(name)}: <b>{text_of(value)}</b></div>" for name, value in rows)
