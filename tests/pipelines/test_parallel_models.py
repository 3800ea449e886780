"""Several models at the same time: each for itself, answers in the order that was asked for, nothing left behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from convlint.ir import Problem
from convlint.pipelines import executor
from convlint.runtime.worker.client import JobResult, Worker
from convlint.settings.input_shapes import InputSpec
from convlint.settings.jobs import Job
from convlint.settings.targets import parse_target
from tests.support.processes import convlint, gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

NETS = """\
import os, pathlib, signal, subprocess, sys, time
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent


class Net(nn.Module):
    def __init__(self, channels=4):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3)

    def forward(self, x):
        return self.conv(x)


def arrived(name):
    (HERE / name).touch()


def wait_for(name):
    while not (HERE / name).exists():
        time.sleep(0.01)


class Left(Net):
    def forward(self, x):
        arrived("left")
        wait_for("right")
        return super().forward(x)


class Right(Net):
    def forward(self, x):
        arrived("right")
        wait_for("left")
        return super().forward(x)


class Waits(Net):
    def forward(self, x):
        arrived(f"waits.{os.getpid()}")
        wait_for("go")
        return super().forward(x)


class Crash(Net):
    def forward(self, x):
        wait_for("left")
        os.kill(os.getpid(), signal.SIGSEGV)


class KillsParent(Net):
    def forward(self, x):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)


class KillsParentsGroup(Net):
    def forward(self, x):
        os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)
        time.sleep(60)


class LeavesProcess(Net):
    def forward(self, x):
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        (HERE / "orphan").write_text(str(child.pid))
        return super().forward(x)


class Threads(Net):
    def forward(self, x):
        (HERE / "threads").write_text(str(torch.get_num_threads()))
        return super().forward(x)


class Big(Net):
    def forward(self, x):
        hoard = [bytearray(b"1") * (8 << 20)]
        while True:
            hoard.append(bytes(hoard[-1]))
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    return path


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as one:
        yield one


def job(nets: Path, call: str, **how: object) -> Job:
    return replace(Job(parse_target(f"{nets}:{call}"), (InputSpec((3, 8, 8)),), timeout=20.0), **how)  # type: ignore[arg-type]


def at_once(worker: Worker, jobs: list[Job]) -> list[JobResult]:
    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(executor.in_order(pool, worker.run, jobs))


def kinds(answer: JobResult) -> list[str]:
    return [problem.kind for problem in answer.problems]


# --- the worker


def test_models_run_at_the_same_time(worker: Worker, nets: Path) -> None:
    """Each of the two ends only when the other is there."""
    for answer in at_once(worker, [job(nets, "Left"), job(nets, "Right")]):
        assert answer.problems == ()
        assert answer.graph is not None


@pytest.mark.slow
@pytest.mark.parametrize("bad", ["Crash", "KillsParent", "KillsParentsGroup"])
def test_one_bad_model_does_not_hide_another(worker: Worker, nets: Path, bad: str) -> None:
    (nets.parent / "right").touch()
    answers = at_once(worker, [job(nets, bad), job(nets, "Left"), job(nets, "Net(5)")])
    assert kinds(answers[0]) == (["crash"] if bad == "Crash" else ["worker"])
    for answer in answers[1:]:
        assert answer.problems == ()
        assert answer.graph is not None


