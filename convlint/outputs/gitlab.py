"""A report for GitLab's code quality widget: a list of issues."""

from __future__ import annotations

from typing import Any

from convlint.findings.fingerprints import distinct, identity
from convlint.ir import Finding, Problem, Report, Severity
from convlint.outputs.parts.ascii_text import as_json
from convlint.outputs.parts.repository_paths import file_of, from_root, root
from convlint.outputs.parts.sentences import finding_lines, problem_sentence

SEVERITIES: dict[Severity, str] = {"error": "critical", "warning": "major", "info": "info"}


def render(report: Report) -> str:
    """The report as a JSON array; a problem is an issue of severity "blocker".

    Fingerprints are distinct, because GitLab shows only one of several issues with the same.
    """
    folder = root()
    identities = [_identity(problem) for problem in report.problems]
    identities += [identity(finding, folder, report.texts) for finding in report.findings]
    issues = [*map(_blocker, report.problems), *map(_issue, report.findings)]
    prints = zip(issues, distinct(identities), strict=True)
    return as_json([{**issue, "fingerprint": fingerprint} for issue, fingerprint in prints])


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
        "description": f"{finding.code}: " + "\n".join(finding_lines(finding)),
        "check_name": finding.code,
        "severity": SEVERITIES[finding.severity],
        "location": place,
    }


def _position(line: int, column: int) -> dict[str, int]:
    return {"line": line, "column": column}


def _identity(problem: Problem) -> tuple[str, ...]:
    """The facts that identify a problem in another run: its line may change."""
    return (problem.path or "", problem.kind, problem.target or "", problem.message)


def _blocker(problem: Problem) -> dict[str, Any]:
    return {
        "description": problem_sentence(problem),
        "check_name": problem.kind,
        "severity": "blocker",
        "location": {"path": from_root(file_of(problem) or "."), "lines": {"begin": problem.line or 1}},
    }
