"""``convlint check`` on files: which options do what, what is printed where, and the exit code."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from convlint import cli
from convlint.ir import Claim, Problem, Proof, Witness
from convlint.runtime.worker.client import JobResult
from convlint.settings.jobs import Job
from tests.static.fake_source import Fake, fake

__all__ = ["fake"]


@dataclass(frozen=True)
class Result:
    """What a command gave."""

    code: int
    out: str
    err: str


Convlint = Callable[..., Result]


@pytest.fixture
def convlint(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Convlint:
    """Runs the command line in an empty folder, with the analysis replaced by the stand-in."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["convlint", "check", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsysbinary.readouterr()
        assert isinstance(ended.value.code, int)
        return Result(ended.value.code, out.decode(errors="surrogateescape"), err.decode())

    return run


def write(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.py").write_text(text)


# --- what is told


def test_nothing_found_says_in_how_many_files(convlint: Convlint) -> None:
    write(a="good\n", b="good\n")
    assert convlint(".") == Result(0, "No findings in 2 files.\n", "")
    assert convlint("a.py") == Result(0, "No findings in 1 file.\n", "")


def test_a_finding_is_told_with_its_line(convlint: Convlint) -> None:
    write(a="good\nx = BAD\n")
    result = convlint("a.py")
    assert result.code == 1
    assert result.out == (
        "a.py:2:5: CVL101 error [groups-not-dividing] BAD is found\n"
        "2 | x = BAD\n"
        "  |     ^^^\n"
        "\n"
        "Found 1 error in 1 file.\n"
    )


def test_what_can_be_fixed_is_counted(convlint: Convlint) -> None:
    write(a="ODD MEND MEND\n")
    assert convlint("a.py").out.endswith(
        "Found 3 warnings in 1 file. 2 can be fixed with --fix, 1 more with --unsafe-fixes.\n"
    )


def test_findings_come_by_severity_then_file_by_file_in_the_order_of_lines(convlint: Convlint) -> None:
    write(b="BAD\n", a="good\nBAD\nMEND\n")
    found = [line for line in convlint(".").out.splitlines() if ".py:" in line]
    assert [line.split(" ")[0] for line in found] == ["a.py:2:1:", "b.py:1:1:", "a.py:3:1:"]


def test_json_has_the_same_form_as_for_models(convlint: Convlint) -> None:
    write(a="BAD\n")
    report = json.loads(convlint("a.py", "--output-format", "json").out)
    assert list(report) == [
        *("convlint", "schema_version", "findings", "models", "coverage", "problems", "suggestions"),
        *("refusals", "rewritten"),
    ]
    assert [(f["code"], f["path"], f["line"], f["target"]) for f in report["findings"]] == [("CVL101", "a.py", 1, None)]


def test_quiet_tells_findings_only(convlint: Convlint) -> None:
    write(a="good\n", b="BAD\n")
    assert convlint("a.py", "-q") == Result(0, "", "")
    assert "Found" not in convlint("b.py", "--quiet").out


def test_statistics_count_codes(convlint: Convlint) -> None:
    write(a="BAD\nMEND MEND\n")
    result = convlint("a.py", "--statistics")
    assert result.code == 1
    assert result.out.startswith("2 CVL302 [padded-pointwise]\n1 CVL101 [groups-not-dividing]\n\n")
    assert "a.py" not in result.out


# --- which rules and files


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 1),
        (("--select", "CVL1"), 0),
        (("--ignore", "CVL302"), 0),
        (("--fail-on", "error"), 0),
        (("--exit-zero",), 0),
        (("--select=CVL1", "--extend-select=CVL302"), 1),
    ],
)
def test_exit_code(convlint: Convlint, options: tuple[str, ...], code: int) -> None:
    write(a="MEND\n")
    assert convlint("a.py", *options).code == code


def test_a_file_that_is_missing_is_a_problem_and_the_others_are_checked(convlint: Convlint) -> None:
    write(net="BAD\n")
    result = convlint("nett.py", "net.py")
    assert result.code == 2
    assert "nett.py: problem [missing-file] nett.py does not exist; did you mean net.py?" in result.out
    assert "net.py:1:1: CVL101" in result.out


