"""Text for a terminal: styles become escape codes, what the user's files hold does not."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text


def terminal(stream: TextIO) -> tuple[int | None, bool]:
    """The width of what ``stream`` is shown on, None for a pipe or file, and whether it takes colours.

    Colours follow ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM``.
    """
    console = Console(file=stream)
    color = console.color_system is not None and not console.no_color
    return (console.width if stream.isatty() else None), color


def painted(lines: Iterable[Text], *, color: bool) -> str:
    """The lines, with escape codes for their styles if ``color``; never wrapped, no space at the end."""
    kept = list(lines)
    for line in kept:
        line.rstrip()
    if not color:
        return "".join(f"{line.plain}\n" for line in kept)
    console = Console(
        file=io.StringIO(), force_terminal=True, color_system="standard", no_color=False
    )
    with console.capture() as captured:
        for line in kept:
            console.print(line, soft_wrap=True, highlight=False)
    return captured.get()


def visible(text: str) -> str:
    """``text`` with control characters written out, so that a file's content cannot steer a terminal."""
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _HIDDEN else char
        for char in text
    )


_HIDDEN = {"Cc", "Cf", "Cs"}


def one_line(text: str) -> str:
    """``text`` on one line, nothing hidden."""
    return visible(" ".join(text.split()))
