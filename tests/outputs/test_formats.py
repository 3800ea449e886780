"""Every format of a report is what those who read it take, whatever the report holds. What they take is said by
their schemas, or by what reads it for real. SARIF has a file of its own.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import junitparser
import pytest
from lxml import etree
from markdown_it import MarkdownIt

from convlint.ir import Edit, Finding, Fix, Graph, Layer, Problem, Report, Row, Site
from convlint.outputs import formats, github, gitlab, json_, junit, markdown, rdjson, renderer
from convlint.source_text import edits
from tests.outputs import reports

SCHEMAS = Path(__file__).parent / "schemas"

each_report = pytest.mark.parametrize("name", reports.REPORTS)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports.lay_out(tmp_path, monkeypatch)


# --- all of them


@pytest.mark.parametrize("file", reports.GOLDENS)
@pytest.mark.parametrize("name", sorted(set(formats()) - reports.NO_GOLDEN))
def test_a_report_looks_as_it_did(name: str, file: str) -> None:
    stored = (reports.GOLDEN / f"{name}{file}.txt").read_text(encoding="utf-8")
    assert reports.golden(name, reports.GOLDENS[file]) == stored, "if it is right, `python -m tests.outputs.reports`"


@pytest.mark.parametrize("name", formats())
def test_what_was_not_checked_is_never_clean(name: str) -> None:
    clean, unchecked = renderer(name)(reports.EMPTY), renderer(name)(reports.UNCHECKED)
    assert clean != unchecked
    assert reports.TIMEOUT.kind in unchecked
    assert reports.TIMEOUT.message in unchecked


@pytest.mark.parametrize("name", formats())
def test_everything_can_be_written_to_a_file(name: str) -> None:
    renderer(name)(reports.REPORTS["many"]).encode()


# --- concise and grouped


LINE = re.compile(r"(.+?):(\d+):(\d+): (error|warning|info): (CVL\d{3}) (.+)")


def test_concise_has_a_line_for_each_finding_as_compilers_write_it() -> None:
    lines = renderer("concise")(reports.FULL).splitlines()
    assert len(lines) == len(reports.FULL.findings) + len(reports.FULL.problems) + 1
    assert lines[-1].startswith("Found 1 error, 2 warnings and 1 info in 1 model.")
    first = LINE.fullmatch(lines[0])
    assert first is not None
    assert first.groups()[:5] == ("net.py", "8", "21", "error", "CVL201")
    assert renderer("concise")(reports.EMPTY) == ""
    many = renderer("concise")(reports.REPORTS["many"])
    assert many.count("\n") == 1_203
    assert not set(many) & {"\x00", "\x1b", "\r", "\x07"}


def test_grouped_counts_what_it_lists() -> None:
    text = renderer("grouped")(reports.REPORTS["many"])
    rows = Counter(re.findall(r"^  +(?:\d+:\d+|-)  (\w+) +CVL\d{3}  ", text, re.MULTILINE))
    assert rows == Counter(finding.severity for finding in reports.REPORTS["many"].findings)
    assert text.endswith(
        "Found 400 errors, 400 warnings and 400 infos in 1 model. 300 can be fixed with --fix, "
        "300 more with --unsafe-fixes. Could not check everything: 2 problems.\n"
    )


# --- GitHub


def commands(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """The commands of a log as the runner takes them apart: its name, properties and message."""
    for line in text.splitlines():
        if not line.startswith("::"):
            continue
        head, message = line.removeprefix("::").split("::", 1)
        name, _, given = head.partition(" ")
        pairs = dict(pair.split("=", 1) for pair in given.split(","))
        properties = {key: _unescaped(value.replace("%3A", ":").replace("%2C", ",")) for key, value in pairs.items()}
        yield name, properties, _unescaped(message)


def _unescaped(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def test_github_gets_back_what_was_meant() -> None:
    found = list(commands(github.render(reports.FULL)))
    assert [name for name, *_ in found] == [*["error"] * 3, *["warning"] * 2, "notice"]
    _, place, message = found[3]
    assert place == {
        "file": reports.ODD_PATH,
        "line": "3",
        "col": "33",
        "endLine": "3",
        "endColumn": "55",
        "title": "CVL302 padded-pointwise",
    }
    assert message.split("\n") == [reports.PADDED.message, "Fix (unsafe): say so, twice"]
    assert found[0][1]["title"] == "convlint: timeout"


def test_github_takes_columns_only_within_a_line() -> None:
    *_, (_, place, _) = commands(github.render(reports.FULL))
    assert place == {"file": "net.py", "line": "9", "endLine": "12", "title": "CVL307 unmixed-groups"}


def test_github_shows_ten_of_each_severity_and_the_log_has_the_rest() -> None:
    text = github.render(reports.REPORTS["many"])
    found = list(commands(text))
    assert Counter(name for name, *_ in found) == {"error": 10, "warning": 10, "notice": 10}
    order = [name for name, *_ in found]
    assert order == sorted(order, key=["error", "warning", "notice"].index)
    assert [place["title"] for _, place, _ in found[:2]] == ["convlint: timeout", "convlint: crash"]
    told = found[-1][2]
    rest = [line for line in text.splitlines() if line.startswith("- ")]
    assert told == f"{len(rest):,} more findings in the log of this step"
    assert len(rest) + len(found) - 1 == 1_200 + 2
    assert "##[" not in "".join(rest)
    assert all(line.startswith(("::", "- ")) for line in text.splitlines())


@pytest.mark.parametrize(("count", "commands_"), [(10, 10), (11, 11), (1, 1), (0, 0)])
def test_github_gets_no_notice_where_nothing_is_left_out(count: int, commands_: int) -> None:
    text = github.render(Report((reports.LATENT,) * count))
    assert text.count("::error ") == min(count, 10)
    assert text.count("\n::") + text.startswith("::") == commands_
    assert ("more finding" in text) == (count > 10)


def test_paths_are_those_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    report = Report((reports.LATENT.with_(site=Site("src/net.py", 1)),))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    ((_, place, _),) = commands(github.render(report))
    assert place["file"] == "sub/src/net.py"
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("CI_PROJECT_DIR", str(tmp_path))
    assert json.loads(gitlab.render(report))[0]["location"]["path"] == "sub/src/net.py"


# --- GitLab: the fields that its documentation lists


POSITION = {"type": "object", "required": ["line"], "properties": {"line": {"minimum": 1}}}
ISSUES = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "additionalProperties": False,
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path"],
                "oneOf": [{"required": ["lines"]}, {"required": ["positions"]}],
                "properties": {
                    "path": {"type": "string", "not": {"pattern": "^(/|\\./)"}},
                    "lines": {"required": ["begin"], "properties": {"begin": {"minimum": 1}}},
                    "positions": {"required": ["begin"], "properties": {"begin": POSITION, "end": POSITION}},
                },
            },
        },
    },
}


@each_report
def test_gitlab_gets_the_fields_that_it_documents(name: str) -> None:
    report, text = reports.REPORTS[name], gitlab.render(reports.REPORTS[name])
    issues = json.loads(text)
    jsonschema.Draft202012Validator(ISSUES).validate(issues)
    assert text.isascii()
    assert len(issues) == len(report.findings) + len(report.problems)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)


def test_gitlab_knows_an_issue_again_when_its_line_moves() -> None:
    def prints(report: Report) -> list[str]:
        return [issue["fingerprint"] for issue in json.loads(gitlab.render(report))]

    before = prints(Report((reports.LATENT, reports.LATENT)))
    Path("net.py").write_text("\n\n" + reports.NET, encoding="utf-8")
    moved = reports.LATENT.with_(site=Site("net.py", 10, 21, 10, 38, "Block.__init__"))
    assert prints(Report((moved, moved))) == before
    other = reports.LATENT.with_(site=Site("net.py", 9, 21, 9, 38, "Block.__init__"))
    assert not set(prints(Report((other,)))) & set(before)


def test_gitlab_severities() -> None:
    issues = json.loads(gitlab.render(reports.FULL))
    severities = ["blocker", "blocker", "critical", "info", "major", "major"]
    assert [issue["severity"] for issue in issues] == severities


# --- reviewdog


@each_report
def test_rdjson_is_what_the_schema_describes(name: str) -> None:
    report, text = reports.REPORTS[name], rdjson.render(reports.REPORTS[name])
    schema = json.loads((SCHEMAS / "rdformat.json").read_text(encoding="utf-8"))
    document = json.loads(text)
    jsonschema.Draft7Validator(schema).validate(document)
    assert text.isascii()
    assert len(document["diagnostics"]) == len(report.findings) + len(report.problems)


def suggested(diagnostic: dict[str, Any]) -> bytes:
    """The file of a diagnostic with its suggestion, by bytes, as reviewdog counts."""
    (suggestion,) = diagnostic["suggestions"]
    data = Path(diagnostic["location"]["path"]).read_bytes()
    starts = [0, *(found.end() for found in re.finditer(rb"\n", data))]
    start, end = (
        starts[place["line"] - 1] + place["column"] - 1
        for place in (suggestion["range"]["start"], suggestion["range"]["end"])
    )
    return data[:start] + suggestion["text"].encode() + data[end:]


@pytest.mark.parametrize("finding", [reports.LATENT, reports.PADDED], ids=["one", "two"])
def test_a_suggestion_makes_the_whole_fix(finding: Finding) -> None:
    (diagnostic,) = json.loads(rdjson.render(Report((finding,))))["diagnostics"]
    assert finding.fix is not None
    before = Path(finding.fix.edits[0].site.path).read_bytes()
    assert suggested(diagnostic) == edits.apply(before, finding.fix.edits) != before


def test_a_suggestion_over_lines_takes_what_is_between() -> None:
    both = (Edit(Site("net.py", 7, 31, 7, 32), "d"), Edit(Site("net.py", 10, 13, 10, 14), "c"))
    finding = reports.LATENT.with_(fix=Fix("twice", "safe", both))
    (diagnostic,) = json.loads(rdjson.render(Report((finding,))))["diagnostics"]
    assert suggested(diagnostic) == edits.apply(reports.NET.encode(), both)


@pytest.mark.parametrize(
    "fix",
    [
        Fix("shown", "display", (Edit(Site("net.py", 1, 1), "x"),)),
        Fix("far", "safe", (Edit(Site("net.py", 1, 1), "x"), Edit(Site("net.py", 40, 1), "y"))),
        Fix("two", "safe", (Edit(Site("net.py", 1, 1), "x"), Edit(Site("other.py", 1, 1), "y"))),
    ],
    ids=lambda fix: fix.title,
)
def test_a_fix_that_is_no_single_change_is_told_and_not_suggested(fix: Fix) -> None:
    document = json.loads(rdjson.render(Report((reports.LATENT.with_(fix=fix),))))
    (diagnostic,) = document["diagnostics"]
    assert "suggestions" not in diagnostic
    assert fix.title in diagnostic["message"]


# --- JUnit


@each_report
def test_junit_is_what_the_schema_describes(name: str) -> None:
    text = junit.render(reports.REPORTS[name])
    assert text.isascii()
    schema = etree.XMLSchema(etree.parse(SCHEMAS / "junit-10.xsd"))
    schema.assertValid(etree.fromstring(text.encode()))


@each_report
def test_junit_counts_as_its_readers_do(name: str) -> None:
    report = reports.REPORTS[name]
    found = junitparser.JUnitXml.fromstring(junit.render(report).encode())
    severities = Counter(finding.severity for finding in report.findings)
    assert found.failures == severities["error"] + severities["warning"]
    assert found.errors == len(report.problems)
    assert found.tests == (len(report.findings) + len(report.problems) or 1)
    for suite in found:
        results = [type(result) for case in suite for result in case.result]
        assert suite.tests == len(list(suite))
        assert suite.failures == results.count(junitparser.Failure)
        assert suite.errors == results.count(junitparser.Error)


def test_junit_says_where_and_what() -> None:
    found = junitparser.JUnitXml.fromstring(junit.render(Report((reports.LATENT,))).encode())
    ((case,),) = found
    (failure,) = case.result
    assert (case.name, case.classname) == ("CVL201 at net.py:8:21", "convlint.CVL201")
    assert failure.message == reports.LATENT.message
    assert failure.text.splitlines()[-1] == "net.py:7:21: the layer that gives `d` channels"


# --- Markdown


class Seen(HTMLParser):
    """What of a page is more than text: its tags, and the text itself."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags[tag] += 1

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(report: Report) -> Seen:
    page = Seen()
    page.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown.render(report)))
    return page


