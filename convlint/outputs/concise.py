"""One line a finding, as compilers write them: editors and ``grep`` find their way."""

from __future__ import annotations

from convlint.ir import Finding, Problem, Report
from convlint.outputs.parts.terminal import one_line, visible


def render(report: Report) -> str:
    """``path:line:column: severity: CODE message`` for each finding, and a line for each problem; nothing for none."""
    lines = [*map(finding, report.findings), *map(problem, report.problems)]
    return "".join(f"{line}\n" for line in lines)


def finding(one: Finding) -> str:
    """The line of a finding."""
    place = visible(str(one.site or one.target or "model"))
    return f"{place}: {one.severity}: {one.code} {one_line(one.message)}"


def problem(one: Problem) -> str:
    """The line of something that could not be checked."""
    place = visible(one.path or one.target or "convlint")
    if one.path and one.line:
        place += f":{one.line}"
    return f"{place}: problem: {one.kind} {one_line(one.message)}"
