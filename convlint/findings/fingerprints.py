"""The identity of a finding, which stays the same when its line moves: its code, file, function and source line."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable

from convlint.ir import Finding
from convlint.source_text.texts import SourceTexts

# Path, code, function, and source line; of a finding without a line: "", code, target and message.
Identity = tuple[str, str, str, str]


def identity(finding: Finding, folder: str, texts: SourceTexts) -> Identity:
    """Return the identity of a finding, with its path relative to ``folder``; several findings can share one."""
    site = finding.site
    if site is None:
        return ("", finding.code, finding.target or "", finding.message)
    path = os.path.relpath(os.path.abspath(site.path), os.path.abspath(folder))
    line = " ".join(texts.line(site.path, site.line).split())
    return (path.replace(os.sep, "/"), finding.code, site.function, line)


def fingerprints(findings: Iterable[Finding], folder: str, texts: SourceTexts) -> list[str]:
    """Return a fingerprint of 32 hexadecimal digits per finding; all are different."""
    return distinct(identity(finding, folder, texts) for finding in findings)


def distinct(identities: Iterable[tuple[str, ...]]) -> list[str]:
    """Hash identities; equal ones get different hashes, by their position among the equal ones."""
    counts: Counter[tuple[str, ...]] = Counter()
    hashes = []
    for key in identities:
        hashes.append(hashlib.sha256(json.dumps([*key, counts[key]]).encode()).hexdigest()[:32])
        counts[key] += 1
    return hashes