def test_what_one_leaves_behind_is_killed_and_another_goes_on(worker: Worker, nets: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        waits = pool.submit(worker.run, job(nets, "Waits"))
        while not list(nets.parent.glob("waits.*")):
            time.sleep(0.01)
        assert worker.run(job(nets, "LeavesProcess")).graph is not None
        assert gone(int((nets.parent / "orphan").read_text()))
        assert not waits.done()
        (nets.parent / "go").touch()
        assert waits.result().graph is not None


def test_each_has_a_time_limit_of_its_own(worker: Worker, nets: Path) -> None:
    short, fine = at_once(worker, [job(nets, "Waits", timeout=0.5), job(nets, "Net")])
    assert kinds(short) == ["timeout"]
    assert fine.graph is not None


def test_they_share_the_cores_of_the_machine(worker: Worker, nets: Path) -> None:
    def threads(at_once: int) -> int:
        assert worker.run(job(nets, "Threads", at_once=at_once)).graph is not None
        return int((nets.parent / "threads").read_text())

    alone = threads(1)
    assert threads(2) == max(1, alone // 2)
    assert threads(1000) == 1


def test_they_share_the_memory_of_the_machine(worker: Worker, nets: Path) -> None:
    (problem,) = worker.run(job(nets, "Big", at_once=200)).problems
    found = re.search(r"more than ([\d,]+) MiB", problem.message)
    assert problem.kind == "out-of-memory"
    assert found is not None
    meminfo = Path("/proc/meminfo").read_text()
    total = int(re.findall(r"MemTotal:\s+(\d+)", meminfo)[0]) / 1024
    assert int(found[1].replace(",", "")) <= total / 200


def test_a_worker_that_is_closed_answers_all_who_wait_and_leaves_nothing(nets: Path) -> None:
    with ThreadPoolExecutor(2) as pool, Worker() as own:
        waiting = [pool.submit(own.run, job(nets, "Waits")) for _ in range(2)]
        while len(list(nets.parent.glob("waits.*"))) < 2:
            time.sleep(0.01)
        own.close()
        for future in waiting:
            assert kinds(future.result()) == ["worker"]
        assert kinds(own.run(job(nets, "Net"))) == ["worker"]  # closed is closed
    for note in nets.parent.glob("waits.*"):
        assert gone(int(note.suffix[1:]))


def test_an_answer_says_what_its_process_took(worker: Worker, nets: Path) -> None:
    answer = worker.run(job(nets, "Net"))
    assert 0 < answer.seconds < 20
    assert answer.memory > 50 << 20  # torch alone is more
    late = worker.run(job(nets, "Waits", timeout=0.5))
    assert late.seconds >= 0.5


# --- executors


def test_answers_come_in_the_order_of_the_jobs_or_as_they_are_there(nets: Path) -> None:
    jobs = [job(nets, f"Net({n})") for n in range(3)]
    order = [2, 0, 1]

    class Fake(ThreadPoolExecutor):
        """Ends its jobs in another order."""

        def submit(self, fn: object, /, *args: object, **kwargs: object) -> Future[object]:  # type: ignore[override]
            mine: Future[object] = Future()
            asked.append(mine)
            if len(asked) == len(jobs):
                for n in order:
                    asked[n].set_result(JobResult(targets=(str(n),)))
            return mine

    asked: list[Future[object]] = []
    found = executor.in_order(Fake(), lambda _: JobResult(), jobs)
    assert [answer.targets for answer in found] == [("0",), ("1",), ("2",)]
    asked.clear()
    pairs = list(executor.as_completed(Fake(), lambda _: JobResult(), jobs))
    assert {one.text: answer.targets for one, answer in pairs} == {one.text: (str(n),) for n, one in enumerate(jobs)}


def test_what_an_executor_lost_is_a_problem_of_that_job(nets: Path) -> None:
    def run(one: Job) -> JobResult:
        if one.text.endswith("(1)"):
            raise OSError("the machine is gone")
        return JobResult()

    jobs = [job(nets, f"Net({n})") for n in range(3)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(executor.in_order(pool, run, jobs))
    text = "the executor lost the job: OSError: the machine is gone"
    assert [answer.problems for answer in answers] == [(), (Problem("executor", text, target=jobs[1].text),), ()]


# --- the command


CONFIG = """\
[[models]]
target = "nets.py:Net(4)"
input = "3,8,8"
[[models]]
target = "nets.py:Crash"
input = "3,8,8"
[[models]]
target = "nets.py:Net(6)"
input = "3,8,8"
[[models]]
target = "nets.py:Net(8)"
input = "3,8,8"
"""


@pytest.mark.slow
def test_a_report_is_the_same_however_many_run_at_once(nets: Path) -> None:
    (nets.parent / "convlint.toml").write_text(CONFIG)
    (nets.parent / "left").touch()
    one = convlint(nets.parent, "check", "--output-format", "json")
    four = convlint(nets.parent, "check", "--output-format", "json", "-j", "4")
    assert (one.returncode, four.returncode) == (2, 2)
    assert json.loads(one.stdout) == json.loads(four.stdout)
    assert [model["target"] for model in json.loads(one.stdout)["models"]] == [
        *("nets.py:Net(4)", "nets.py:Net(6)", "nets.py:Net(8)")
    ]


def test_an_interrupt_ends_all_of_them(nets: Path) -> None:
    models = "".join(f'[[models]]\ntarget = "nets.py:Waits({n})"\ninput = "3,8,8"\n' for n in range(1, 6))
    (nets.parent / "convlint.toml").write_text(models)
    command = subprocess.Popen(
        [sys.executable, "-m", "convlint", "check", "-j", "2"], cwd=nets.parent, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 30
    while len(list(nets.parent.glob("waits.*"))) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=15)
    assert command.returncode == 130
    assert "Traceback" not in err
    notes = list(nets.parent.glob("waits.*"))
    assert len(notes) == 2  # none was started in the place of those that ended
    for note in notes:
        assert gone(int(note.suffix[1:]))


# --- a cluster


CLUSTER = """\
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a scheduler with two workers, in processes of their own and another folder."""
    pytest.importorskip("distributed")
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd="/",
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip().replace("tcp://", "dask://")
        process.stdin.write("\n")


@pytest.mark.slow
def test_a_cluster_gives_the_same_report(nets: Path, cluster: str) -> None:
    (nets.parent / "convlint.toml").write_text(CONFIG)
    (nets.parent / "left").touch()
    here = convlint(nets.parent, "check", "--output-format", "json")
    there = convlint(nets.parent, "check", "--output-format", "json", "--executor", cluster)
    assert there.returncode == 2, there.stderr
    assert json.loads(here.stdout) == json.loads(there.stdout)


@pytest.mark.slow
def test_no_cluster_is_one_clear_line(nets: Path) -> None:
    for address in ("dask://127.0.0.1:9", "slurm://x", "dask://"):
        done = convlint(nets.parent, "check", "nets.py:Net", "--executor", address)
        assert done.returncode == 2
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert address in line
