"""``pytest --convlint`` in a real pytest, in a process of its own: which tests there are, and what fails them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.slow  # most need a pytest in a process of its own

BAD = """\
from torch import nn


class Bad(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 8, 3, bias=False),
            nn.BatchNorm2d(4),
        )
"""
GOOD = """\
import os, sys
from torch import nn

# The worker is the parent of what watches over this process.
with open(f"/proc/{os.getppid()}/stat") as watcher:
    print("worker", watcher.read().rpartition(")")[2].split()[1])


class Good(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8))


class Other(Good):
    pass
"""
WASTE = """\
from torch import nn


class Waste(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
"""
MODELS = """
[[tool.convlint.models]]
target = "good.py:Good"
input = "3,8,8"

[[tool.convlint.models]]
target = "bad.py:Bad()"
input = "3,8,8"

[[tool.convlint.models]]
target = "good.py:Other"
input = "3,8,8"
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a project with a test of its own and three configured models, two of them good."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makepyfile(good=GOOD, bad=BAD, waste=WASTE, test_own="def test_own(): pass")
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n" + MODELS)
    others = ("-p", "no:randomly", "-p", "no:asyncio")

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(*others, *arguments, timeout=120)

    return run


_KNOWN: list[pytest.RunResult] = []


@pytest.fixture
def whole(run: Run) -> pytest.RunResult:
    """A run of the whole project in which pytest tells all: one for all tests."""
    if not _KNOWN:
        _KNOWN.append(run("--convlint", "-v", "-rA", "-W", "error", "--color=no"))
    return _KNOWN[0]


def outcomes(result: pytest.RunResult) -> dict[str, str]:
    """What ``-v`` says of every test, by its name."""
    found = re.findall(r"^(\S.*?) (PASSED|FAILED|SKIPPED)", result.stdout.str(), re.MULTILINE)
    return dict(found)


def workers(result: pytest.RunResult) -> list[int]:
    """The processes that ran the good models."""
    return [int(pid) for pid in re.findall(r"worker (\d+)", result.stdout.str())]


def convlint(*arguments: str) -> str:
    """What the command line prints."""
    command = [sys.executable, "-m", "convlint", *arguments]
    env = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env).stdout


# --- which tests there are


def test_without_the_option_there_is_nothing(run: Run) -> None:
    assert outcomes(run("-v")) == {"test_own.py::test_own": "PASSED"}


def test_every_configured_model_is_a_test(whole: pytest.RunResult) -> None:
    assert outcomes(whole) == {
        "test_own.py::test_own": "PASSED",
        "convlint::good.py:Good": "PASSED",
        "convlint::bad.py:Bad()": "FAILED",
        "convlint::good.py:Other": "PASSED",
    }
    assert whole.ret == pytest.ExitCode.TESTS_FAILED


def test_models_are_all_tests_where_there_are_no_others(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "test_own.py").unlink()
    run("--convlint", "-k", "good").assert_outcomes(passed=2, deselected=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (("-k", "Other"), {"convlint::good.py:Other"}),
        (("-m", "convlint", "-k", "not bad"), {"convlint::good.py:Good", "convlint::good.py:Other"}),
        (("-m", "not convlint"), {"test_own.py::test_own"}),
    ],
)
def test_they_are_chosen_as_other_tests_are(run: Run, choice: tuple[str, ...], chosen: set[str]) -> None:
    shown = run("--convlint", "--collect-only", "-q", "--strict-markers", *choice).stdout.str()
    assert {line for line in shown.splitlines() if "::" in line} == chosen


@pytest.mark.slow
def test_what_failed_last_can_be_run_again(run: Run, pytester: pytest.Pytester) -> None:
    run("--convlint", "-k", "own or Bad")
    pytester.makepyfile(bad=BAD.replace("Norm2d(4)", "Norm2d(8)"))
    assert outcomes(run("--convlint", "-v", "--lf")) == {"convlint::bad.py:Bad()": "PASSED"}


def test_they_can_be_listed_without_running_them(run: Run) -> None:
    result = run("--convlint", "--collect-only", "-q")
    assert "convlint::bad.py:Bad()" in result.stdout.str()
    assert result.ret == pytest.ExitCode.OK


# --- what fails them


@pytest.mark.slow
def test_a_model_fails_with_what_the_command_line_prints(whole: pytest.RunResult) -> None:
    printed = convlint("check", "bad.py:Bad()", "--quiet")
    assert "CVL103 error" in printed
    assert "bad.py:8:13" in printed
    assert printed.rstrip() in whole.stdout.str()