def test_a_missing_file_alone_is_no_clean_result(convlint: Convlint) -> None:
    result = convlint("gone.py")
    assert result.code == 2
    assert "No findings" not in result.out


def test_a_folder_without_python_is_a_problem(convlint: Convlint) -> None:
    Path("empty").mkdir()
    result = convlint("empty")
    assert result.code == 2
    assert "no Python files to check in empty" in result.out


def test_nothing_to_check(convlint: Convlint) -> None:
    result = convlint()
    assert result.code == 2
    assert result.err.startswith("convlint: nothing to check: pass a file, a directory, or a model")


def test_exclude(convlint: Convlint) -> None:
    write(a="good\n", b="BAD\n")
    assert convlint(".", "--exclude", "b.py,c.py").code == 0
    assert convlint(".", "b.py", "--exclude", "b.py").code == 1  # it is named itself
    assert convlint(".", "b.py", "--exclude", "b.py", "--force-exclude").code == 0


def test_the_settings_exclude_and_ignore(convlint: Convlint) -> None:
    Path("old").mkdir()
    Path("old/a.py").write_text("BAD\n")
    write(b="MEND\n", c="good\n")
    Path("convlint.toml").write_text('exclude = ["old"]\nper-file-ignores = { "b.py" = ["CVL3"] }')
    assert convlint(".").code == 0
    assert convlint(".", "--isolated").code == 1


def test_show_files(convlint: Convlint, fake: Fake) -> None:
    write(b="BAD\n", a="BAD\n")
    assert convlint(".", "--show-files") == Result(0, "a.py\nb.py\n", "")
    assert not fake.judged


def test_a_file_on_which_the_analysis_fails_is_a_problem_and_the_others_are_checked(convlint: Convlint) -> None:
    write(a="CRASH\n", b="BAD\n")
    result = convlint(".")
    assert result.code == 2
    assert "a.py: problem [internal] convlint failed in this file: RecursionError" in result.out
    assert "Traceback" not in result.out + result.err
    assert "b.py:1:1: CVL101" in result.out
    assert "Traceback" in convlint(".", "--traceback").err


def test_configured_models_of_the_files_are_passed_on(convlint: Convlint, fake: Fake) -> None:
    write(a="good\n", b="good\n")
    models = '[[models]]\ntarget = "a.py:Net"\n[[models]]\ntarget = "gone.py:Net"'
    Path("convlint.toml").write_text(models)
    convlint("a.py", "b.py")
    assert [entry.target.text for entry in fake.projects[0].entries] == ["a.py:Net"]


# --- comments


def test_a_comment_silences(convlint: Convlint) -> None:
    write(a="BAD  # noqa: CVL101\n", b="BAD  # convlint: ignore[CVL1]\n", c="# convlint: skip-file\nBAD\n")
    assert convlint("a.py", "b.py", "c.py").code == 0


def test_a_comment_counts_in_the_file_in_which_the_finding_stands(convlint: Convlint) -> None:
    write(a="blames b.py  # noqa: CVL103\n", b="good\n")
    assert "b.py:1:1: CVL103" in convlint("a.py").out
    write(a="blames b.py\n", b="good  # noqa: CVL103\n")
    assert convlint("a.py").code == 0
    assert convlint("a.py", "b.py").code == 0  # nor is the comment needless


def test_a_finding_that_two_files_lead_to_is_told_once(convlint: Convlint) -> None:
    write(a="blames c.py\n", b="blames c.py\n", c="good\n")
    assert "Found 1 error in 3 files." in convlint(".").out


def test_a_comment_that_silences_nothing_is_found_and_taken_away(convlint: Convlint) -> None:
    write(a="good  # noqa: CVL302\n")
    result = convlint("a.py")
    assert "CVL900 warning [unused-suppression]" in result.out
    assert result.code == 1
    assert convlint("a.py", "--ignore", "CVL900").code == 0
    assert convlint("a.py", "--select", "CVL900,CVL1").code == 0  # CVL302 was not looked for
    assert convlint("a.py", "--fix").code == 0
    assert Path("a.py").read_text() == "good\n"


