"""The lines of source in the HTML report."""

from __future__ import annotations

from convlint.ir import Site
from convlint.source_text.texts import SourceTexts

CONTEXT = 2  # lines before and after a span
LONGEST = 12  # lines of a span
WIDEST = 240  # characters of a line; lines of generated code can be longer than the whole page


class Sources:
    """Collects the lines around sites, each once, by path and number."""

    def __init__(self, texts: SourceTexts) -> None:
        self.lines: dict[str, dict[int, str]] = {}
        self._texts = texts

    def add(self, site: Site | None) -> None:
        """Add the lines around a site; none if the file cannot be read."""
        if site is None:
            return
        text = self._texts.lines(site.path)
        last = min(max(site.end_line, site.line), site.line + LONGEST - 1) + CONTEXT
        for number in range(max(site.line - CONTEXT, 1), min(last, len(text)) + 1):
            kept = self.lines.setdefault(site.path, {})
            if number not in kept:
                kept[number] = text[number - 1].rstrip()[:WIDEST]
