"""Update pages in docs/ in which each program writes a section between two comments."""

from __future__ import annotations

from pathlib import Path


def put(page: Path, name: str, text: str) -> None:
    """Replace the section ``name`` by ``text``, or append it if the page does not have it."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    whole = page.read_text(encoding="utf-8")
    before, found, rest = whole.partition(begin)
    after = rest.partition(end)[2] if found else ""
    gap = "" if found or not before else "\n"
    page.write_text(f"{before}{gap}{begin}{text.strip()}\n{end}{after}", encoding="utf-8")
