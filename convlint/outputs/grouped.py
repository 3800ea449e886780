"""Findings grouped by file, for reports with many of them."""

from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Finding, Problem, Report
from convlint.outputs.parts.listing import ALL, is_listed
from convlint.outputs.parts.sentences import headline
from convlint.outputs.parts.terminal import Styled, one_line, painted, styled, visible
from convlint.outputs.text import COLORS, closing_line


def render(report: Report, *, width: int | None = None, color: bool = False, infos: tuple[str, ...] = ALL) -> str:
    """Each file with its findings in columns, then problems, then the verdict.

    ``width``: cells of the terminal; None for no limit. ``infos``: prefixes of the codes whose infos are listed, not
    only counted.
    """
    return painted(_lines(report, infos), width=width, color=color)


def _lines(report: Report, infos: tuple[str, ...]) -> Iterator[Styled]:
    files: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if is_listed(finding, infos):
            place = finding.site.path if finding.site else finding.target or "model"
            files.setdefault(place, []).append(finding)
    for path, findings in files.items():
        yield from _file(path, findings)
    if report.problems:
        yield styled(("Could not be checked", "bold magenta"))
        yield from map(_problem, report.problems)
        yield styled()
    yield closing_line(report, infos=infos)


def _file(path: str, findings: list[Finding]) -> Iterator[Styled]:
    ordered = sorted(findings, key=lambda f: (f.site.line, f.site.column) if f.site else (0, 0))
    places = [f"{f.site.line}:{f.site.column}" if f.site else "-" for f in ordered]
    widths = [max(map(len, cells)) for cells in (places, [f.severity for f in ordered], [f.code for f in ordered])]
    yield styled((visible(path), "bold"))
    for place, finding in zip(places, ordered, strict=True):
        yield styled(
            f"  {place.rjust(widths[0])}  ",
            (finding.severity.ljust(widths[1]), f"bold {COLORS[finding.severity]}"),
            f"  {finding.code.ljust(widths[2])}  {headline(finding)}",
        )
    yield styled()


def _problem(problem: Problem) -> Styled:
    return styled(f"  {visible(problem.place)}  {problem.kind}  {one_line(problem.message)}")
