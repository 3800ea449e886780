"""``--output-file`` and ``--compare-to``: where results go, what they are compared with, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from convlint.outputs import formats
from convlint.source_text import edits
from tests.cli.test_check_files import Convlint, Result, convlint, write
from tests.static.fake_source import fake

__all__ = ["convlint", "fake"]

NET = """\
from torch import nn

WIDTH = 8


def Net():
    return nn.Sequential(nn.Conv2d(3, WIDTH, 3), nn.BatchNorm2d(WIDTH), nn.Conv2d(WIDTH, 4, 3))
"""


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, as a user starts it."""
    command = [sys.executable, "-m", "convlint", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, cwd=cwd)


# --- where results go


@pytest.mark.parametrize("name", formats())
def test_the_file_holds_what_stdout_would(convlint: Convlint, name: str) -> None:
    write(a="x = BAD\ny = MEND\n")
    printed = convlint("a.py", "--output-format", name)
    filed = convlint("a.py", "--output-format", name, "--output-file", "out")
    assert (filed.code, filed.out, filed.err) == (1, "", "")
    assert Path("out").read_text(encoding="utf-8") == printed.out


def test_a_file_is_replaced_at_once_and_keeps_its_link(convlint: Convlint) -> None:
    write(a="good\n")
    Path("real").write_text("old")
    Path("link").symlink_to("real")
    assert convlint("a.py", "--output-file", "link").code == 0
    assert Path("link").is_symlink()
    assert Path("real").read_text() == "No findings in 1 file.\n"
    assert [path.name for path in Path().iterdir() if path.name.startswith(".convlint-")] == []


def test_colours_are_for_terminals_and_for_those_who_ask(convlint: Convlint) -> None:
    write(a="BAD\n")
    os.environ["FORCE_COLOR"] = "1"
    try:
        convlint("a.py", "--output-file", "plain")
        convlint("a.py", "--output-file", "colored", "--color", "always")
    finally:
        del os.environ["FORCE_COLOR"]
    assert "\x1b[" not in Path("plain").read_text()
    assert "\x1b[" in Path("colored").read_text()


def test_a_diff_goes_there_too(convlint: Convlint) -> None:
    write(a="x = MEND\n")
    printed = convlint("a.py", "--diff")
    filed = convlint("a.py", "--diff", "--output-file", "fix.patch")
    assert (filed.code, filed.out, filed.err) == (1, "", printed.err)
    assert Path("fix.patch").read_text() == printed.out != ""


def test_what_is_fixed_of_standard_input_stays_on_stdout(convlint: Convlint) -> None:
    result = convlint("-", "--fix", "--output-file", "out", stdin=b"x = MEND\ny = BAD\n")
    assert result == Result(1, "x = good\ny = BAD\n", "")
    assert "CVL101" in Path("out").read_text()


@pytest.mark.parametrize("name", ["json", "sarif", "junit", "gitlab"])
def test_what_is_told_beside_a_report_is_not_part_of_it(convlint: Convlint, name: str) -> None:
    write(a="x = BAD\n")
    options = ("--baseline", "known.json", "--update-baseline", "--output-format", name)
    result = convlint("a.py", *options)
    assert result.err == "Wrote 1 finding to known.json.\n"
    assert "Wrote" not in result.out
    assert result.out[0] in "{[<"


def test_a_pipe_is_written_to_and_not_replaced(convlint: Convlint) -> None:
    write(a="good\n")
    os.mkfifo("pipe")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_text()))
    reader.start()
    assert convlint("a.py", "--output-file", "pipe").code == 0
    reader.join(10)
    assert got == ["No findings in 1 file.\n"]
    assert Path("pipe").is_fifo()


# --- what is refused


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no/where.txt", "no/where.txt cannot be written: directory "),
        (".", ". is a directory; --output-file requires a file name"),
        ("", "--output-file requires a file name"),
    ],
)
def test_a_file_that_cannot_be_is_refused_before_anything_runs(convlint: Convlint, path: str, reason: str) -> None:
    write(a="CRASH\n")
    result = convlint("a.py", "--output-file", path)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"convlint: {reason}")
    assert result.err.count("\n") == 1