@pytest.mark.slow
@pytest.mark.parametrize(("fail_on", "outcome"), [("info", "FAILED"), ("warning", "PASSED")])
def test_the_least_severity_that_fails_is_that_of_the_settings(
    run: Run, pytester: pytest.Pytester, fail_on: str, outcome: str
) -> None:
    pytester.makepyprojecttoml(
        f"[tool.convlint]\nfail-on = '{fail_on}'\nmodels = [{{ target = 'waste.py:Waste', input = '3,8,8' }}]"
    )
    result = run("--convlint", "-v", "-rA")
    assert outcomes(result)["convlint::waste.py:Waste"] == outcome
    assert ("CVL301 info" in result.stdout.str()) == (outcome == "FAILED")
    assert ("1 info not listed" in result.stdout.str()) == (outcome == "PASSED")


def test_what_cannot_be_checked_fails(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml("[[tool.convlint.models]]\ntarget = 'god.py:Good'")
    result = run("--convlint", "-v")
    assert outcomes(result)["convlint::god.py:Good"] == "FAILED"
    assert "god.py does not exist; did you mean good.py?" in result.stdout.str()


@pytest.mark.slow
def test_what_a_model_prints_is_captured(run: Run, whole: pytest.RunResult) -> None:
    result = run("--convlint", "-k", "Good")
    assert not workers(result)
    assert "Captured stderr call" in whole.stdout.str()


def test_colours_are_those_of_pytest(run: Run, whole: pytest.RunResult) -> None:
    assert "\x1b[1;31mCVL103 error" in run("--convlint", "-k", "Bad", "--color=yes").stdout.str()
    assert "\x1b[" not in whole.stdout.str()


# --- files


def paths(pytester: pytest.Pytester, *paths: str) -> None:
    pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\nconvlint_paths = {[*paths]}\n")


def test_files_are_read_in_one_test(run: Run, pytester: pytest.Pytester) -> None:
    paths(pytester, "bad.py", "good.py")
    result = run("--convlint", "-v")
    assert outcomes(result) == {"test_own.py::test_own": "PASSED", "convlint::source": "FAILED"}
    assert convlint("check", "bad.py", "good.py").rstrip() in result.stdout.str()
    assert not workers(result)


def test_files_are_relative_to_the_settings_of_pytest(run: Run, pytester: pytest.Pytester) -> None:
    paths(pytester, "good.py")
    os.chdir(pytester.mkdir("below"))
    run("--convlint").assert_outcomes(passed=1)


def test_a_file_that_is_missing_fails(run: Run, pytester: pytest.Pytester) -> None:
    paths(pytester, "god.py")
    result = run("--convlint", "-v")
    assert outcomes(result)["convlint::source"] == "FAILED"
    assert "does not exist; did you mean" in result.stdout.str()


# --- the worker


def test_one_worker_runs_all_models_and_ends_with_the_session(whole: pytest.RunResult) -> None:
    first, second = workers(whole)
    assert first == second
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_several_processes_check_the_same(run: Run) -> None:
    result = run("--convlint", "-n", "2", "-rA")
    result.assert_outcomes(passed=3, failed=1)
    assert "CVL103 error" in result.stdout.str()
    for worker in workers(result):
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


@pytest.mark.slow
def test_of_several_processes_one_runs_all_models_if_groups_stay_together(run: Run) -> None:
    result = run("--convlint", "-n", "2", "--dist", "loadgroup", "-rA")
    result.assert_outcomes(passed=3, failed=1)
    assert len(workers(result)) == 2
    assert len(set(workers(result))) == 1


# --- what is wrong with the settings


def test_nothing_to_check_is_a_mistake(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    result = run("--convlint")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: convlint: nothing to check; configure" in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one", "several"])
def test_a_mistake_in_the_settings_is_one_line(run: Run, pytester: pytest.Pytester, processes: tuple[str, ...]) -> None:
    pytester.makepyprojecttoml("[tool.convlint]\nselct = 'CVL1'")
    result = run("--convlint", *processes)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines == ["ERROR: convlint: pyproject.toml: unknown key 'selct'; did you mean 'select'?", ""]


# --- what it costs


@pytest.mark.slow
def test_nothing_is_loaded_without_the_option(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_own="""
        import sys

        def test_own():
            ours = {name for name in sys.modules if name.split(".")[0] == "convlint"}
            assert ours == {"convlint", "convlint.integrations", "convlint.integrations.pytest"}
            assert not {"torch", "rich", "typer"} & sys.modules.keys()
        """
    )
    run().assert_outcomes(passed=1)


def test_the_help_has_a_line_for_the_option_and_one_for_the_setting(run: Run) -> None:
    shown = run("--help").stdout.str()
    assert "--convlint " in shown
    assert "convlint_paths (paths)" in shown
    assert "convlint: convlint checks" in run("--markers").stdout.str()
