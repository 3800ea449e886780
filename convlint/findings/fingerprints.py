"""What a finding is known by, whatever line it moves to: its code, its file, the function or class that it stands in
and the text of its line.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable

from convlint.ir import Finding
from convlint.source_text.texts import SourceTexts

Identity = tuple[str, str, str, str]
"""Path, code, function and line; a finding without a line is known by "", code, target and message."""


def identity(finding: Finding, folder: str, texts: SourceTexts) -> Identity:
    """What a finding is known by; its path is relative to ``folder``. Findings that are alike have the same."""
    site = finding.site
    if site is None:
        return ("", finding.code, finding.target or "", finding.message)
    path = os.path.relpath(os.path.abspath(site.path), os.path.abspath(folder))
    line = texts.line(site.path, site.line)
    return (path.replace(os.sep, "/"), finding.code, site.function, " ".join(line.split()))


def fingerprints(findings: Iterable[Finding], folder: str, texts: SourceTexts) -> list[str]:
    """A fingerprint for each finding, 32 hexadecimal digits: of those that are alike, the first, the second ... each
    have their own.
    """
    return distinct(identity(finding, folder, texts) for finding in findings)


def distinct(known: Iterable[tuple[str, ...]]) -> list[str]:
    """A fingerprint for each, unlike all others: those that are equal are told apart by how many came before."""
    before: Counter[tuple[str, ...]] = Counter()
    found = []
    for one in known:
        text = json.dumps([*one, before[one]])
        found.append(hashlib.sha256(text.encode()).hexdigest()[:32])
        before[one] += 1
    return found
