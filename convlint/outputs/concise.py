"""One line per finding in the format of compilers, for editors and ``grep``."""

from __future__ import annotations

from convlint.ir import Finding, Problem, Report
from convlint.outputs.parts.log_commands import without_commands
from convlint.outputs.parts.sentences import headline
from convlint.outputs.parts.terminal import one_line, visible


def render(report: Report) -> str:
    """``path:line:column: severity: CODE message`` for each finding, and a line for each problem."""
    lines = [*map(finding_line, report.findings), *map(problem_line, report.problems)]
    return without_commands("".join(f"{line}\n" for line in lines))


def finding_line(finding: Finding) -> str:
    place = visible(str(finding.site or finding.target or "model"))
    return f"{place}: {finding.severity}: {finding.code} {headline(finding)}"


def problem_line(problem: Problem) -> str:
    return f"{visible(problem.place)}: problem: {problem.kind} {one_line(problem.message)}"
