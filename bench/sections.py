"""Update pages in docs/: sections between two comments, and the revision that measured figures are of."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
MEASURED = ("convlint", "bench")  # what figures depend on


def record(page: Path, text: str, section: str | None = None) -> None:
    """Write figures, and the revision that they were measured at, into a section of a page or as the whole page."""
    text = f"{text.strip()}\n\nMeasured at revision {revision()}.\n"
    if section is None:
        page.write_text(text, encoding="utf-8")
    else:
        put(page, section, text)


def revision() -> str:
    """Return the checked-out revision, and whether the code differs from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    return f"{commit} with changes" if _git("status", "--porcelain", "--", *MEASURED) else commit


def _git(*arguments: str) -> str:
    git = shutil.which("git") or "git"
    return subprocess.run([git, *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def put(page: Path, name: str, text: str) -> None:
    """Replace the section ``name`` by ``text``, or append it if the page does not have it."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    whole = page.read_text(encoding="utf-8")
    before, found, rest = whole.partition(begin)
    after = rest.partition(end)[2] if found else ""
    gap = "" if found or not before else "\n"
    page.write_text(f"{before}{gap}{begin}{text.strip()}\n{end}{after}", encoding="utf-8")
