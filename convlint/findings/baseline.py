"""A baseline: known findings, which are not reported again, so that existing code can be checked from now on.

A finding is recognized by its identity (see ``fingerprints``), not by its line number, so lines above it may change.
The file is JSON with one finding per line, for readable diffs.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable

from convlint.findings.fingerprints import Identity, identity
from convlint.ir import Finding
from convlint.source_text import edits
from convlint.source_text.texts import SourceTexts
from convlint.support.errors import UsageError
from convlint.support.regular_file import read_regular_file

_FIELDS = ("path", "code", "function", "line")  # of an identity


class Baseline:
    """The findings of a baseline file, with the number of times that each occurs."""

    def __init__(self, path: str, counts: Counter[Identity] | None = None) -> None:
        self.path = path
        self._counts = counts or Counter()

    def new_findings(self, findings: Iterable[Finding], texts: SourceTexts) -> list[Finding]:
        """Return the findings that are not in the baseline.

        Of findings with one identity, the baseline hides as many as it contains.
        """
        hidden = self._counts.copy()
        new = []
        for finding in findings:
            key = self._identity(finding, texts)
            hidden[key] -= 1
            if hidden[key] < 0:
                new.append(finding)
        return new

    def write(self, findings: Iterable[Finding], texts: SourceTexts) -> int:
        """Write these findings as the baseline, and return their number. Raises UsageError."""
        counts = Counter(self._identity(finding, texts) for finding in findings)
        rows = [
            json.dumps({**dict(zip(_FIELDS, key, strict=True)), "count": count})
            for key, count in sorted(counts.items())
        ]
        body = ",\n    ".join(rows)
        text = f'{{\n  "version": 1,\n  "findings": [\n    {body}\n  ]\n}}\n'
        try:
            edits.write_atomically(self.path, text.encode())
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written: {error.strerror}") from None
        return counts.total()

    def _identity(self, finding: Finding, texts: SourceTexts) -> Identity:
        return identity(finding, os.path.dirname(os.path.abspath(self.path)), texts)


def read(path: str, *, missing_ok: bool = False) -> Baseline:
    """Read a baseline file. Raises UsageError if it is missing or not valid."""
    try:
        content = json.loads(read_regular_file(path).decode())
        return Baseline(path, Counter(dict(map(_row, _rows(content)))))
    except FileNotFoundError:
        if missing_ok:
            return Baseline(path)
        raise UsageError(f"{path} does not exist; --update-baseline writes it") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} is not a valid baseline: {reason}; delete it or pass another file") from None


def _rows(content: object) -> list[object]:
    rows = content.get("findings") if isinstance(content, dict) and content.get("version") == 1 else None
    if not isinstance(rows, list):
        raise ValueError("version 1 with a list of findings is expected")  # noqa: TRY004 - of the file's text
    return rows


def _row(row: object) -> tuple[Identity, int]:
    fields = row if isinstance(row, dict) else {}
    match [*map(fields.get, _FIELDS), fields.get("count")]:
        case [str(path), str(code), str(function), str(line), int(count)] if type(count) is int:
            return (path, code, function, line), count
    raise ValueError(f"{json.dumps(row)[:60]} is not a finding")
