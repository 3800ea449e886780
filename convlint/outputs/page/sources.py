"""The lines of source that a page shows."""

from __future__ import annotations

from convlint.ir import Site
from convlint.source_text import lines

AROUND = 2
"""Lines shown before and behind a span."""
LONGEST = 12
"""Lines shown of a span."""
WIDEST = 240
"""Characters shown of a line: generated code has lines that are longer than the rest of the page."""


class Sources:
    """Collects the lines around sites, each once, by path and number."""

    def __init__(self) -> None:
        self.found: dict[str, dict[int, str]] = {}
        self._files: dict[str, list[str]] = {}

    def add(self, site: Site | None) -> None:
        """Keep the lines around a site; none where the file cannot be read."""
        if site is None:
            return
        if site.path not in self._files:
            self._files[site.path] = lines.of(site.path)
        text = self._files[site.path]
        last = min(max(site.end_line, site.line), site.line + LONGEST - 1) + AROUND
        for number in range(max(site.line - AROUND, 1), min(last, len(text)) + 1):
            kept = self.found.setdefault(site.path, {})
            if number not in kept:
                kept[number] = text[number - 1].rstrip()[:WIDEST]
