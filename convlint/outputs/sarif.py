"""A report as SARIF 2.1.0, for GitHub code scanning and the SARIF viewers of editors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from convlint.docsgen import rule_pages
from convlint.findings.fingerprints import fingerprints
from convlint.ir import SEVERITIES, Edit, Finding, Problem, Related, Report, Severity, Site
from convlint.outputs.parts.ascii_text import as_json
from convlint.outputs.parts.repository_paths import file_of, from_root, root
from convlint.outputs.parts.sentences import APPLIED, finding_lines, problem_sentence
from convlint.rules import registry
from convlint.source_text.texts import SourceTexts

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_RESULTS = 25_000  # GitHub rejects a run with more
LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}
SUBJECTS = {"1": "correctness", "2": "reliability", "3": "efficiency", "9": "maintainability"}


def render(report: Report) -> str:
    """The report as one SARIF log with one run."""
    return as_json(document(report))


def document(report: Report) -> dict[str, Any]:
    """The report as lists and dicts."""
    findings = _kept(report.findings)
    codes = sorted({finding.code for finding in findings})
    notifications = [_notification(problem) for problem in report.problems]
    if left_out := len(report.findings) - len(findings):
        text = f"{left_out:,} more findings are left out: GitHub accepts at most {MAX_RESULTS:,} in a run."
        descriptor = {"id": "too-many-results"}
        notifications.append({"descriptor": descriptor, "level": "warning", "message": {"text": text}})
    own = version("convlint")
    driver = {"name": "convlint", "version": own, "semanticVersion": own, "rules": [_rule(code) for code in codes]}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "invocations": [
                    {"executionSuccessful": not report.problems, "toolExecutionNotifications": notifications}
                ],
                "results": _results(findings, codes, report.texts),
                "columnKind": "unicodeCodePoints",
            }
        ],
    }


def _kept(findings: Sequence[Finding]) -> Sequence[Finding]:
    """The most severe findings, at most ``MAX_RESULTS``, in their order."""
    if len(findings) <= MAX_RESULTS:
        return findings
    order = sorted(range(len(findings)), key=lambda n: SEVERITIES.index(findings[n].severity))
    return [findings[n] for n in sorted(order[:MAX_RESULTS])]


def _rule(code: str) -> dict[str, Any]:
    """The page of a rule in the properties that viewers show."""
    rule = registry.rule(code)
    page = rule.page()
    paragraphs = [_on_one_line(part) for part in page.split("\n\n") if not part.startswith("#")]
    return {
        "id": code,
        "name": rule.name,
        "shortDescription": {"text": rule_pages.summary(rule)},
        "fullDescription": {"text": " ".join(paragraphs[:2])},
        "help": {"text": page, "markdown": rule_pages.markdown(rule)},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {
            "tags": ["pytorch", SUBJECTS[code.removeprefix("CVL")[:1]]],
            "problem.severity": {"info": "recommendation"}.get(rule.severity, rule.severity),
        },
    }


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _results(findings: Sequence[Finding], codes: Sequence[str], texts: SourceTexts) -> list[dict[str, Any]]:
    index = {code: n for n, code in enumerate(codes)}
    prints = zip(findings, fingerprints(findings, root(), texts), strict=True)
    return [_result(finding, index[finding.code], fingerprint) for finding, fingerprint in prints]


def _result(finding: Finding, index: int, fingerprint: str) -> dict[str, Any]:
    related = [_related(n, end) for n, end in enumerate(finding.related, start=1)]
    fixed = [*_fixed(finding)]
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": LEVELS[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [_location(finding)],
        **({"relatedLocations": related} if related else {}),
        "partialFingerprints": {"convlint/v1": fingerprint},
        **({"fixes": fixed} if fixed else {}),
        "properties": {"confidence": finding.confidence, **({"target": finding.target} if finding.target else {})},
    }


def _message(finding: Finding) -> str:
    """The message with links to the related locations, which viewers follow."""
    links = [f"See [{_bracketed(end.message)}]({n})." for n, end in enumerate(finding.related, start=1)]
    return "\n".join([*map(_without_links, finding_lines(finding)), *links])


def _without_links(text: str) -> str:
    """Text in which viewers find no link."""
    return _bracketed(text) if "](" in text else text


def _bracketed(text: str) -> str:
    """Text of a link."""
    return _on_one_line(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _location(finding: Finding) -> dict[str, Any]:
    """The location of a finding: of one without a site the working directory, because GitHub requires a file."""
    site = finding.site or Site(file_of(finding) or ".", 1)
    names = finding.instances or ((finding.module,) if finding.module else ())
    logical = [_logical(name, "member") for name in dict.fromkeys(names) if name]
    if site.function:
        logical.append(_logical(site.function, "function"))
    place = {"physicalLocation": _physical(site)}
    return {**place, "logicalLocations": logical} if logical else place


def _logical(name: str, kind: str) -> dict[str, str]:
    """A module by its path, or a function by its qualified name."""
    return {"name": name.rpartition(".")[2], "fullyQualifiedName": name, "kind": kind}


def _related(number: int, end: Related) -> dict[str, Any]:
    return {"id": number, "physicalLocation": _physical(end.site), "message": {"text": _on_one_line(end.message)}}


def _physical(site: Site) -> dict[str, Any]:
    return {"artifactLocation": {"uri": uri(site.path)}, "region": _region(site)}


def _region(site: Site) -> dict[str, int]:
    """A span; in SARIF too, its end is the column after the last character."""
    start = {"startLine": site.line, "startColumn": site.column}
    if not site.end_line:
        return start
    return {**start, "endLine": site.end_line, "endColumn": site.end_column or site.column}


def uri(path: str) -> str:
    """A path as a URI: relative to the repository, or absolute. Bytes that are not UTF-8 are kept."""
    relative = from_root(path)
    if PurePath(relative).is_absolute():
        return "file://" + quote(_bytes("/" + relative.lstrip("/")))
    return quote(_bytes(relative))


def _bytes(path: str) -> bytes:
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:  # not the name of a file: generated code has any name
        return path.encode(errors="backslashreplace")


def _fixed(finding: Finding) -> Iterator[dict[str, Any]]:
    """Each repair that was tried, the best first, else the fix."""
    fix = finding.fix
    for repair in finding.repairs:
        yield _fix("; ".join(filter(None, (repair.title, repair.effect))), repair.edits)
    if fix is not None and not finding.repairs and fix.applicability in APPLIED and fix.edits:
        yield _fix(f"{fix.title} ({fix.applicability})", fix.edits)


def _fix(title: str, edits: Sequence[Edit]) -> dict[str, Any]:
    files: dict[str, list[Edit]] = {}
    for edit in dict.fromkeys(edits):
        files.setdefault(edit.site.path, []).append(edit)
    changes = [
        {"artifactLocation": {"uri": uri(path)}, "replacements": [_replacement(edit) for edit in in_file]}
        for path, in_file in files.items()
    ]
    return {"description": {"text": _on_one_line(title)}, "artifactChanges": changes}


def _replacement(edit: Edit) -> dict[str, Any]:
    site = edit.site
    start = {"startLine": site.line, "startColumn": site.column}
    region = {**start, "endLine": site.end_line or site.line, "endColumn": site.end_column or site.column}
    return {"deletedRegion": region, "insertedContent": {"text": edit.text}}


def _notification(problem: Problem) -> dict[str, Any]:
    path = file_of(problem)
    place: dict[str, Any] = {"artifactLocation": {"uri": uri(path)}} if path else {}
    if problem.path and problem.line:
        place["region"] = {"startLine": problem.line}
    return {
        "descriptor": {"id": problem.kind},
        "level": "error",
        "message": {"text": problem_sentence(problem)},
        **({"locations": [{"physicalLocation": place}]} if place else {}),
    }
