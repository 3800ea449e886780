"""What a Markdown page of this project is made of: fenced blocks, links, headings.

The options of a block stand in a comment above it, which nobody sees who reads the rendered page, as TOML:

    <!-- blocks
    files = { "net.py" = "fixtures/conv.py" }
    exit = 1
    -->

CONTRIBUTING.md lists them.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

_FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}|~{3,})\s*(?P<language>[\w+-]*)[^`]*$")
_OPTIONS = re.compile(r"<!-- blocks\b(?P<toml>(?:(?!-->).)*)-->\s*\Z", re.DOTALL)
_CODE = re.compile(r"(`+[^`]+`+)")
_LINK = re.compile(r"(?<=\]\()(?P<target>[^()\s]+)(?=\))")
_HEADING = re.compile(r"^#{1,6} +(?P<title>.+?)(?: +#+)?$")


class PageError(ValueError):
    """A page that is not written as the convention has it; the message names page and line."""


@dataclass(frozen=True)
class Options:
    """What the comment above a block says of it."""

    skip: str | dict[str, str] = ""
    """Why it is not run; or for commands that begin so, why they are not."""
    before: str = ""
    """Shown to nobody: commands that run first, or for a Python block the lines above it."""
    files: dict[str, str] = field(default_factory=dict)
    """What is copied into the folder first: the name there, and the file of the repository."""
    save: str = ""
    """The file that the text of the block is, in the folder. It is not run then."""
    exit: tuple[int, ...] = (0,)
    """What its commands may exit with."""
    varies: tuple[str, ...] = ()
    """Patterns of what is different at each run, as times are."""
    alternatives: bool = False
    """Each command finds the folder as the first one did, whatever another has changed."""
    endless: tuple[str, ...] = ()
    """Commands that begin so end when they are interrupted, after their first output."""


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: Path
    line: int
    """Of its opening fence, from 1."""
    language: str
    text: str
    """Without the fences and their indentation, with a line break at its end."""
    options: Options
    indent: str
    span: tuple[int, int]
    """Where the text lies among the lines of the page, from 0, the end excluded."""

    @property
    def place(self) -> str:
        """``docs/ci.md:12``, to be told."""
        return f"{os.path.relpath(self.page, ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page of the documentation, in order."""
    named = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*named, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, text: str | None = None) -> list[Block]:
    """The fenced blocks of ``page``, or of ``text`` in its place. Raises PageError."""
    lines = (page.read_text(encoding="utf-8") if text is None else text).splitlines()
    return list(_blocks(page, lines))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    for first, last, fence in _fences(lines):
        indent = fence["indent"]
        text = "".join(f"{line.removeprefix(indent)}\n" for line in lines[first + 1 : last])
        above = _OPTIONS.search("\n".join(lines[:first]))
        yield Block(
            page=page,
            line=first + 1,
            language=fence["language"].lower(),
            text=text,
            options=_options(f"{page.name}:{first + 1}", above["toml"]) if above else Options(),
            indent=indent,
            span=(first + 1, last),
        )


def _fences(lines: list[str]) -> Iterator[tuple[int, int, re.Match[str]]]:
    """The lines of opening and closing fences, from 0. One that is never closed goes to the end."""
    opened: tuple[int, re.Match[str]] | None = None
    for number, line in enumerate(lines):
        if opened is None:
            fence = _FENCE.match(line)
            opened = (number, fence) if fence else None
        elif line.strip().startswith(opened[1]["marks"]) and not line.strip(" `~\n"):
            yield opened[0], number, opened[1]
            opened = None
    if opened is not None:
        yield opened[0], len(lines), opened[1]


def _options(place: str, toml: str) -> Options:
    try:
        said: dict[str, Any] = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise PageError(f"{place}: the options of the block are no TOML: {error}") from None
    if unknown := said.keys() - Options.__dataclass_fields__.keys():
        known = ", ".join(Options.__dataclass_fields__)
        raise PageError(f"{place}: a block has no option {min(unknown)!r}; it has {known}")
    if "exit" in said:
        said["exit"] = tuple(said["exit"]) if isinstance(said["exit"], list) else (said["exit"],)
    for name in ("varies", "endless"):
        said[name] = tuple(said.get(name, ()))
    return Options(**said)


def linked(text: str, change: Callable[[str], str]) -> str:
    """``text`` with each link's target changed, less what stands in code."""
    lines = text.splitlines(keepends=True)
    code = {n for first, last, _ in _fences(lines) for n in range(first, last + 1)}
    for number, line in enumerate(lines):
        if number not in code:
            parts = _CODE.split(line)
            parts[::2] = [
                _LINK.sub(lambda link: change(link["target"]), part) for part in parts[::2]
            ]
            lines[number] = "".join(parts)
    return "".join(lines)


def links(text: str) -> list[str]:
    """The targets of the links of a page, in order."""
    found: list[str] = []

    def note(target: str) -> str:
        found.append(target)
        return target

    linked(text, note)
    return found


def anchors(text: str) -> list[str]:
    """What the headings of a page are called in links, as code forges do it."""
    lines = text.splitlines()
    code = {n for first, last, _ in _fences(lines) for n in range(first, last + 1)}
    found: list[str] = []
    for number, line in enumerate(lines):
        if number not in code and (heading := _HEADING.match(line)):
            title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["title"])
            name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            found.append(name if name not in found else f"{name}-{found.count(name)}")
    return found


def relative(link: str) -> bool:
    """Whether a link leads to a file of the repository, and not into the world."""
    return not re.match(r"[a-z][a-z0-9+.-]*:", link)
