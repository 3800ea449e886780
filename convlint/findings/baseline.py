"""A baseline: findings that are known, and not reported again, so that old code can be checked from today on.

A finding is known again by its identity (``fingerprints``), and never by its line number: what is written above it
does not matter. The file is JSON, one finding a line, so that its changes can be read.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

from convlint.findings.fingerprints import Identity, identity
from convlint.ir import Finding
from convlint.source_text import edits
from convlint.source_text.texts import SourceTexts
from convlint.support.errors import UsageError

_FIELDS = ("path", "code", "function", "line")
"""The names of what makes an identity."""


class Baseline:
    """The findings of a baseline file, and how often each is there."""

    def __init__(self, path: str, known: Counter[Identity] | None = None) -> None:
        self.path = path
        self._known = known or Counter()

    def unknown(self, found: Iterable[Finding], texts: SourceTexts) -> list[Finding]:
        """Those that are not in the baseline; of several that are alike, as many as it does not have."""
        left = self._known.copy()
        new = []
        for finding in found:
            known = self._identity(finding, texts)
            left[known] -= 1
            if left[known] < 0:
                new.append(finding)
        return new

    def write(self, found: Iterable[Finding], texts: SourceTexts) -> int:
        """Make these findings the baseline, and say how many there are. Raises UsageError."""
        counted = Counter(self._identity(finding, texts) for finding in found)
        rows = [
            json.dumps({**dict(zip(_FIELDS, known, strict=True)), "count": count})
            for known, count in sorted(counted.items())
        ]
        body = ",\n    ".join(rows)
        text = f'{{\n  "version": 1,\n  "findings": [\n    {body}\n  ]\n}}\n'
        try:
            edits.write_atomically(self.path, text.encode())
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written: {error.strerror}") from None
        return counted.total()

    def _identity(self, finding: Finding, texts: SourceTexts) -> Identity:
        return identity(finding, os.path.dirname(os.path.abspath(self.path)), texts)


def read(path: str, *, missing_ok: bool = False) -> Baseline:
    """The baseline in a file. Raises UsageError for a file that is missing, or is no baseline."""
    try:
        with open(path, encoding="utf-8") as file:
            whole = json.load(file)
        return Baseline(path, Counter(dict(map(_row, _rows(whole)))))
    except FileNotFoundError:
        if missing_ok:
            return Baseline(path)
        raise UsageError(f"{path} does not exist; --update-baseline writes it") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} is no baseline: {reason}; remove it, or name another") from None


def _rows(whole: Any) -> list[Any]:
    rows = whole.get("findings") if isinstance(whole, dict) and whole.get("version") == 1 else None
    if not isinstance(rows, list):
        raise ValueError("version 1 with a list of findings is expected")  # noqa: TRY004 - of the file's text
    return rows


def _row(row: Any) -> tuple[Identity, int]:
    row = row if isinstance(row, dict) else {}
    path, code, function, line = map(row.get, _FIELDS)
    known, count = (path, code, function, line), row.get("count")
    if not all(isinstance(value, str) for value in known) or type(count) is not int:
        raise ValueError(f"{json.dumps(row)[:60]} is no finding")
    return known, count
