"""The baseline: what was known stays quiet wherever it moves, what is new is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convlint.findings import baseline
from convlint.ir import Finding, Site
from convlint.source_text.texts import SourceTexts
from tests.cli.test_check_files import Convlint, Result, convlint, write
from tests.static.fake_source import fake

__all__ = ["convlint", "fake"]

UPDATE = ("--baseline", "known.json", "--update-baseline")
KNOWN = ("--baseline", "known.json")


def test_what_is_known_is_not_told(convlint: Convlint) -> None:
    write(a="x = BAD\n", b="good\n")
    assert convlint(".", *UPDATE).out == ("Wrote 1 finding to known.json.\nNo findings in 2 files.\n")
    assert convlint(".", *KNOWN).code == 0
    write(b="x = BAD\n")
    result = convlint(".", *KNOWN)
    assert result.code == 1
    assert "b.py:1:5" in result.out
    assert "a.py" not in result.out


def test_lines_above_and_layout_do_not_matter(convlint: Convlint) -> None:
    write(a="x = BAD\n")
    convlint("a.py", *UPDATE)
    write(a="import os\n\n\nx   =  BAD\n")
    assert convlint("a.py", *KNOWN).code == 0
    write(a="y = BAD\n")
    assert convlint("a.py", *KNOWN).code == 1


def test_one_more_of_the_same_is_new(convlint: Convlint) -> None:
    write(a="x = BAD\nx = BAD\n")
    convlint("a.py", *UPDATE)
    assert convlint("a.py", *KNOWN).code == 0
    write(a="x = BAD\nx = BAD\nx = BAD\n")
    assert convlint("a.py", *KNOWN).out.count("CVL101") == 1


def test_what_is_known_is_not_fixed(convlint: Convlint) -> None:
    write(a="x = MEND\n")
    convlint("a.py", *UPDATE)
    write(a="x = MEND\ny = MEND\n")
    assert convlint("a.py", "--fix", *KNOWN).code == 0
    assert Path("a.py").read_text() == "x = MEND\ny = good\n"


def test_it_can_be_read_and_its_changes_too(convlint: Convlint) -> None:
    write(a="x = BAD\nx = BAD\n", b="MEND\n")
    convlint(".", *UPDATE)
    text = Path("known.json").read_text()
    assert json.loads(text) == {
        "version": 1,
        "findings": [
            {"path": "a.py", "code": "CVL101", "function": "f", "line": "x = BAD", "count": 2},
            {"path": "b.py", "code": "CVL302", "function": "f", "line": "MEND", "count": 1},
        ],
    }
    assert sum("path" in line for line in text.splitlines()) == 2


def test_paths_are_relative_to_the_baseline(convlint: Convlint, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("src").mkdir()
    Path("src/a.py").write_text("BAD\n")
    convlint("src", *UPDATE)
    monkeypatch.chdir("src")
    assert convlint("a.py", "--baseline", "../known.json").code == 0


def test_it_shrinks_when_it_is_written_again(convlint: Convlint) -> None:
    write(a="BAD\n", b="BAD\n")
    convlint(".", *UPDATE)
    write(a="good\n")
    assert "Wrote 1 finding" in convlint(".", *UPDATE).out
    write(b="good\n")
    convlint(".", *UPDATE)
    assert json.loads(Path("known.json").read_text())["findings"] == []
    assert convlint(".", *KNOWN).code == 0


def test_standard_input_is_known_by_its_name(convlint: Convlint) -> None:
    write(a="x = BAD\n")
    convlint("a.py", *UPDATE)
    named = ("-", "--stdin-filename", "a.py", *KNOWN)
    assert convlint(*named, stdin=b"\nx = BAD\n").code == 0
    assert convlint(*named, stdin=b"y = BAD\n").code == 1


def test_a_finding_without_a_line_is_known_by_its_message(tmp_path: Path) -> None:
    finding = Finding("CVL113", "over-budget", "error", "5 > 4", None, target="a.py:Net")
    one = baseline.Baseline(str(tmp_path / "known.json"))
    one.write([finding], SourceTexts())
    again = baseline.read(one.path)
    assert again.new_findings([finding, finding], SourceTexts()) == [finding]
    assert again.new_findings([finding.with_(message="6 > 4")], SourceTexts()) != []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "version 1 with a list of findings is expected"),
        ('{"version": 2, "findings": []}', "version 1 with a list of findings is expected"),
        ('{"version": 1, "findings": 3}', "version 1 with a list of findings is expected"),
        ('{"version": 1, "findings": [[]]}', "is not a finding"),
        ('{"version": 1, "findings": [{"path": 3}]}', "is not a finding"),
        ("\xff\xfe", "codec can't decode"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_baseline_is_one_clear_line_and_stays_as_it_is(convlint: Convlint, text: str, reason: str) -> None:
    write(a="BAD\n")
    Path("known.json").write_text(text, encoding="latin-1")
    for options in (KNOWN, UPDATE):
        result = convlint("a.py", *options)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("convlint: known.json is not a valid baseline: ")
        assert reason in result.err
        assert result.err.count("\n") == 1
    assert Path("known.json").read_text(encoding="latin-1") == text


def test_a_baseline_that_is_missing(convlint: Convlint) -> None:
    write(a="good\n")
    assert convlint("a.py", *KNOWN) == Result(
        2, "", "convlint: known.json does not exist; --update-baseline writes it\n"
    )


def test_a_baseline_that_cannot_be_written(convlint: Convlint) -> None:
    write(a="BAD\n")
    result = convlint("a.py", "--baseline", "no/where.json", "--update-baseline")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "no/where.json cannot be written: No such file or directory" in result.err


def test_a_function_that_is_renamed_is_another(tmp_path: Path) -> None:
    finding = Finding("CVL101", "n", "error", "m", Site("a.py", 1, 1, function="Net.__init__"))
    one = baseline.Baseline(str(tmp_path / "known.json"))
    one.write([finding], SourceTexts())
    moved = finding.with_(site=Site("a.py", 9, 1, function="Other.__init__"))
    assert baseline.read(one.path).new_findings([finding, moved], SourceTexts()) == [moved]
