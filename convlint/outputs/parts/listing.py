"""The findings that text lists: errors, warnings, and requested infos; equal ones are one entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from convlint.ir import SEVERITIES, Finding

ALL = ("CVL",)
"""The prefix of every code: lists all infos."""
_MOST_LINES = 30


class Entry(NamedTuple):
    """A finding, and the other lines of its file with the same one."""

    finding: Finding
    lines: tuple[int, ...] = ()


def is_listed(finding: Finding, infos: tuple[str, ...]) -> bool:
    """Return whether a finding is listed, and not only counted; ``infos`` are prefixes of codes."""
    return finding.severity != "info" or finding.code.startswith(infos)


def entries(findings: Iterable[Finding], infos: tuple[str, ...]) -> list[Entry]:
    """The findings to list, by severity, and in their order otherwise.

    Equal messages in one file are one entry, and infos of one rule are, because they differ in names and numbers only.
    """
    groups: dict[object, list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)):
        if is_listed(finding, infos):
            groups.setdefault(_key(finding), []).append(finding)
    return [Entry(first, _lines(first, others)) for first, *others in groups.values()]


def line_list(lines: Sequence[int]) -> str:
    """``line 3``, or ``lines 3, 5, 8``."""
    more = f" and {len(lines) - _MOST_LINES:,} more" if len(lines) > _MOST_LINES else ""
    return f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines[:_MOST_LINES]))}{more}"


def _key(finding: Finding) -> object:
    if finding.site is None:
        return id(finding)
    text = "" if finding.severity == "info" else finding.message
    return finding.site.path, finding.code, finding.severity, text


def _lines(first: Finding, others: Sequence[Finding]) -> tuple[int, ...]:
    here = first.site.line if first.site else 0
    return tuple(sorted({finding.site.line for finding in others if finding.site} - {here}))
