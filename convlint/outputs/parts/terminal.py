"""Text for terminals: styles become escape codes, and control characters of the user's files are escaped.

Rich is imported only for colors or a width, so that output to a pipe starts fast.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, TextIO, TypeAlias

from convlint.outputs.parts.log_commands import without_commands

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Styled: TypeAlias = tuple[tuple[str, str], ...]  # the pieces of a line, each with its style
HANGING = "    "
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode categories


def styled(*parts: str | tuple[str, str]) -> Styled:
    """A line of texts, each with or without a style."""
    return tuple((part, "") if isinstance(part, str) else part for part in parts)


def cell_len(text: str) -> int:
    """The width of a text in terminal cells."""
    if text.isascii():
        return len(text)
    from rich import cells

    return cells.cell_len(text)


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells; two dots mark a cut."""
    if cell_len(text) <= width:
        return text
    from rich.cells import set_cell_size

    return set_cell_size(text, max(width - 2, 0)) + ".."[: max(width, 0)]


def terminal(stream: TextIO) -> tuple[int | None, bool]:
    """The width of a stream's terminal, None for a pipe or file, and whether it takes colors, also by ``NO_COLOR``."""
    if not stream.isatty() and not os.environ.keys() & {"FORCE_COLOR", "TTY_COMPATIBLE"}:
        return None, False
    from rich.console import Console

    console = Console(file=stream)
    color = console.color_system is not None and not console.no_color
    return (console.width if stream.isatty() else None), color


def painted(lines: Iterable[Text | Styled], *, width: int | None, color: bool) -> str:
    """The lines as text without trailing space, with escape codes for their styles if ``color``.

    Lines that are wider than ``width`` are wrapped between words, and indented.
    """
    if width is None and not color:
        return without_commands("".join(f"{plain(line).rstrip()}\n" for line in lines))
    kept = [part for line in lines for part in _wrapped(_text(line), width)]
    for line in kept:
        line.rstrip()
    if not color:
        return without_commands("".join(f"{line.plain}\n" for line in kept))
    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", no_color=False)
    with console.capture() as captured:
        for line in kept:
            console.print(line, soft_wrap=True, highlight=False)
    return without_commands(captured.get())


def plain(line: Text | Styled) -> str:
    """A line without its styles."""
    return "".join(text for text, _ in line) if isinstance(line, tuple) else line.plain


def _text(line: Text | Styled) -> Text:
    from rich.text import Text

    return Text.assemble(*line) if isinstance(line, tuple) else line


def _wrapped(line: Text, width: int | None) -> Iterator[Text]:
    if width is None or line.cell_len <= width:
        yield line
        return
    from rich.text import Text

    first, *rest = line.wrap(_any_console(), max(width - len(HANGING), 1))
    yield first
    yield from (Text.assemble(HANGING, part) for part in rest)


@cache
def _any_console() -> Console:
    from rich.console import Console

    return Console(file=io.StringIO())


def visible(text: str) -> str:
    """``text`` with control characters escaped, so that a file's content cannot control a terminal."""
    if text.isprintable():
        return text
    import unicodedata

    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _HIDDEN else char for char in text
    )


def one_line(text: str) -> str:
    """``text`` on one line, with control characters escaped."""
    return visible(" ".join(text.split()))


def message(text: str) -> str:
    """A message on one line, with nothing in it that a terminal or a CI system would execute."""
    return without_commands(visible(text))


def number_of(count: int, thing: str) -> str:
    """``1 file``, ``2 files``, ``1,000 classes``."""
    plural = f"{thing}es" if thing.endswith("s") else f"{thing}s"
    return f"{count:,} {thing if count == 1 else plural}"
