"""Read the Markdown pages of this project: fenced blocks, links, headings.

The options of a block are TOML in a comment above it, which the rendered page does not show:

<!-- blocks files = { "net.py" = "fixtures/conv.py" } exit = 1 -->

CONTRIBUTING.md lists them.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent

MARKDOWN = MarkdownIt("commonmark").enable("table")
"""Markdown as code forges parse it, as far as the pages need it."""
COMMENT = re.compile(r"^ *<!-- blocks\b(?P<toml>(?:(?!-->).)*)-->\n?", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()[^()\s]+(?=\))")


class PageError(ValueError):
    """A page that does not follow the conventions; the message names page and line."""


@dataclass(frozen=True)
class Options:
    """Options from the comment above a block."""

    skip: str | dict[str, str] = ""
    """The reason not to run it; or a mapping from beginnings of commands to reasons."""
    before: str = ""
    """Commands to run first that the page does not show; lines of Python above a Python block."""
    files: dict[str, str] = field(default_factory=dict)
    """Files to copy into the folder first: the name there, and the file of the repository."""
    save: str = ""
    """The file in the folder in which to save the block, instead of running it."""
    exit: tuple[int, ...] = (0,)
    """Expected exit codes of its commands."""
    varies: tuple[str, ...] = ()
    """Patterns of output that differs between runs, such as times."""
    alternatives: bool = False
    """Whether each command starts from the initial state of the folder."""
    endless: tuple[str, ...] = ()
    """Beginnings of commands that are interrupted after their first output."""


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: Path
    line: int
    """Line of the opening fence, from 1."""
    language: str
    text: str
    """Text without the fences and their indentation, ending in a line break."""
    options: Options
    indent: str
    span: tuple[int, int]
    """Range of the text in the lines of the page, from 0, with exclusive end."""

    @property
    def place(self) -> str:
        """Location for messages, such as ``docs/ci.md:12``."""
        return f"{os.path.relpath(self.page, ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return every page of the documentation, in order."""
    named = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*named, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, text: str | None = None) -> list[Block]:
    """Return the fenced blocks of ``page``, or of ``text`` instead. Raises PageError."""
    source = page.read_text(encoding="utf-8") if text is None else text
    lines = source.splitlines()
    tokens = MARKDOWN.parse(source)
    return [
        _block(page, token, above, lines)
        for above, token in pairwise([None, *tokens])
        if token is not None and token.type == "fence"
    ]


def _block(page: Path, token: Token, above: Token | None, lines: list[str]) -> Block:
    first = _span(token)[0]
    comment = COMMENT.search(above.content) if above and above.type == "html_block" else None
    return Block(
        page=page,
        line=first + 1,
        language=token.info.partition(" ")[0].lower(),
        text=token.content,
        options=_options(f"{page.name}:{first + 1}", comment["toml"]) if comment else Options(),
        indent=lines[first][: -len(lines[first].lstrip())],
        span=(first + 1, first + 1 + token.content.count("\n")),
    )


def _span(token: Token) -> tuple[int, int]:
    """Return the range of lines of a Markdown block, from 0, with exclusive end."""
    assert token.map is not None, "only what stands inside of a line has none"
    return token.map[0], token.map[1]


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
    """Return ``text`` with the target of each link changed, except in code."""
    lines = text.splitlines(keepends=True)
    for token in MARKDOWN.parse(text):
        if to := {target: change(target) for target in _targets(token)}:
            for number in range(*_span(token)):
                lines[number] = _moved(lines[number], to)
    return "".join(lines)


def _moved(line: str, to: dict[str, str]) -> str:
    return _LINK.sub(lambda link: to.get(link[0], link[0]), line)


def links(text: str) -> list[str]:
    """Return the targets of the links of a page, in order."""
    return [target for token in MARKDOWN.parse(text) for target in _targets(token)]


def _targets(token: Token) -> list[str]:
    """Return the targets of links and images in a paragraph, a heading or a cell."""
    found = [child.attrGet("href") or child.attrGet("src") for child in token.children or ()]
    return [str(target) for target in found if target]


def anchors(text: str) -> list[str]:
    """Return the anchors of the headings of a page, as code forges name them."""
    found: list[str] = []
    for above, token in pairwise(MARKDOWN.parse(text)):
        if above.type == "heading_open":
            title = "".join(child.content for child in token.children or ())
            name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            found.append(name if name not in found else f"{name}-{found.count(name)}")
    return found


def relative(link: str) -> bool:
    """Whether a link is a path in the repository."""
    return not urlsplit(link).scheme
