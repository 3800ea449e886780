"""SARIF: what the schema describes, what GitHub takes, what its readers read, and fingerprints that stay."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sarif import loader

import convlint
from convlint.ir import Finding, Report, Site
from convlint.outputs import sarif
from convlint.rules.codes import codes
from convlint.source_text import edits
from tests.outputs import reports

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft4Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
each_report = pytest.mark.parametrize("name", reports.REPORTS)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports.lay_out(tmp_path, monkeypatch)


def run_of(report: Report) -> dict[str, Any]:
    """The one run of a report's log."""
    (run,) = json.loads(sarif.render(report))["runs"]
    assert isinstance(run, dict)
    return run


# --- what it is


@pytest.mark.slow
@each_report
def test_a_log_is_what_the_schema_describes(name: str) -> None:
    text = sarif.render(reports.REPORTS[name])
    VALIDATOR.validate(json.loads(text))
    assert text.isascii()


@each_report
def test_a_reader_of_sarif_counts_the_same(name: str) -> None:
    report = reports.REPORTS[name]
    Path("log.sarif").write_text(sarif.render(report), encoding="utf-8")
    file = loader.load_sarif_file("log.sarif")
    severities = Counter(finding.severity for finding in report.findings)
    assert file.get_distinct_tool_names() == ["convlint"]
    records = file.get_records()
    assert len(records) == len(report.findings)
    assert Counter(record["Severity"] for record in records) == {
        {"info": "note"}.get(severity, severity): count for severity, count in severities.items()
    }
    wanted = [finding.site.line if finding.site else 1 for finding in report.findings]
    assert Counter(record["Line"] for record in records) == Counter(wanted)


def test_a_finding_with_all_its_parts() -> None:
    run = run_of(reports.FULL)
    result = run["results"][0]
    assert (result["ruleId"], result["level"]) == ("CVL201", "error")
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "CVL201"
    assert result["message"]["text"].splitlines() == [
        reports.LATENT.message,
        "Modules: layer1.0.norm, layer1.1.norm",
        "Witness: Block(2, 4) on 1x2x8x8 fails: RuntimeError: expected 4, not 2, while Block(2, 2) works",
        "Fix (safe): write d for c",
        "See [the layer that gives `d` channels](1).",
    ]
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "net.py"},
        "region": {"startLine": 8, "startColumn": 21, "endLine": 8, "endColumn": 38},
    }
    assert [(one["kind"], one["fullyQualifiedName"]) for one in location["logicalLocations"]] == [
        ("member", "layer1.0.norm"),
        ("member", "layer1.1.norm"),
        ("function", "Block.__init__"),
    ]
    (related,) = result["relatedLocations"]
    assert (related["id"], related["physicalLocation"]["region"]["startLine"]) == (1, 7)
    assert result["properties"] == {"confidence": "high", "target": "net.py:Block(4, 4)"}


def test_a_link_in_a_message_ends_where_it_should() -> None:
    finding = reports.many(8).findings[1]
    result = run_of(Report((finding,)))["results"][0]
    assert result["message"]["text"].splitlines()[-1] == "See [\\[link\\](9) \\\\](2)."


def test_columns_count_code_points() -> None:
    run = run_of(Report((reports.PADDED,)))
    assert run["columnKind"] == "unicodeCodePoints"
    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
    line = Path(reports.ODD_PATH).read_text(encoding="utf-8").splitlines()[region["startLine"] - 1]
    assert "😀" in line[: region["startColumn"] - 1]  # one code point, two units of UTF-16
    called = line[region["startColumn"] - 1 : region["endColumn"] - 1]
    assert called == "nn.Conv2d(größe, 4, 1)"


@pytest.mark.parametrize("path", ["net.py", reports.ODD_PATH, "/opt/other/n.py", "a:b.py", "x\udcff.py"])
def test_a_uri_is_the_path_again(path: str) -> None:
    uri = sarif.uri(path)
    parts = urlsplit(uri)
    assert uri.isascii()
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) in {("", "", "", ""), ("file", "", "", "")}
    assert unquote(parts.path, errors="surrogateescape") == path


def test_every_repair_that_was_tried_is_a_fix_the_best_first() -> None:
    (result,) = run_of(reports.REPAIRS)["results"]
    assert [fix["description"]["text"] for fix in result["fixes"]] == [
        "num_features=8 (replace `c` with `d`); the model then runs",
        "replace `größe` with `4`; the model then runs",
    ]
    places = [
        unquote(change["artifactLocation"]["uri"]) for fix in result["fixes"] for change in fix["artifactChanges"]
    ]
    assert places == ["net.py", reports.ODD_PATH]


@pytest.mark.parametrize("finding", [reports.LATENT, reports.PADDED], ids=["one", "two"])
def test_a_fix_is_made_as_the_log_says(finding: Finding) -> None:
    (fix,) = run_of(Report((finding,)))["results"][0]["fixes"]
    (change,) = fix["artifactChanges"]
    path = unquote(change["artifactLocation"]["uri"])
    lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    assert finding.fix is not None
    for replacement in reversed(change["replacements"]):
        region = replacement["deletedRegion"]
        assert region["startLine"] == region["endLine"]
        line, text = lines[region["startLine"] - 1], replacement["insertedContent"]["text"]
        lines[region["startLine"] - 1] = line[: region["startColumn"] - 1] + text + line[region["endColumn"] - 1 :]
    before = Path(path).read_bytes()
    assert "".join(lines).encode() == edits.apply(before, finding.fix.edits) != before


