"""Text for a terminal: styles become escape codes, what the user's files hold does not."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Iterator
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


def painted(lines: Iterable[Text], *, width: int | None, color: bool) -> str:
    """The lines, with escape codes for their styles if ``color``, and without space at their ends.

    A line that is wider than ``width`` goes on in the next, indented, where a word begins.
    """
    kept = [part for line in lines for part in _wrapped(line, width)]
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


def _wrapped(line: Text, width: int | None) -> Iterator[Text]:
    if width is None or line.cell_len <= width:
        yield line
        return
    first, *rest = line.wrap(_ANY, max(width - len(HANGING), 1))
    yield first
    yield from (Text.assemble(HANGING, part) for part in rest)


HANGING = "    "
_ANY = Console(file=io.StringIO())


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