def test_a_comment_shows_every_finding_and_no_markup_of_others() -> None:
    report = Report(reports.many(20).findings, (), (Problem("crash", reports.EVIL, reports.EVIL),))
    page = seen(report)
    assert set(page.tags) == {
        "h3",
        "p",
        "strong",
        "ul",
        "li",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
        "br",
    }
    assert page.tags["tr"] == 1 + 20
    assert page.tags["td"] == 4 * 20
    assert page.text.count("<script>alert(1)</script> ]]> & %0A |") >= 20
    plain = re.sub("`[^`\n]*`", "", markdown.render(report))
    assert "@<!-- -->user" in plain
    assert not re.search(r"[@#]\w", plain)  # nobody is notified, and no other thread


def test_a_comment_is_not_longer_than_github_takes_it() -> None:
    long = reports.LATENT.with_(message="x" * 100_000)
    for report in (reports.REPORTS["many"], Report((long,) * 5), Report(models=(reports.MODEL,) * 300)):
        text = markdown.render(report)
        assert len(text) < 65_536
        shown, told = seen(report), re.findall(r"(\d[\d,]*) more (?:finding|model)", text)
        if report.findings and told:
            assert shown.tags["tr"] - 1 + int(told[0].replace(",", "")) >= len(report.findings)
    assert "more models left out: the comment would be too long" in text


