"""The worker against code that means harm: each job ends within its limits with a problem that says why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent, indent

import pytest

from convlint.ir import Problem, Report
from convlint.runtime.worker.client import JobResult, Worker
from convlint.settings.input_shapes import InputSpec
from convlint.settings.jobs import Job
from convlint.settings.targets import parse_target
from tests.support.processes import gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
Run = Callable[..., JobResult]
LIMIT = 5.0  # seconds that any of these models may take

TEMPLATE = """\
import ctypes, os, signal, subprocess, sys, threading, time
import torch
from torch import nn
{top}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
{init}
        self.conv = nn.Conv2d(3, 4, 3)
    def forward(self, x):
{forward}
        return self.conv(x)
"""


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as one:
        yield one


@pytest.fixture
def run(worker: Worker, tmp_path: Path) -> Run:
    """Runs a model with the given lines at its top, in its constructor and in its forward."""

    def run_it(
        *, top: str = "", init: str = "", forward: str = "", timeout: float = 30.0, max_memory: int | None = None
    ) -> JobResult:
        text = TEMPLATE.format(
            top=dedent(top), init=indent(dedent(init), " " * 8), forward=indent(dedent(forward), " " * 8)
        )
        path = tmp_path / "net.py"
        path.write_text(text)
        job = Job(parse_target(f"{path}:Net"), inputs=(InputSpec((3, 8, 8)),), timeout=timeout, max_memory=max_memory)
        return worker.run(job)

    return run_it


def only(answer: JobResult) -> Problem:
    """The one problem of an answer without a graph; a report of it exits with 2."""
    assert answer.graph is None
    (problem,) = answer.problems
    assert "\n" not in problem.message
    assert "Traceback" not in problem.message
    assert problem.target is not None
    assert Report((), (), answer.problems).exit_code_at() == 2
    return problem


def test_a_kind_model_gives_a_graph(run: Run) -> None:
    answer = run()
    assert answer.problems == ()
    assert answer.graph is not None
    assert [layer.name for layer in answer.graph.layers if layer.base == "Conv2d"] == ["conv"]


@pytest.mark.parametrize(("where", "phase"), [("top", "import"), ("init", "constructor"), ("forward", "forward")])
def test_a_crash_says_in_what_and_at_which_line(run: Run, where: str, phase: str) -> None:
    problem = only(run(**{where: "ctypes.string_at(0)  # here"}))
    assert problem.kind == "crash"
    assert f"the {phase} of" in problem.message
    assert "SIGSEGV" in problem.message
    assert problem.path is not None
    assert problem.line is not None
    assert "# here" in Path(problem.path).read_text().splitlines()[problem.line - 1]


@pytest.mark.parametrize("where", ["top", "init", "forward"])
def test_a_hard_exit_gives_its_code(run: Run, where: str) -> None:
    problem = only(run(**{where: "os._exit(7)"}))
    assert problem.kind == "exit"
    assert "exit code 7" in problem.message


@pytest.mark.parametrize("where", ["top", "init", "forward"])
def test_sys_exit_is_a_problem(run: Run, where: str) -> None:
    problem = only(run(**{where: "sys.exit('no more')"}))
    assert problem.kind == "exit"
    assert "no more" in problem.message


def test_a_hard_exit_with_0_is_not_a_clean_run(run: Run) -> None:
    assert only(run(forward="os._exit(0)")).kind == "exit"


@pytest.mark.slow
@pytest.mark.parametrize("where", ["top", "init", "forward"])
def test_an_endless_loop_ends_at_the_time_limit_and_names_its_line(run: Run, where: str) -> None:
    began = time.monotonic()
    problem = only(run(**{where: "while True: pass  # here"}, timeout=0.7))
    assert time.monotonic() - began < LIMIT
    assert problem.kind == "timeout"
    assert "more than 0.7 s" in problem.message
    assert "--timeout" in problem.message
    assert problem.path is not None
    assert problem.line is not None
    assert "# here" in Path(problem.path).read_text().splitlines()[problem.line - 1]


def test_a_loop_that_swallows_every_exception_and_signal_ends_too(run: Run) -> None:
    forward = """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
        """
    began = time.monotonic()
    assert only(run(forward=forward, timeout=0.7)).kind == "timeout"
    assert time.monotonic() - began < LIMIT


@pytest.mark.parametrize("line", ["while True: hoard.append(bytearray(b'1') * (8 << 20))", "torch.ones(1 << 30)"])
def test_a_memory_blow_up_ends_at_the_memory_limit(run: Run, line: str) -> None:
    began = time.monotonic()
    problem = only(run(forward=f"hoard = []\n{line}", max_memory=200 << 20))
    assert time.monotonic() - began < LIMIT
    assert problem.kind == "out-of-memory"
    assert "200 MiB" in problem.message
    assert "--max-memory" in problem.message


def test_more_memory_than_any_machine_has_is_a_problem(run: Run) -> None:
    problem = only(run(init="torch.empty(1 << 50)  # here"))
    assert problem.kind == "out-of-memory"
    assert problem.line is not None


def test_a_model_that_kills_itself(run: Run) -> None:
    problem = only(run(forward="os.kill(os.getpid(), signal.SIGKILL)"))
    assert problem.kind == "crash"
    assert "SIGKILL" in problem.message


def test_a_thread_left_behind_is_named_beside_the_graph(run: Run) -> None:
    top = "threading.Thread(target=time.sleep, args=(60,), name='leftover').start()"
    answer = run(top=top)
    assert answer.graph is not None
    (problem,) = answer.problems
    assert problem.kind == "thread-left"
    assert "leftover" in problem.message


def test_many_threads_left_behind_are_one_problem(run: Run) -> None:
    forward = "[threading.Thread(target=time.sleep, args=(60,)).start() for _ in range(5)]"
    (problem,) = run(forward=forward).problems
    assert "threads: 'Thread-" in problem.message
    assert "..." in problem.message


def test_a_thread_that_ends_is_no_problem(run: Run) -> None:
    forward = "threading.Thread(target=time.sleep, args=(0.01,)).start()"
    assert run(forward=forward).problems == ()


def test_a_process_left_behind_is_killed(run: Run, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    init = f"""
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        open({str(note)!r}, "w").write(str(child.pid))
        """
    assert run(init=init).graph is not None
    assert gone(int(note.read_text()))


def test_a_process_left_behind_that_holds_the_pipe_open_does_not_hide_a_crash(run: Run, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    forward = f"""
        if (pid := os.fork()) == 0:
            os.setsid()
            time.sleep(60)
        open({str(note)!r}, "w").write(str(pid))
        os._exit(3)
        """
    began = time.monotonic()
    assert "exit code 3" in only(run(forward=forward)).message
    assert time.monotonic() - began < LIMIT
    assert gone(int(note.read_text()))


def test_the_next_job_runs_in_the_old_folder(run: Run, tmp_path: Path) -> None:
    assert run(forward=f"os.chdir({str(tmp_path)!r})").problems == ()
    answer = run(forward=f"assert os.getcwd() == {os.getcwd()!r}")
    assert answer.graph is not None
    assert answer.graph.failure is None


def test_one_job_does_not_see_what_another_did(run: Run) -> None:
    assert run(top="torch.left_over = sys.left_over = 1").problems == ()
    answer = run(forward="assert not hasattr(torch, 'left_over') and not hasattr(sys, 'left_over')")
    assert answer.graph is not None
    assert answer.graph.failure is None


def test_reading_stdin_finds_its_end_and_eats_no_job(run: Run) -> None:
    answer = run(top="assert sys.stdin.read() == ''")
    assert answer.problems == ()
    assert run().graph is not None


def test_input_at_import_is_an_import_error(run: Run) -> None:
    problem = only(run(top="name = input('your name? ')"))
    assert problem.kind == "import-error"
    assert "EOFError" in problem.message


def test_an_import_from_the_folder_above_says_where_to_start(run: Run, tmp_path: Path) -> None:
    problem = only(run(top=f"import {tmp_path.name}.blocks"))
    assert problem.kind == "import-error"
    assert f"; {tmp_path.parent} has {tmp_path.name!r}: start convlint there, with {tmp_path.name}/" in problem.message


def test_prints_go_to_stderr_and_much_of_it_does_no_harm(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    # The worker of this module began before `capfd`: one of its own has the captured stderr.
    del run
    job = _job_of("print('x' * 5_000_000)\nos.write(1, b'raw')\nos.system('echo shell')")
    with Worker() as own:
        answer = own.run(job)
    out, err = capfd.readouterr()
    assert answer.graph is not None
    assert out == ""
    assert "x" * 5_000_000 in err
    assert "raw" in err
    assert "shell" in err


def _job_of(forward: str) -> Job:
    import tempfile

    text = TEMPLATE.format(top="", init="", forward=indent(forward, " " * 8))
    path = Path(tempfile.mkdtemp()) / "net.py"
    path.write_text(text)
    return Job(parse_target(f"{path}:Net"), inputs=(InputSpec((3, 8, 8)),))


def test_closed_streams_do_no_harm(run: Run) -> None:
    answer = run(top="sys.stdout.close(); sys.stderr.close(); sys.stdout = sys.stderr = None")
    assert answer.graph is not None


def test_closing_every_file_is_a_problem_and_not_a_clean_run(run: Run) -> None:
    assert only(run(forward="os.closerange(3, 256)")).kind in {"crash", "exit"}
    assert run().graph is not None


def test_lines_that_look_like_answers_are_not_taken_for_one(run: Run) -> None:
    forward = """
        for pipe in range(3, 64):
            try:
                os.write(pipe, b'{"answer": 1}\\n')
            except OSError:
                pass
        """
    answer = run(forward=forward)
    assert answer.problems
    assert run().problems == ()


def test_a_killed_worker_is_a_problem_of_the_job(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    kill = "os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)"
    path.write_text(TEMPLATE.format(top=kill, init="", forward=""))
    with Worker() as own:
        problem = only(own.run(Job(parse_target(f"{path}:Net"))))
    assert problem.kind == "worker"
    assert "SIGKILL" in problem.message


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_nothing_running(tmp_path: Path, number: int) -> None:
    note = tmp_path / "pid"
    top = f"open({str(note)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}} ')\ntime.sleep(60)"
    (tmp_path / "net.py").write_text(TEMPLATE.format(top=top, init="", forward=""))
    command = subprocess.Popen(
        [sys.executable, "-m", "convlint", "check", "net.py:Net"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 30.0
    while not (note.exists() and note.read_text().endswith(" ")) and time.monotonic() < until:
        time.sleep(0.02)
    command.send_signal(number)
    _, err = command.communicate(timeout=10)
    assert command.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in err
    for pid in map(int, note.read_text().split()):
        assert gone(pid)
