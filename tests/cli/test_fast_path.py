"""The quick reading of a command line: the same as typer's wherever it reads one at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from convlint.__main__ import runs_models
from convlint.cli import app, commands, fast_path
from convlint.cli.check_options import OPTIONS, Asked


def by_typer(monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]) -> Asked:
    seen: list[Asked] = []
    monkeypatch.setattr(commands, "check", lambda asked: seen.append(asked) or 0)
    monkeypatch.setattr(sys, "argv", ["convlint", *arguments])
    assert app.run() == 0
    return seen[0]


def _values(kind: str, name: str) -> Sequence[str]:
    if name in fast_path.CHOICES:
        return fast_path.CHOICES[name]
    return ("1", "3", "08") if kind.startswith("int") else ("some text", "a,b", "")


def _each_option() -> list[list[str]]:
    found = []
    for name, kind in OPTIONS.items():
        option = f"--{name.replace('_', '-')}"
        if name == "targets":
            continue
        if kind == "bool":
            found.append([option])
            continue
        if kind == "float" or (kind.startswith("int") and name not in fast_path.COUNTS):
            continue
        for value in _values(kind, name):
            found += [[option, value], [f"{option}={value}"]]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("option", _each_option(), ids=" ".join)
def test_every_option_is_read_as_typer_reads_it(
    monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    arguments = ["check", "a.py", *option, "b/"]
    asked = fast_path.parse(arguments)
    assert asked is not None
    assert asked != Asked(targets=("a.py", "b/")) or option[-1].endswith(("text", "auto"))
    assert asked == by_typer(monkeypatch, arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-",),
        ("a.py", "-", "-q"),
        ("-j", "2", "src"),
        ("--select", "CVL1", "--select=CVL2", "--ignore", "CVL101", "src"),
        ("--output-format", "json", "--output-format", "text", "a.py"),
        ("net.py:Net(1, a=2)", "--fix", "--fix"),
    ],
)
def test_a_whole_command_line(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    asked = fast_path.parse(["check", *arguments])
    assert asked is not None
    assert asked == by_typer(monkeypatch, ["check", *arguments])


@pytest.mark.parametrize(
    "arguments",
    [
        (),
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
        ("check", "--depth", "2"),
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
        ("check src --prove", True),
        ("summary net.py:Net", True),
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
    *(
        "convlint.static.graph_builder",
        "convlint.findings.suppressions",
        "convlint.settings.targets",
    ),
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
    names = loaded("check", "fixtures/gdconv.py", "--no-cache", "--depth", "1")
    assert "typer" in names
    assert not names & {"torch", "numpy", "libcst", "convlint.runtime.worker.client"}
