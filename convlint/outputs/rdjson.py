"""A report in the Reviewdog Diagnostic Format, whose suggestions become review comments that can be committed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from convlint.ir import Edit, Finding, Problem, Report, Severity, Site
from convlint.outputs.parts.ascii_text import as_json
from convlint.outputs.parts.markdown_text import sentence
from convlint.outputs.parts.repository_paths import file_of
from convlint.outputs.parts.sentences import APPLIED, finding_lines, problem_sentence
from convlint.outputs.parts.terminal import one_line
from convlint.source_text.texts import SourceTexts

SEVERITIES: dict[Severity, str] = {"error": "ERROR", "warning": "WARNING", "info": "INFO"}
MOST_LINES = 20  # of one suggestion; a longer one is not readable in a comment


def render(report: Report) -> str:
    """The report as one ``DiagnosticResult``, whose columns count bytes of UTF-8."""
    findings = [_diagnostic(finding, report.texts) for finding in report.findings]
    diagnostics = [*map(_problem, report.problems), *findings]
    return as_json({"source": {"name": "convlint"}, "diagnostics": diagnostics})


def _diagnostic(finding: Finding, texts: SourceTexts) -> dict[str, Any]:
    site = finding.site
    place: dict[str, Any] = {"path": file_of(finding) or "."}
    related = [
        {
            "message": sentence(one_line(end.message)),
            "location": {"path": end.site.path, "range": _range(end.site, texts)},
        }
        for end in finding.related
    ]
    path = place["path"]
    suggestions = [s for edits in _edits(finding) if (s := _suggestion(path, edits, texts)) is not None]
    return {
        "message": "\n".join(map(sentence, finding_lines(finding))),
        "location": {**place, "range": _range(site, texts)} if site else place,
        "severity": SEVERITIES[finding.severity],
        "code": {"value": finding.code},
        **({"suggestions": suggestions} if suggestions else {}),
        **({"related_locations": related} if related else {}),
    }


def _problem(problem: Problem) -> dict[str, Any]:
    place: dict[str, Any] = {"path": file_of(problem) or "."}
    if problem.path and problem.line:
        place["range"] = {"start": {"line": problem.line}}
    code = {"value": problem.kind}
    return {"message": sentence(problem_sentence(problem)), "location": place, "severity": "ERROR", "code": code}


def _range(site: Site, texts: SourceTexts) -> dict[str, Any]:
    start = _position(texts, site.path, site.line, site.column)
    return {"start": start, "end": _position(texts, site.path, *_end(site))}


def _position(texts: SourceTexts, path: str, line: int, column: int) -> dict[str, int]:
    """A position in bytes. If the file cannot be read, its characters are assumed to be ASCII."""
    before = texts.line(path, line)[: column - 1]
    extra = len(before.encode("utf-8", "surrogatepass")) - len(before)
    return {"line": line, "column": column + extra}


def _edits(finding: Finding) -> Iterator[Sequence[Edit]]:
    """The edits of each repair that was tried, the best first, else those of the fix."""
    fix = finding.fix
    yield from (repair.edits for repair in finding.repairs)
    if fix is not None and not finding.repairs and fix.applicability in APPLIED:
        yield fix.edits


def _suggestion(path: str, edits: Sequence[Edit], texts: SourceTexts) -> dict[str, Any] | None:
    """Edits as one replacement, which reviewers commit as a whole; None if that is impossible or too long.

    Its range is in the file of the finding, ``path``.
    """
    edits = sorted(dict.fromkeys(edits), key=lambda edit: (edit.site.line, edit.site.column))
    if {edit.site.path for edit in edits} != {path}:
        return None
    first, last = edits[0].site, edits[-1].site
    end = _end(last)
    if end[0] - first.line >= MOST_LINES:
        return None
    text = edits[0].text if len(edits) == 1 else _joined(edits, texts)
    if text is None:
        return None
    whole = Site(first.path, first.line, first.column, *end)
    return {"range": _range(whole, texts), "text": text}


def _end(site: Site) -> tuple[int, int]:
    return (site.end_line or site.line, site.end_column or site.column)


def _joined(edits: Sequence[Edit], texts: SourceTexts) -> str | None:
    """The texts of edits and the source between them; None if they overlap or the file has no such lines."""
    source = texts.lines(edits[0].site.path)
    parts = [edits[0].text]
    for one, other in pairwise(edits):
        between = _between(source, _end(one.site), (other.site.line, other.site.column))
        if between is None:
            return None
        parts += [between, other.text]
    return "".join(parts)


def _between(source: Sequence[str], start: tuple[int, int], end: tuple[int, int]) -> str | None:
    if end < start or end[0] > len(source):
        return None
    (line, column), (end_line, end_column) = start, end
    if line == end_line:
        return source[line - 1][column - 1 : end_column - 1]
    middle = source[line : end_line - 1]
    return "".join([source[line - 1][column - 1 :], *middle, source[end_line - 1][: end_column - 1]])
