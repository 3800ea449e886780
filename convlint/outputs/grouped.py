"""Findings grouped by file, for reports with many of them."""

from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Finding, Problem, Report
from convlint.outputs.parts.log_commands import without_commands
from convlint.outputs.parts.sentences import headline
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
    return without_commands("".join(f"{line}\n" for line in [*lines, verdict(report)]))


def _file(path: str, findings: list[Finding]) -> Iterator[str]:
    rows = [
        (f"{f.site.line}:{f.site.column}" if f.site else "-", f.severity, f.code, headline(f))
        for f in sorted(findings, key=lambda f: (f.site.line, f.site.column) if f.site else (0, 0))
    ]
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    yield visible(path)
    for place, severity, code, message in rows:
        cells = (place.rjust(widths[0]), severity.ljust(widths[1]), code.ljust(widths[2]), message)
        yield f"  {'  '.join(cells)}"
    yield ""


def _problem(problem: Problem) -> str:
    return f"  {visible(problem.place)}  {problem.kind}  {one_line(problem.message)}"
