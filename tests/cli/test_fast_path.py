"""The quick reading of a command line: the same as typer's wherever it reads one at all."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence

import pytest

from convlint.__main__ import runs_models
from convlint.cli import app, check, fast_path, suggest
from convlint.pipelines.options import ARGUMENTS, Option
from convlint.pipelines.requests import CheckRequest, SuggestRequest

OPTIONS = {name: option for name, option in CheckRequest.options("check").items() if option.panel != ARGUMENTS}


def by_typer(monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]) -> CheckRequest:
    seen: list[CheckRequest] = []
    for command in (check, suggest):
        monkeypatch.setattr(command, "run", lambda request, _: seen.append(request) or 0)
    monkeypatch.setattr(sys, "argv", ["convlint", *arguments])
    assert app.run() == 0
    return seen[0]


def _values(option: Option) -> Sequence[str]:
    if option.choices:
        return option.choices
    if option.kind is int:
        return ("1", "3", "08")
    if option.metavar == "SHARE":
        return ("80%", "0.5")
    if option.parse is not None:
        return ("16", "1,8,8:int64") if option.is_repeatable else ("4096", "5M")
    return ("some text", "a,b", "")


def _each_option() -> list[list[str]]:
    words: list[list[str]] = []
    for option in OPTIONS.values():
        for flag in option.flags:
            if option.is_switch:
                words.append([flag])
            elif option.kind is not float:
                words += [[flag, value] for value in _values(option)]
                words += [[f"{flag}={value}"] for value in _values(option) if flag[1] == "-"]
    return words


@pytest.mark.slow
@pytest.mark.parametrize("option", _each_option(), ids=" ".join)
def test_every_option_is_read_as_typer_reads_it(monkeypatch: pytest.MonkeyPatch, option: list[str]) -> None:
    arguments = ["check", "a.py", *option, "b/"]
    request = fast_path.parse(arguments)
    assert request is not None
    usual = option[-1].endswith(("text", "auto", "cpu", "1"))
    assert request != CheckRequest(targets=("a.py", "b/")) or usual
    assert request == by_typer(monkeypatch, arguments)


@pytest.mark.parametrize("old", ["--prove", "--models-of"])
def test_an_old_name_of_an_option_is_still_accepted(
    monkeypatch: pytest.MonkeyPatch, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    new = {"--prove": "--confirm", "--models-of": "--affected-by"}[old]
    for parse in (fast_path.parse, lambda words: by_typer(monkeypatch, words)):
        assert parse(["check", "a.py", old]) == parse(["check", "a.py", new])
    monkeypatch.setattr(sys, "argv", ["convlint", "check", "--help-all"])
    app.run()
    help_text = capsys.readouterr().out
    assert new in help_text
    assert old not in help_text


def test_the_help_lists_every_option_in_its_panel(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, (request, _) in app.COMMANDS.items():
        monkeypatch.setattr(sys, "argv", ["convlint", command, "--help-all"])
        app.run()
        help_text = capsys.readouterr().out
        assert "<" not in help_text  # no type in the words of typer
        for option in request.options(command).values():
            _, panel, rest = help_text.partition(f"\n{option.panel}:")
            section = rest.partition("\n\n")[0]
            assert panel, option.panel
            assert (option.metavar if option.panel == ARGUMENTS else option.flag) in section


SCREEN = 23
"""The lines of output that a terminal of 80x24 shows above the next prompt."""


@pytest.mark.parametrize("command", ["check", "summary", "suggest", "sweep"])
def test_the_common_options_fit_on_a_screen_with_one_line_each(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["convlint", command, "--help"])
    app.run()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= 80
    options = [each for each in app.COMMANDS[command][0].options(command).values() if each.panel != ARGUMENTS]
    shown = [each for each in options if any(re.match(rf" +(-\w, )?{each.flag} ", line) for line in lines)]
    assert f"--help-all prints {len(options) - len(shown)} more options." in lines
    blank = lines.index("", 2)
    titles = [line for line in lines[blank + 1 : -1] if not line.startswith(" ")]
    rows = len(lines) - blank - len(titles) - len(shown) - 2
    assert rows <= (2 if command == "sweep" else 1)  # of the argument


def test_the_panels_of_check_have_an_example_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["convlint", "check", "--help"])
    app.run()
    lines = capsys.readouterr().out.splitlines()
    panels = ("Rule selection", "Files", "Models and inputs", "Fixes", "Output", "Cache and cluster")
    examples = [line.partition(":  convlint ")[2] for line in lines if line.startswith(panels)]
    assert len(examples) == len(panels)
    for example in examples:
        assert fast_path.parse(shlex.split(example)) is not None


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-",),
        ("a.py", "-", "-q"),
        ("-j", "2", "src"),
        ("--select", "CVL1", "--select=CVL2", "--ignore", "CVL101", "src"),
        ("net.py:Net(1, a=2)", "--fix", "--fix"),
    ],
)
def test_a_whole_command_line(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    request = fast_path.parse(["check", *arguments])
    assert request is not None
    assert request == by_typer(monkeypatch, ["check", *arguments])


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--input 3,8,8 --kind grouped --kind tucker --groups 8",
        "--groups auto --between norm-relu --layer=body.* --explain",
        "--weights old.pt --save-weights=new.pt --target-params 5M --rank 50% --output-format diff",
    ],
)
def test_suggest_is_read_as_typer_reads_it(monkeypatch: pytest.MonkeyPatch, options: str) -> None:
    arguments = ["suggest", "net.py:Net", *options.split()]
    request = fast_path.parse(arguments)
    assert isinstance(request, SuggestRequest)
    assert request == by_typer(monkeypatch, arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("suggest",),
        ("suggest", "a.py:Net", "b.py:Net"),
        ("suggest", "a.py:Net", "--select", "CVL1"),
        ("summary", "a.py:Net"),
        ("check", "--help"),
        ("check", "-h"),
        ("check", "--", "a.py"),
        ("check", "--frobnicate"),
        ("check", "--no_cache"),
        ("check", "--fix=yes"),
        ("check", "--select"),
        ("check", "--select", "--fix"),
        ("check", "--select", "-"),
        ("check", "--targets", "a.py"),
        ("check", "--output-format", "xml"),
        ("check", "-j2"),
        ("check", "-j", "-1"),
        ("check", "-j", "many"),
        ("check", "-j", "0"),
        ("check", "-j", "\u0662"),
        ("check", "-qq"),
        ("check", "--timeout", "3"),
        ("check", "--depth", "-2"),
        ("--version",),
    ],
)
def test_everything_else_is_left_to_typer(arguments: tuple[str, ...]) -> None:
    assert fast_path.parse(arguments) is None


@pytest.mark.parametrize(
    ("line", "starts"),
    [
        ("check", True),
        ("check net.py:Net --input 3,8,8", True),
        ("check src net.py:Net(3)", True),
        ("check my.package:build", True),
        ("check src --confirm", True),
        ("check src --prove", True),
        ("summary net.py:Net", True),
        ("suggest net.py:Net --input 3,8,8", True),
        ("check src", False),
        ("check net.py - --select CVL1", False),
        ("check net.py --input x=3,8:int64", False),
        ("check --help", False),
        ("rule CVL301", False),
        ("", False),
    ],
)
def test_the_worker_starts_only_for_models(line: str, starts: bool) -> None:
    assert runs_models(line.split()) == starts


# --- what is not loaded


def loaded(*arguments: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    code = (
        "import atexit, sys; from convlint.__main__ import main; "
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    )
    command = [sys.executable, "-c", code, *arguments]
    env = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert "Traceback" not in done.stderr
    return set(done.stderr.split())


def test_a_plain_check_of_a_file_loads_nothing_slow() -> None:
    names = loaded("check", "fixtures/gdconv.py", "--no-cache")
    assert "convlint.static" in names
    slow = {"torch", "numpy", "typer", "click", "rich", "libcst", "pathspec", "subprocess"}
    assert not names & slow


LATE = {
    *("asyncio", "concurrent", "decimal", "difflib", "fnmatch", "fractions", "glob", "hashlib"),
    *("importlib.metadata", "importlib.util", "json", "logging", "multiprocessing", "pathlib"),
    *("pkgutil", "select", "shlex", "signal", "tempfile", "textwrap", "threading", "tomllib"),
    *("traceback", "unicodedata"),
    *("convlint.ir.claims", "convlint.ir.graph", "convlint.ir.costs", "convlint.ir.serialize"),
    *(
        "convlint.analysis.diagnosis",
        "convlint.analysis.cost",
        "convlint.analysis.contracts",
        "convlint.findings.confirm",
        "convlint.pipelines.run_models",
    ),
    *("convlint.static.graph_builder", "convlint.findings.suppressions", "convlint.settings.targets"),
}
"""What a file without findings does not need, and takes long to load or loads much else. A check of
one file is to take less than eight times ``python -c pass``, and most of it is what it loads.
"""


def test_a_file_without_findings_is_checked_with_what_that_needs() -> None:
    names = loaded("check", "bench/hundred_lines.py", "--no-cache", "--isolated")
    assert not names & LATE
    rules = {name for name in names if name.startswith("convlint.rules.cvl")}
    assert rules <= {"convlint.rules.cvl902_not_analysed"}


def test_the_version_is_told_without_typer() -> None:
    names = loaded("--version")
    assert not names & (LATE | {"typer", "rich", "convlint.cli.fast_path", "convlint.ir"})
    assert "typer" in loaded("--version", "--version")  # whatever is not plain is typer's


def test_what_typer_reads_loads_no_torch() -> None:
    names = loaded("check", "fixtures/gdconv.py", "--no-cache", "--timeout", "3")
    assert "typer" in names
    assert not names & {"torch", "numpy", "libcst", "convlint.runtime.worker.client"}


def test_thousands_of_files_and_exclusions_are_taken_one_by_one() -> None:
    parts = [part for n in range(50_000) for part in (f"net{n}.py", "--exclude", f"d{n}")]
    request = fast_path.parse(["check", *parts])
    assert request is not None
    assert request.targets[-1] == "net49999.py"
    assert len(request.exclude) == 50_000
