"""A report for GitLab's code quality widget: a list of issues."""

from __future__ import annotations

from typing import Any

from convlint.findings.fingerprints import distinct, identity
from convlint.ir import Finding, Problem, Report, Severity
from convlint.outputs.parts.ascii_text import as_json
from convlint.outputs.parts.repository_paths import file_of, from_root, root
from convlint.outputs.parts.sentences import told, unchecked

SEVERITIES: dict[Severity, str] = {"error": "critical", "warning": "major", "info": "info"}


def render(report: Report) -> str:
    """The report as a JSON array. What could not be checked is an issue that blocks.

    GitLab shows only the first of issues with one fingerprint, so no two have the same.
    """
    folder = root()
    known = [_known(problem) for problem in report.problems]
    known += [identity(finding, folder) for finding in report.findings]
    issues = [*map(_blocker, report.problems), *map(_issue, report.findings)]
    prints = distinct(known)
    return as_json(
        [{**issue, "fingerprint": one} for issue, one in zip(issues, prints, strict=True)]
    )


def _issue(finding: Finding) -> dict[str, Any]:
    site = finding.site
    path = from_root(file_of(finding) or ".")
    if site is None:
        place: dict[str, Any] = {"path": path, "lines": {"begin": 1}}
    else:
        end = (site.end_line or site.line, site.end_column or site.column)
        positions = {"begin": _position(site.line, site.column), "end": _position(*end)}
        place = {"path": path, "positions": positions}
    return {
        "description": "\n".join([f"{finding.code}: {told(finding)[0]}", *told(finding)[1:]]),
        "check_name": finding.code,
        "severity": SEVERITIES[finding.severity],
        "location": place,
    }


def _position(line: int, column: int) -> dict[str, int]:
    return {"line": line, "column": column}


def _known(problem: Problem) -> tuple[str, ...]:
    """What a problem is known by: a path in its message is part of it, a line is not."""
    return (problem.path or "", problem.kind, problem.target or "", problem.message)


def _blocker(problem: Problem) -> dict[str, Any]:
    return {
        "description": unchecked(problem),
        "check_name": problem.kind,
        "severity": "blocker",
        "location": {
            "path": from_root(file_of(problem) or "."),
            "lines": {"begin": problem.line or 1},
        },
    }
