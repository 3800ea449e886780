"""Spans of source text, and edits of that text."""

from __future__ import annotations

from typing import Literal

from convlint.support.dataclass import dataclass

Applicability = Literal["safe", "unsafe", "display"]


@dataclass(frozen=True, slots=True)
class Site:
    """A span of source text. ``function`` is the qualified name of the code around it (``GDConv.__init__``)."""

    path: str
    line: int
    column: int = 1
    end_line: int = 0
    end_column: int = 0
    function: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of ``site`` by ``text``."""

    site: Site
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that fix a finding. ``safe`` keeps the behavior, ``unsafe`` may change it, ``display`` is only shown."""

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...]
