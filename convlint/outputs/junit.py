"""A report as JUnit XML, for CI systems that show test results."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from xml.etree import ElementTree as ET

from convlint.ir import Finding, Problem, Report
from convlint.outputs.parts.log_commands import xml_without_commands
from convlint.outputs.parts.sentences import finding_lines, headline, problem_sentence
from convlint.outputs.parts.terminal import visible

# XML cannot contain these noncharacters; ``visible`` escapes the other characters that it cannot contain.
_NONCHARACTERS = re.compile("[\ufffe\uffff]")


def render(report: Report) -> str:
    """A suite for each file and a case for each finding: errors and warnings fail, infos pass, problems are errors."""
    suites: dict[str, list[ET.Element]] = {}
    for problem in report.problems:
        place = problem.path or problem.target or "convlint"
        suites.setdefault(place, []).append(_problem(problem))
    for finding in report.findings:
        place = finding.site.path if finding.site else finding.target or "model"
        suites.setdefault(place, []).append(_case(finding))
    if not suites:  # CI systems reject a report without cases
        suites["convlint"] = [_element("testcase", name="no findings", classname="convlint")]
    whole = _element("testsuites", name="convlint", **_counts([*chain.from_iterable(suites.values())]))
    for place, cases in suites.items():
        suite = ET.SubElement(whole, "testsuite", {"name": _lines(place), **_counts(cases)})
        suite.extend(cases)
    ET.indent(whole)
    data: bytes = ET.tostring(whole, "us-ascii", xml_declaration=True)
    return xml_without_commands(data.decode("ascii")) + "\n"


def _element(kind: str, text: str = "", **attributes: str) -> ET.Element:
    """An element; characters that XML cannot contain are escaped."""
    element = ET.Element(kind, {name: _lines(value) for name, value in attributes.items()})
    element.text = _lines(text) or None
    return element


def _lines(text: str) -> str:
    escaped = "\n".join(map(visible, text.split("\n")))
    return _NONCHARACTERS.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)


def _counts(cases: Sequence[ET.Element]) -> dict[str, str]:
    """The numbers of cases, failures and errors."""
    ended = [child.tag for case in cases for child in case]
    return {"tests": str(len(cases)), "failures": str(ended.count("failure")), "errors": str(ended.count("error"))}


def _case(finding: Finding) -> ET.Element:
    place = str(finding.site or finding.target or "model")
    # CI systems count failures by class.
    case = _element("testcase", name=f"{finding.code} at {place}", classname=f"convlint.{finding.code}")
    text = "\n".join(_details(finding, place))
    if finding.severity == "info":
        case.append(_element("system-out", text))
    else:
        kind = f"{finding.code} {finding.name}"
        case.append(_element("failure", text, type=kind, message=headline(finding)))
    return case


def _details(finding: Finding, place: str) -> Iterator[str]:
    first, *more = finding_lines(finding)
    yield f"{place}: {finding.severity}: {finding.code} {first}"
    yield from more
    yield from (f"{end.site}: {end.message}" for end in finding.related)


def _problem(problem: Problem) -> ET.Element:
    place = problem.place
    case = _element("testcase", name=f"{problem.kind} at {place}", classname="convlint.problem")
    text = f"{place}: {problem_sentence(problem)}"
    case.append(_element("error", text, type=problem.kind, message=problem_sentence(problem)))
    return case