def test_add_noqa(convlint: Convlint) -> None:
    write(a="BAD\nBAD = ODD\n", b="good\n")
    result = convlint(".", "--add-noqa")
    assert result == Result(0, "Suppressed 3 findings with comments.\nNo findings in 2 files.\n", "")
    assert Path("a.py").read_text() == "BAD  # noqa: CVL101\nBAD = ODD  # noqa: CVL101, CVL301\n"
    assert convlint(".").code == 0


# --- fixes


def test_fix_makes_the_safe_ones(convlint: Convlint) -> None:
    write(a="MEND = ODD\n", b="good\n")
    result = convlint(".", "--fix")
    assert result.code == 1
    assert Path("a.py").read_text() == "good = ODD\n"
    assert "a.py:1:8: CVL301" in result.out
    assert "Found 1 warning in 2 files. Fixed 1 finding." in result.out
    result = convlint(".", "--fix", "--unsafe-fixes")
    assert result == Result(0, "No findings in 2 files. Fixed 1 finding.\n", "")
    assert Path("a.py").read_text() == "good = good\n"


def test_exit_non_zero_on_fix(convlint: Convlint) -> None:
    write(a="MEND\n")
    assert convlint("a.py", "--fix", "--exit-non-zero-on-fix").code == 1
    assert convlint("a.py", "--fix", "--exit-non-zero-on-fix").code == 0


def test_a_finding_that_is_ignored_is_not_fixed(convlint: Convlint) -> None:
    write(a="MEND\n", b="MEND  # noqa: CVL302\n")
    assert convlint(".", "--fix", "--ignore", "CVL302").code == 0
    assert Path("a.py").read_text() == "MEND\n"
    convlint("b.py", "--fix")
    assert Path("b.py").read_text() == "MEND  # noqa: CVL302\n"


def test_diff_writes_nothing(convlint: Convlint) -> None:
    write(a="x = MEND\n", b="BAD\n")
    result = convlint(".", "--diff")
    assert result.code == 1
    assert "-x = MEND\n+x = good\n" in result.out
    assert "CVL" not in result.out
    assert result.err == "Would fix 1 finding in 1 file.\n"
    assert Path("a.py").read_text() == "x = MEND\n"


def test_diff_without_a_difference_is_clean_whatever_is_found(convlint: Convlint) -> None:
    write(a="BAD = ODD\n")
    assert convlint("a.py", "--diff") == Result(0, "", "")
    assert convlint("a.py", "--diff", "--unsafe-fixes").code == 1
    assert convlint("a.py", "gone.py", "--diff").code == 2


def test_a_file_that_cannot_be_written_is_a_problem(convlint: Convlint, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, data: bytes) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("convlint.source_text.edits.write_atomically", refuse)
    write(a="MEND\n")
    result = convlint("a.py", "--fix")
    assert result.code == 2
    assert "problem [unwritable-file] a.py cannot be written: Permission denied" in result.out
    assert "Fixed" not in result.out
    assert "a.py:1:1: CVL302" in result.out


@pytest.mark.parametrize("option", ["--fix", "--add-noqa"])
@pytest.mark.parametrize("named", ["link.py", "folder", "folder/a.py", "."])
def test_a_file_that_a_link_leads_to_is_not_written(
    convlint: Convlint, tmp_path_factory: pytest.TempPathFactory, option: str, named: str
) -> None:
    other = tmp_path_factory.mktemp("elsewhere") / "a.py"
    other.write_bytes(b"MEND\n")
    os.symlink(other, "link.py")
    os.symlink(other.parent, "folder")
    result = convlint(named, option)
    assert other.read_bytes() == b"MEND\n"
    assert result.code == 2
    assert f"{other}; pass this path to change the file" in result.out


@pytest.mark.parametrize("option", ["--fix", "--add-noqa"])
def test_a_link_within_the_folder_is_written_through(convlint: Convlint, option: str) -> None:
    write(a="MEND\n")
    os.symlink("a.py", "link.py")
    assert convlint("link.py", option).code == 0
    assert Path("a.py").read_bytes() != b"MEND\n"
    assert Path("link.py").is_symlink()