def table(text: str, head: str) -> list[list[str]]:
    """The rows of the table whose first line begins with ``head``."""
    body = text[text.index(f"\n{head}") + 1 :].split("\n\n", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()]
    return [rows[0], *rows[2:]]


def test_totals_are_the_sums_of_the_columns() -> None:
    text = markdown.render(reports.FULL)
    head, whole, *layers = table(text, "| layer |")
    assert whole[0] == "`(model)`"
    sums = dict(zip(head, whole, strict=True))
    for title in ("params", "MACs"):
        column = [row[head.index(title)] for row in layers]
        assert sum(int(value.replace(",", "")) for value in column if value != "-") == int(sums[title].replace(",", ""))
    titles, before, now, change = table(text, "|  | MACs")
    assert now[1:3] == [sums["MACs"], sums["params"]]
    assert (before[0], before[1], change[1]) == ("main", "4,192", "+37 %")
    assert titles[1:3] == ["MACs", "parameters"]


def test_a_comment_says_what_changed() -> None:
    text = markdown.render(reports.FULL)
    assert "net.py:Block(4, 4): +37 % MACs, -50 % peak inference memory since main\n" in text
    assert "- Findings: 3 new, 1 gone since main\n" in text
    new = [line for line in text.splitlines() if line.startswith("| **new** ")]
    assert [line.split("|")[3].split()[0] for line in new] == ["CVL201", "CVL302", "CVL113"]


