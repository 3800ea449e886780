"""Findings grouped by file, for reports with many of them."""

from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Finding, Problem, Report, Site
from convlint.outputs.parts.terminal import one_line, visible
from convlint.outputs.text import verdict


def render(report: Report) -> str:
    """Each file with its findings in columns, then problems, then the verdict."""
    files: dict[str, list[Finding]] = {}
    for finding in report.findings:
        place = finding.site.path if finding.site else finding.target or "model"
        files.setdefault(place, []).append(finding)
    lines = [line for path, findings in files.items() for line in _file(path, findings)]
    if report.problems:
        lines += ["Could not be checked", *map(_problem, report.problems), ""]
    return "".join(f"{line}\n" for line in [*lines, verdict(report)])


def _file(path: str, findings: list[Finding]) -> Iterator[str]:
    rows = [
        (_place(one.site), one.severity, one.code, one_line(one.message)) for one in sorted(findings, key=_position)
    ]
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    yield visible(path)
    for place, severity, code, message in rows:
        cells = (place.rjust(widths[0]), severity.ljust(widths[1]), code.ljust(widths[2]), message)
        yield f"  {'  '.join(cells)}"
    yield ""


def _position(finding: Finding) -> tuple[int, int]:
    return (finding.site.line, finding.site.column) if finding.site else (0, 0)


def _place(site: Site | None) -> str:
    return f"{site.line}:{site.column}" if site else "-"


def _problem(problem: Problem) -> str:
    place = problem.path or problem.target or "convlint"
    line = f":{problem.line}" if problem.path and problem.line else ""
    return f"  {visible(place)}{line}  {problem.kind}  {one_line(problem.message)}"
