"""Where something stands in source text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Site:
    """A span of source text. ``function`` is the qualified name of the code it stands in (``GDConv.__init__``)."""

    path: str
    line: int
    column: int = 1
    end_line: int = 0
    end_column: int = 0
    function: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"
