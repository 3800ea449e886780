"""One line per finding in the format of compilers, for editors and ``grep``, and a line that counts them."""

from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Finding, Problem, Report
from convlint.outputs.parts.listing import ALL
from convlint.outputs.parts.sentences import headline
from convlint.outputs.parts.terminal import Styled, one_line, painted, styled, visible
from convlint.outputs.text import COLORS, closing_line


def render(report: Report, *, color: bool = False) -> str:
    """``path:line:column: severity: CODE message`` for each finding, a line for each problem, and the verdict."""
    return painted(_lines(report), width=None, color=color)


def finding_line(finding: Finding) -> str:
    """One finding, without colors."""
    return "".join(text for text, _ in _finding(finding))


def problem_line(problem: Problem) -> str:
    """One problem, without colors."""
    return "".join(text for text, _ in _problem(problem))


def _lines(report: Report) -> Iterator[Styled]:
    yield from map(_finding, report.findings)
    yield from map(_problem, report.problems)
    if report.findings or report.problems:
        yield closing_line(report, infos=ALL)


def _finding(finding: Finding) -> Styled:
    return styled(
        (visible(str(finding.site or finding.target or "model")), "bold"),
        ": ",
        (finding.severity, f"bold {COLORS[finding.severity]}"),
        f": {finding.code} {headline(finding)}",
    )


def _problem(problem: Problem) -> Styled:
    kind = ("problem", "bold magenta")
    return styled((visible(problem.place), "bold"), ": ", kind, f": {problem.kind} {one_line(problem.message)}")