def test_a_file_that_cannot_be_written_in_the_end(convlint: Convlint, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    write(a="BAD\n")
    Path("out").write_text("what was there")
    monkeypatch.setattr(edits, "write_atomically", full)
    result = convlint("a.py", "--output-file", "out")
    assert result == Result(2, "", "convlint: out cannot be written: No space left on device\n")
    assert Path("out").read_text() == "what was there"


@pytest.mark.parametrize("command", ["check", "summary", "suggest"])
def test_every_command_refuses_it_alike(tmp_path: Path, command: str) -> None:
    done = run(command, "net.py:Net", "--output-file", "no/where", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("convlint: no/where cannot be written: directory")
    assert done.stderr.count("\n") == 1


def test_show_files_has_no_results(convlint: Convlint) -> None:
    result = convlint(".", "--show-files", "--output-file", "out")
    assert result.err == "convlint: --show-files cannot be used with --output-file\n"


# --- the other commands


@pytest.mark.slow
def test_a_summary_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    target = ("summary", "net.py:Net", "--input", "3,16,16")
    done = run(*target, "--output-format", "markdown", "--output-file", "table.md", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    text = (tmp_path / "table.md").read_text()
    assert "#### `net.py:Net` on `input: 1x3x16x16 float32`" in text
    macs = 3 * 8 * 9 * 14 * 14 + 8 * 4 * 9 * 12 * 12
    assert f"{macs:,}" in text


@pytest.mark.slow
def test_a_suggestion_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET.replace("8", "64").replace("WIDTH, 4", "WIDTH, 64"))
    target = ("suggest", "net.py:Net", "--input", "3,16,16", "--kind", "grouped")
    done = run(*target, "--output-format", "diff", "--output-file", "fix.patch", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "fix.patch").read_text().startswith("diff --git a/net.py b/net.py\n")


# --- what changed


@pytest.mark.slow
def test_a_pull_request_is_compared_with_main(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text(NET)
    target = ("check", "net.py:Net", "--input", "3,16,16")
    run(*target, "--output-format", "json", "--output-file", "main.json", cwd=tmp_path)
    net.write_text(NET.replace("WIDTH = 8", "WIDTH = 10"))
    compared = ("--output-format", "markdown", "--compare-to", "main.json")
    text = run(*target, *compared, cwd=tmp_path).stdout
    assert "- net.py:Net: +25 % MACs, +25 % parameters, " in text  # both in proportion to the width
    assert " since main\n- Findings: unchanged since main\n" in text
    plain = run(*target, "--compare-to", "main.json", cwd=tmp_path).stdout
    assert "net.py:Net: +25 % MACs, +25 % parameters, " in plain
    other = run("check", "net.py:Net", "--input", "3,8,8", *compared, cwd=tmp_path).stdout
    assert "since main, which ran on input: 1x3x16x16 float32" in other


def test_findings_of_files_are_compared_too(convlint: Convlint) -> None:
    write(a="x = BAD\ny = ODD\n")
    convlint("a.py", "--output-format", "json", "--output-file", "main.json")
    write(a="\nx = BAD\nz = MEND\n")
    result = convlint("a.py", "--compare-to", "main.json")
    assert "\nFindings: 1 new, 1 gone since main\n" in result.out


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("[]", "an object with schema_version 1 is expected"),
        ('{"schema_version": 2}', "an object with schema_version 1 is expected"),
        ('{"schema_version": 1}', "models is not a list of objects"),
        ('{"schema_version": 1, "models": [{}], "findings": []}', "{} has no target"),
        (
            '{"schema_version": 1, "models": [{"target": "a", "inputs": []}], "findings": []}',
            "a model's totals have no params",
        ),
        ('{"schema_version": 1, "models": [], "findings": [{}]}', "{} has no code"),
        ("\xff\xfe", "codec can't decode"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_report_is_one_clear_line(convlint: Convlint, text: str, reason: str) -> None:
    write(a="good\n")
    Path("main.json").write_text(text, encoding="latin-1")
    result = convlint("a.py", "--compare-to", "main.json")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("convlint: main.json is not a convlint JSON report: ")
    assert reason in result.err
    assert result.err.count("\n") == 1


def test_a_report_that_is_missing(convlint: Convlint) -> None:
    write(a="good\n")
    result = convlint("a.py", "--compare-to", "main.json")
    line = "convlint: main.json cannot be read: No such file or directory\n"
    assert result == Result(2, "", line)


@pytest.mark.parametrize("name", sorted({*formats()} - {"text", "markdown"}))
def test_a_format_that_says_nothing_of_changes_is_refused(convlint: Convlint, name: str) -> None:
    result = convlint("a.py", "--compare-to", "main.json", "--output-format", name)
    assert result.err == "convlint: --compare-to requires --output-format text or markdown\n"


def test_an_own_report_can_be_compared_with_itself(convlint: Convlint) -> None:
    write(a="x = BAD\nx = BAD\n")
    convlint("a.py", "--output-format", "json", "--output-file", "main.json")
    assert len(json.loads(Path("main.json").read_text())["findings"]) == 2
    assert "Findings: unchanged since main" in convlint("a.py", "--compare-to", "main.json").out


@pytest.mark.parametrize("kind", ["pipe", "device", "hole"])
def test_a_report_that_does_not_end_is_not_read(convlint: Convlint, kind: str) -> None:
    write(a="good\n")
    if kind == "pipe":
        os.mkfifo("main.json")
    elif kind == "device":
        os.symlink("/dev/zero", "main.json")
    else:
        Path("main.json").touch()
        os.truncate("main.json", 1 << 40)
    result = convlint("a.py", "--compare-to", "main.json")
    reason = "it has more than 536,870,912 bytes" if kind == "hole" else "it is a pipe or a device"
    assert (result.code, result.out, result.err) == (2, "", f"convlint: main.json cannot be read: {reason}\n")
