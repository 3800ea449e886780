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
    """The report as a JSON array; a problem is an issue of severity "blocker"."""
    folder = root()
    # The line of a problem may change between runs.
    identities = [(p.path or "", p.kind, p.target or "", p.message) for p in report.problems]
    identities += [identity(finding, folder, report.texts) for finding in report.findings]
    issues = [*map(_blocker, report.problems), *map(_issue, report.findings)]
    prints = zip(issues, distinct(identities), strict=True)  # GitLab shows one of several issues with equal prints
    return as_json([{**issue, "fingerprint": fingerprint} for issue, fingerprint in prints])


def _issue(finding: Finding) -> dict[str, Any]:
    site = finding.site
    place: dict[str, Any] = {"lines": {"begin": 1}}
    if site is not None:
        end = {"line": site.end_line or site.line, "column": site.end_column or site.column}
        place = {"positions": {"begin": {"line": site.line, "column": site.column}, "end": end}}
    return {
        "description": f"{finding.code}: " + "\n".join(finding_lines(finding)),
        "check_name": finding.code,
        "severity": SEVERITIES[finding.severity],
        "location": {"path": from_root(file_of(finding) or "."), **place},
    }


def _blocker(problem: Problem) -> dict[str, Any]:
    return {
        "description": problem_sentence(problem),
        "check_name": problem.kind,
        "severity": "blocker",
        "location": {"path": from_root(file_of(problem) or "."), "lines": {"begin": problem.line or 1}},
    }
