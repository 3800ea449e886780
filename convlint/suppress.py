"""Comments that silence findings: ``# noqa: CVL301``, ``# convlint: ignore[CVL301]``, ``# convlint: skip-file``.

A comment counts for a finding if it stands on a line of the finding's span. Only real comments count, never text
within a string. A bare ``# noqa`` silences every code, as everywhere.
"""

from __future__ import annotations

import io
import re
import tokenize
from functools import cache
from pathlib import Path

from convlint.model import Finding

_NOQA = re.compile(
    r"#\s*noqa(?P<codes>\s*:\s*[A-Z]+\d+(?:[\s,]+[A-Z]+\d+)*)?(?![\w:])", re.IGNORECASE
)
_IGNORE = re.compile(r"#\s*convlint:\s*ignore\[(?P<codes>[^\]]*)\]", re.IGNORECASE)
_SKIP = re.compile(r"#\s*convlint:\s*skip-file\b", re.IGNORECASE)
_CODE = re.compile(r"[A-Z]+\d+", re.IGNORECASE)
_EVERYTHING = frozenset({""})


def is_suppressed(finding: Finding) -> bool:
    """Whether a comment in the finding's own file silences it."""
    site = finding.site
    if site is None:
        return False
    skipped, by_line = _comments(site.path)
    lines = range(site.line, max(site.line, site.end_line) + 1)
    prefixes = frozenset().union(*(by_line.get(line, frozenset()) for line in lines))
    return skipped or any(finding.code.startswith(prefix) for prefix in prefixes)


@cache
def _comments(path: str) -> tuple[bool, dict[int, frozenset[str]]]:
    """Whether a file is skipped, and for each line the prefixes of codes that it silences."""
    try:
        text = Path(path).read_bytes()
    except OSError:
        return False, {}  # code that has no file, and so no comments
    skipped, by_line = False, {}
    try:
        for token in tokenize.tokenize(io.BytesIO(text).readline):
            if token.type == tokenize.COMMENT:
                skipped = skipped or bool(_SKIP.search(token.string))
                by_line[token.start[0]] = _silenced(token.string)
    except (tokenize.TokenError, SyntaxError):
        pass  # what comes before the broken place counts; the file itself is reported when it is run
    return skipped, by_line


def _silenced(comment: str) -> frozenset[str]:
    found: set[str] = set()
    if match := _IGNORE.search(comment):
        found.update(code.upper() for code in _CODE.findall(match["codes"]))
    if match := _NOQA.search(comment):
        codes = match["codes"]
        found.update([code.upper() for code in _CODE.findall(codes)] if codes else _EVERYTHING)
    return frozenset(found)