def test_a_table_that_is_too_long_is_summed_up() -> None:
    names = [f"block{n // 40}.conv{n}" for n in range(1_600)]
    rows = tuple(Row(name, "Conv2d", 1, (1, n), (1, n), params=n) for n, name in enumerate(names))
    blocks = [Layer(f"block{n}", "Block", "Module", leaf=False) for n in range(40)]
    sums = replace(reports.TOTALS, params=sum(range(1_600)))
    model = replace(reports.MODEL, layers=rows, totals=sums)
    text = markdown.render(Report(models=(replace(model, graph=Graph(layers=tuple(blocks))),)))
    assert "<summary>Layers, to a depth of 1</summary>" in text
    head, whole, *lines = table(text, "| layer |")
    params = [int(line[head.index("params")].replace(",", "")) for line in (whole, *lines)]
    assert (len(lines), sum(params[1:])) == (40, params[0])
    assert params[0] == sums.params
    alone = markdown.render(Report(models=(replace(model, graph=Graph()),)))
    assert "Table of 1,600 layers left out: the comment would be too long." in alone


# --- the JSON report is read again


def test_a_json_report_is_what_it_is_compared_with() -> None:
    from convlint.findings import compare

    Path("main.json").write_text(json_.render(reports.FULL), encoding="utf-8")
    earlier = compare.read("main.json")
    assert earlier.totals == {reports.MODEL.target: reports.TOTALS}
    assert earlier.inputs == {reports.MODEL.target: reports.MODEL.inputs}
    text = markdown.render(Report(reports.FULL.findings, reports.FULL.models, earlier=earlier))
    assert "- net.py:Block(4, 4): unchanged since main\n- Findings: unchanged since main\n" in text
