"""A report as commands for GitHub Actions, which shows them at the lines of a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from convlint.ir import SEVERITIES, Finding, Problem, Report, Severity
from convlint.outputs import concise
from convlint.outputs.parts.ascii_text import whole
from convlint.outputs.parts.repository_paths import file_of, from_root
from convlint.outputs.parts.sentences import told, unchecked

SHOWN = 10
"""Annotations of a severity that GitHub shows of one step; it drops all others without a word."""
COMMANDS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report) -> str:
    """A command a line, what could not be checked first, then the worst. Where GitHub would drop some, the last
    notice says how many, and they follow as text of the log.
    """
    things: list[Finding | Problem] = [*report.problems, *report.findings]
    things.sort(key=_severity)  # problems stay before errors
    groups = {severity: list(group) for severity, group in groupby(things, _severity)}
    over = any(len(group) > SHOWN for group in groups.values())
    shown: list[Finding | Problem] = []
    rest: list[Finding | Problem] = []
    for severity, group in groups.items():
        room = SHOWN - (over and severity == SEVERITIES.index("info"))  # the notice is one of them
        shown += group[:room]
        rest += group[room:]
    lines = [_problem(t) if isinstance(t, Problem) else _finding(t) for t in shown]
    return "".join(f"{line}\n" for line in [*lines, *_more(rest)])


def _severity(thing: Finding | Problem) -> int:
    return 0 if isinstance(thing, Problem) else SEVERITIES.index(thing.severity)


def _finding(finding: Finding) -> str:
    site = finding.site
    path = file_of(finding)
    place: dict[str, str | int] = {"file": from_root(path)} if path else {}
    if site is not None:
        place["line"] = site.line
        one = not site.end_line or site.end_line == site.line
        if one:  # of several lines GitHub takes no columns
            place["col"] = site.column
        place["endLine"] = site.end_line or site.line
        if one:
            place["endColumn"] = site.end_column or site.column
    title = f"{finding.code} {finding.name}"
    return command(COMMANDS[finding.severity], "\n".join(told(finding)), **place, title=title)


def _problem(problem: Problem) -> str:
    path = file_of(problem)
    place: dict[str, str | int] = {"file": from_root(path)} if path else {}
    if problem.line:
        place["line"] = problem.line
    return command("error", unchecked(problem), **place, title=f"convlint: {problem.kind}")


def _more(rest: list[Finding | Problem]) -> Iterator[str]:
    if not rest:
        return
    count = f"{len(rest):,} more finding{'' if len(rest) == 1 else 's'}"
    yield command("notice", f"{count} in the log of this step", title="convlint")
    for thing in rest:
        line = concise.problem(thing) if isinstance(thing, Problem) else concise.finding(thing)
        yield f"- {line}".replace("##[", "## [")  # an old form of a command, which is read anywhere


def command(name: str, message: str, **properties: str | int) -> str:
    """A command of a workflow, escaped as the runner takes it apart."""
    given = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{name} {given}::{_data(message)}"


def _data(text: str) -> str:
    return whole(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