def test_a_folder_elsewhere_may_be_reached_through_a_link(
    convlint: Convlint, tmp_path_factory: pytest.TempPathFactory
) -> None:
    above = tmp_path_factory.mktemp("elsewhere")
    (above / "real").mkdir()
    (above / "real" / "a.py").write_bytes(b"MEND\n")
    os.symlink("real", above / "link")
    assert convlint(str(above / "link"), "--fix").code == 0
    assert (above / "real" / "a.py").read_bytes() == b"good\n"


# --- standard input


def test_standard_input(convlint: Convlint) -> None:
    result = convlint("-", stdin=b"x = BAD\n")
    assert result.code == 1
    assert result.out.startswith("-:1:5: CVL101 error [groups-not-dividing] BAD is found\n1 | x = BAD\n")


def test_standard_input_stands_for_a_file(convlint: Convlint, fake: Fake) -> None:
    write(a="good\n", wide="WIDE\n", b="uses a.py\n")
    result = convlint("-", "b.py", "--stdin-filename", "a.py", stdin=b"WIDE BAD # noqa: CVL101\n")
    assert fake.judged == ["b.py", "a.py"]
    assert "b.py:1:1: CVL102" in result.out
    assert "CVL101" not in result.out


def test_settings_for_a_file_hold_for_standard_input(convlint: Convlint) -> None:
    Path("convlint.toml").write_text('per-file-ignores = { "a.py" = ["CVL1"] }')
    assert convlint("-", "--stdin-filename", "a.py", stdin=b"BAD\n").code == 0
    assert convlint("-", "--stdin-filename", "b.py", stdin=b"BAD\n").code == 1


def test_fixed_standard_input_goes_to_stdout(convlint: Convlint) -> None:
    result = convlint("-", "--fix", stdin=b"x = MEND # caf\xc3\xa9\r\n")
    assert result.out == "x = good # café\r\n"
    assert result.err == "No findings in 1 file. Fixed 1 finding.\n"
    assert convlint("-", "--fix", stdin=b"good\n").out == "good\n"


def test_diff_of_standard_input(convlint: Convlint) -> None:
    result = convlint("-", "--diff", "--stdin-filename", "src/a.py", stdin=b"MEND\n")
    assert result.code == 1
    assert "+++ b/src/a.py" in result.out
    assert not Path("src").exists()


