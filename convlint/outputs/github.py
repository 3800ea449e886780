"""A report as workflow commands for GitHub Actions, which annotates the lines of a pull request with them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from convlint.ir import SEVERITIES, Finding, Problem, Report, Severity
from convlint.outputs import concise
from convlint.outputs.parts.log_commands import without_commands
from convlint.outputs.parts.repository_paths import file_of, from_root
from convlint.outputs.parts.sentences import finding_lines, problem_sentence
from convlint.outputs.parts.terminal import visible

MAX_ANNOTATIONS = 10  # per severity and step; GitHub drops the others silently
COMMANDS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report) -> str:
    """One command per line: problems, then findings by severity; what GitHub would drop is counted and logged."""
    items: list[Finding | Problem] = [*report.problems, *report.findings]
    items.sort(key=_severity)  # problems stay before errors
    groups = {severity: list(group) for severity, group in groupby(items, _severity)}
    over = any(len(group) > MAX_ANNOTATIONS for group in groups.values())
    annotated: list[Finding | Problem] = []
    rest: list[Finding | Problem] = []
    for severity, group in groups.items():
        notice = over and severity == SEVERITIES.index("info")  # it counts as an annotation too
        annotated += group[: MAX_ANNOTATIONS - notice]
        rest += group[MAX_ANNOTATIONS - notice :]
    lines = [_problem(item) if isinstance(item, Problem) else _finding(item) for item in annotated]
    return "".join(f"{line}\n" for line in [*lines, *_more(rest)])


def _severity(item: Finding | Problem) -> int:
    return 0 if isinstance(item, Problem) else SEVERITIES.index(item.severity)


def _file(item: Finding | Problem) -> dict[str, str | int]:
    path = file_of(item)
    return {"file": from_root(path)} if path else {}


def _finding(finding: Finding) -> str:
    site = finding.site
    place = _file(finding)
    if site is not None:
        place["line"] = site.line
        single = not site.end_line or site.end_line == site.line
        if single:  # GitHub accepts columns only for a single line
            place["col"] = site.column
        place["endLine"] = site.end_line or site.line
        if single:
            place["endColumn"] = site.end_column or site.column
    title = f"{finding.code} {finding.name}"
    return command(COMMANDS[finding.severity], "\n".join(finding_lines(finding)), **place, title=title)


def _problem(problem: Problem) -> str:
    place = _file(problem)
    if problem.line:
        place["line"] = problem.line
    return command("error", problem_sentence(problem), **place, title=f"convlint: {problem.kind}")


def _more(rest: list[Finding | Problem]) -> Iterator[str]:
    if not rest:
        return
    count = f"{len(rest):,} more finding{'' if len(rest) == 1 else 's'}"
    yield command("notice", f"{count} in the log of this step", title="convlint")
    for item in rest:
        line = concise.problem_line(item) if isinstance(item, Problem) else concise.finding_line(item)
        yield without_commands(f"- {line}")


def command(name: str, message: str, **properties: str | int) -> str:
    """A workflow command, escaped as the runner expects it."""
    texts = {key: _data(str(value)).replace(":", "%3A").replace(",", "%2C") for key, value in properties.items()}
    return f"::{name} {','.join(f'{key}={text}' for key, text in texts.items())}::{_data(message)}"


def _data(text: str) -> str:
    return "%0A".join(visible(line).replace("%", "%25") for line in text.replace("\r\n", "\n").split("\n"))