def test_what_is_only_shown_is_no_fix() -> None:
    assert reports.LATENT.fix is not None
    fix = replace(reports.LATENT.fix, applicability="display")
    (result,) = run_of(Report((reports.LATENT.with_(fix=fix),)))["results"]
    assert "fixes" not in result
    assert "Help: write d for c" in result["message"]["text"]


def test_what_was_not_checked() -> None:
    (invocation,) = run_of(reports.FULL)["invocations"]
    assert invocation["executionSuccessful"] is False
    timeout, unimported = invocation["toolExecutionNotifications"]
    assert (timeout["descriptor"]["id"], timeout["level"]) == ("timeout", "error")
    assert "region" not in timeout["locations"][0]["physicalLocation"]
    assert unimported["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}
    (clean,) = run_of(reports.EMPTY)["invocations"]
    assert clean == {"executionSuccessful": True, "toolExecutionNotifications": []}


# --- what GitHub takes


@pytest.mark.parametrize("code", codes())
def test_a_rule_says_what_github_asks_of_it(code: str) -> None:
    (rule,) = run_of(Report((reports.LATENT.with_(code=code, name=codes()[code]),)))["tool"]["driver"]["rules"]
    assert (rule["id"], rule["name"]) == (code, codes()[code])
    assert len(rule["properties"]["tags"]) <= 20
    assert rule["properties"]["problem.severity"] in {"error", "warning", "recommendation"}
    assert rule["defaultConfiguration"]["level"] in {"error", "warning", "note"}
    assert 0 < len(rule["shortDescription"]["text"]) <= len(rule["fullDescription"]["text"]) <= 1_024
    page = Path(__file__).parents[2] / "docs" / "rules" / f"{code}.md"
    assert rule["help"]["markdown"] == page.read_text(encoding="utf-8")
    assert all(part in rule["help"]["markdown"] for part in rule["help"]["text"].split("\n\n"))


@each_report
def test_every_result_has_a_file(name: str) -> None:
    for result in run_of(reports.REPORTS[name])["results"]:
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["region"]["startLine"] >= 1
        assert not PurePosixPath(place["artifactLocation"]["uri"]).is_absolute()


@pytest.mark.slow
def test_github_takes_25_000_results_and_the_log_says_what_is_missing() -> None:
    info = Finding("CVL307", "unmixed-groups", "info", "m", Site("net.py", 9))
    findings = (*[info] * 20_000, *[reports.BUDGET] * 5_003)
    run = run_of(Report(findings))
    assert len(run["results"]) == 25_000
    assert Counter(result["level"] for result in run["results"]) == {"note": 19_997, "warning": 5_003}
    (invocation,) = run["invocations"]
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("3 more findings are left out")
    assert invocation["executionSuccessful"] is True


# --- fingerprints


def prints(report: Report) -> list[str]:
    """The fingerprints of all results, sorted."""
    results = run_of(report)["results"]
    return sorted(result["partialFingerprints"]["convlint/v1"] for result in results)


BLOCKS = (
    """\
class {name}(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, bias=False)
        self.norm = nn.BatchNorm2d(into)

    def forward(self, x):
        return self.norm(self.conv(x))
""",
    """\
class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 6, 3)
        self.one_norm = nn.BatchNorm2d(6)
        self.two = nn.Conv2d(6, 7, 1, padding=1)
        self.mixed = nn.Conv2d(7, 4, 3, groups=3)

    def forward(self, x):
        return self.mixed(self.two(self.one_norm(self.one(x))))
""",
    """\
def {name}():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3),
        nn.BatchNorm2d(9),
    )
""",
)
"""Code with defects; in the last, lines that are the same have the same one."""


def written(blocks: list[tuple[str, str]], gaps: random.Random) -> str:
    """A file of blocks, with lines of all sorts between their lines."""
    lines = ["from torch import nn", ""]
    for name, block in blocks:
        for line in block.format(name=name).splitlines():
            lines += [gaps.choice(["", "# a line", "    # another"])] * gaps.choice([0, 0, 0, 1, 4])
            lines.append(line)
        lines.append("")
    return "\n".join(lines)


@pytest.mark.slow
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_fingerprints_stay_when_lines_are_put_in_and_functions_change_places(
    kinds: list[str], chance: random.Random
) -> None:
    blocks = [(f"Net{n}", block) for n, block in enumerate(kinds)]
    Path("made.py").write_text(written(blocks, random.Random(0)), encoding="utf-8")
    found = convlint.check("made.py")
    before = prints(found)
    chance.shuffle(blocks)
    Path("made.py").write_text(written(blocks, chance), encoding="utf-8")
    assert len(found.findings) >= len(kinds)
    assert len(set(before)) == len(found.findings)
    assert prints(convlint.check("made.py")) == before


def test_a_fingerprint_is_that_of_its_rule_file_function_and_line() -> None:
    one = reports.LATENT
    others = [
        one.with_(code="CVL103", name="norm-channels"),
        one.with_(site=reports.CONV),
        one.with_(site=Site(reports.ODD_PATH, 3, 1)),
        one.with_(site=Site("net.py", 8, 21, 8, 38, "Other.__init__")),
        reports.BUDGET,
        reports.BUDGET.with_(target="net.py:Other"),
    ]
    first = prints(Report((one,)))
    assert prints(Report((one.with_(message="other words", severity="info"),))) == first
    found = [print_ for other in others for print_ in prints(Report((other,)))]
    assert len({*found, *first}) == len(others) + 1