# --- what does not go together


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fix", "--add-noqa"), "--fix cannot be used with --add-noqa"),
        (("--diff", "--update-baseline", "--baseline", "b"), "--diff cannot be used with --update-baseline"),
        (("--unsafe-fixes",), "--unsafe-fixes requires --fix or --diff"),
        (("--update-baseline",), "--update-baseline requires --baseline FILE"),
        (("--stdin-filename", "a.py"), "--stdin-filename requires the target -"),
        (("--statistics", "--output-format", "json"), "--statistics requires --output-format text"),
        (("-", "--watch"), "standard input can be read only once"),
        (("--input", "3,8,8"), "--input only applies to models that are run (a.py:Net)"),
        (("--max-params", "5M"), "a.py is checked statically; --max-params only applies to models"),
        (("--device", "cuda"), "--device only applies to models that are run"),
        (("--select", "CVL399"), "no rule has the code 'CVL399'"),
        (("--jobs", "many"), "--jobs requires a whole number of at least 1"),
        (("--fix-all",), "No such option: --fix-all"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(convlint: Convlint, arguments: tuple[str, ...], message: str) -> None:
    write(a="BAD\n")
    result = convlint("a.py", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.count("\n") == 1


# --- files and models in one command


class Instead:
    """Stands for the worker: no model is run in these tests."""

    started = 0

    def __enter__(self) -> Self:
        Instead.started += 1
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, job: Job) -> JobResult:
        return JobResult(problems=(Problem("import-error", "no torch", job.target.path),))

    def prove(self, claim: Claim, **_: object) -> Proof:
        witness = Witness("Net(2, 4)", ("1x2x8x8",), "RuntimeError", "Net(2, 2)")
        return Proof("works") if claim.cls == "Fine" else Proof("fails", witness)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> type[Instead]:
    monkeypatch.setattr("convlint.cli.model_runner.Worker", Instead)
    Instead.started = 0
    return Instead


def test_models_and_files_are_checked_in_one_command(convlint: Convlint, worker: type[Instead]) -> None:
    write(a="BAD\n", net="good\n")
    result = convlint("a.py", "net.py:Net", "--input", "3,8,8")
    assert result.code == 2
    assert "a.py:1:1: CVL101" in result.out
    assert "net.py: problem [import-error]" in result.out
    assert "Found 1 error in 1 file. Could not check everything: 1 problem." in result.out
    assert worker.started == 1


def test_files_alone_need_no_worker(convlint: Convlint, worker: type[Instead]) -> None:
    write(a="BAD\n")
    convlint("a.py")
    assert worker.started == 0


@pytest.mark.parametrize(
    ("cls", "options", "expected"),
    [("Net", (), "CVL201 warning"), ("Net", ("--confirm",), "CVL201 error"), ("Fine", ("--confirm",), "No findings")],
)
def test_prove_runs_what_is_suspected(
    convlint: Convlint, fake: Fake, worker: type[Instead], cls: str, options: tuple[str, ...], expected: str
) -> None:
    write(a=f"LATENT = {cls}\n")
    result = convlint("a.py", *options)
    assert expected in result.out
    assert ("witness: Net(2, 4)" in result.out) == ("error" in expected)
    assert worker.started == len(options)


def test_nothing_can_be_confirmed_without_torch(
    convlint: Convlint, worker: type[Instead], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    write(a="LATENT = Net\n")
    needed = "--confirm needs PyTorch, which is not installed for this Python: pip install torch"
    assert convlint("a.py", "--confirm") == Result(2, "", f"convlint: {needed}\n")
    assert "CVL201 warning" in convlint("a.py").out
    assert worker.started == 0


def test_models_of_runs_the_configured_models_that_are_made_of_files(convlint: Convlint, worker: type[Instead]) -> None:
    write(a="BAD\n", net="import blocks\n", blocks="x = 1\n")
    Path("convlint.toml").write_text('[[models]]\ntarget = "net.py:Net"')
    assert "import-error" in convlint("--affected-by", "blocks.py").out
    assert worker.started == 1
    result = convlint("--affected-by", "a.py")
    assert result == Result(0, "No configured model depends on these files.\n", "")
    assert worker.started == 1


# --- several processes, and the shell


def test_several_processes_find_the_same_in_the_same_order(tmp_path: Path) -> None:
    for number in range(20):
        text = "x = (\n" if number % 3 else "x = 1\n"
        (tmp_path / f"f{number}.py").write_text(text)
    one, three = (shell("check", ".", "--no-cache", "-j", n, folder=tmp_path) for n in "13")
    assert one == three
    assert "Found 13 errors in 20 files." in one.out


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_at_once(tmp_path: Path) -> None:
    source = (Path(__file__).parents[2] / "fixtures" / "mobilefacenet.py").read_text()
    for number in range(400):
        (tmp_path / f"f{number}.py").write_text(source * 40)
    process = subprocess.Popen(
        [sys.executable, "-m", "convlint", "check", ".", "--no-cache", "-j", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "convlint: interrupted\n")


def test_a_syntax_error_is_a_finding_at_its_line_and_the_others_are_checked(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\ny = (\n")
    (tmp_path / "b.py").write_text("x = 1\n")
    result = shell("check", ".", folder=tmp_path)
    assert result.code == 1
    assert "a.py:2:" in result.out
    assert "CVL901 error [syntax-error]" in result.out
    assert "in 2 files" in result.out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("convlint ch", {"check"}),
        ("convlint check --stat", {"--statistics"}),
        ("convlint check --output-format js", {"json"}),
    ],
)
def test_bash_completes_commands_options_and_values(line: str, expected: set[str]) -> None:
    words = line.split()
    environment = {
        **os.environ,
        "_CONVLINT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    result = shell(env=environment)
    assert set(result.out.split()) == expected


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_completion_of_each_shell_is_printed(name: str) -> None:
    # By its name, and not for the shell that happens to run the tests.
    by_name = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    result = shell("--show-completion", name, env=by_name)
    assert result.code == 0
    assert "_CONVLINT_COMPLETE" in result.out


def shell(*arguments: str, folder: Path | None = None, env: Mapping[str, str] | None = None) -> Result:
    """A command in a process of its own, with the real analysis."""
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "convlint", *arguments],
        cwd=folder,
        env={**(os.environ if env is None else env), "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)
