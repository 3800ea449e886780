"""Files under a command that is killed at any of its writes, on full disks, and beside other commands: each is the old
one or the new one, and the next run works.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from textwrap import dedent

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="loads a library into a command")

ROOT = Path(__file__).parents[2]
CONVLINT = (sys.executable, "-m", "convlint")
NET = """\
import torch
from torch import nn


class {0}(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)  # noqa: CVL301
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.Conv2d(8, 9, 3, groups=2)

    def forward(self, x):
        return torch.relu(self.conv(x))
"""
NETS = {"a.py": NET.format("A"), "b.py": NET.format("B"), "convlint.toml": "fail-on = 'error'\n"}

# Parts of commands that need no model to run, which takes seconds.
SWEEP = """
    import sys
    from convlint.pipelines import sweep as sweeping
    from convlint.settings import config, targets
    from convlint.settings import jobs as job_types
    from convlint.ir import Problem
    from convlint.runtime.worker.client import JobResult

    jobs = [job_types.Job(targets.parse_target(f"net.py:Net({n})")) for n in range(3)]
    answers = lambda jobs: ((job, JobResult(None, (Problem("exit", job.text * 50),))) for job in jobs)
    for result in sweeping.Sweep(config.Config()).run("sweep.jsonl", jobs, answers):
        print(result.target, result.known)
"""
REWRITE = """
    from convlint.cli.suggest import write_files
    from convlint.ir import RewrittenSet

    files = {name: (open(name, "rb").read(), b"# new\\n" * 99) for name in ("a.py", "b.py")}
    class Rewritten:
        pass
    Rewritten.files = {name: both for name, both in files.items() if both[0] != both[1]}
    problems = write_files(Rewritten)
    assert not problems, problems
"""
SAVE = """
    import torch
    from convlint.runtime.weights import checkpoint_file
    checkpoint_file.save("weights.pt", {"w": torch.ones(9, 9)})
"""


@dataclass(frozen=True)
class Case:
    """A command, the files that it writes, and what it exits with."""

    command: tuple[str, ...]
    written: tuple[str, ...]
    code: int = 0
    before: Callable[[Path], object] = lambda _: None


def _python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", dedent(code))


def _old(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


CASES = {
    "fix": Case((*CONVLINT, "check", ".", "--fix", "--no-cache"), ("a.py", "b.py"), 1),
    "add_noqa": Case((*CONVLINT, "check", ".", "--add-noqa", "--no-cache"), ("a.py", "b.py")),
    "cache": Case((*CONVLINT, "check", ".", "--output-format", "json"), (), 1),
    "baseline": Case(
        (*CONVLINT, "check", ".", "--no-cache", "--baseline", "base.json", "--update-baseline"),
        ("base.json",),
        before=_old("base.json", '{"version": 1, "findings": []}'),
    ),
    "output_file": Case(
        (*CONVLINT, "check", ".", "--no-cache", "--output-file", "out.txt"), ("out.txt",), 1, _old("out.txt", "old\n")
    ),
    "init": Case(
        (*CONVLINT, "init", "--yes"),
        ("pyproject.toml",),
        before=lambda folder: (
            (folder / "convlint.toml").unlink(),
            (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n"),
        ),
    ),
    "sweep": Case(_python(SWEEP), ()),
    "rewrite": Case(_python(REWRITE), ("a.py", "b.py")),
    "save_weights": Case(_python(SAVE), ("weights.pt",), before=_old("weights.pt", "old")),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What counts a command's writes and kills it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    built = tmp_path_factory.mktemp("kill") / "kill_at.so"
    source = ROOT / "tests" / "pipelines" / "kill_at.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(built), str(source), "-ldl"], check=True)
    return built


@dataclass(frozen=True)
class Killing:
    """Runs a command in a fresh folder, and kills it at one of the things that it does to files there."""

    case: Case
    library: Path
    at: Path

    def folder(self, name: object) -> Path:
        folder = self.at / f"run{name}"
        folder.mkdir()
        for file, text in NETS.items():
            (folder / file).write_text(text)
        self.case.before(folder)
        return folder

    def run(self, folder: Path, at: int) -> tuple[int, int, str]:
        """The exit code, how many things were done, and what was said on stdout."""
        count = self.at / f"count.{folder.name}"
        count.write_text("")
        done = subprocess.run(
            self.case.command,
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
                "LD_PRELOAD": str(self.library),
                "KILL_FOLDER": f"{folder}/",
                "KILL_AT": str(at),
                "KILL_COUNT": str(count),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, count.stat().st_size, done.stdout


def contents(folder: Path, names: Sequence[str]) -> list[bytes | None]:
    return [(folder / n).read_bytes() if (folder / n).exists() else None for n in names]


def leftovers(folder: Path) -> list[str]:
    """Files that are none of the project's: what a killed command leaves has a name that tells."""
    return [path.name for path in folder.rglob("*") if path.name.startswith(".convlint-")]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_killed_at_some_writes(name: str, library: Path, tmp_path: Path) -> None:
    check_killed(name, library, tmp_path, some=4)


@pytest.mark.sweep
@pytest.mark.parametrize("name", CASES)
def test_killed_at_every_write(name: str, library: Path, tmp_path: Path) -> None:
    check_killed(name, library, tmp_path)


def check_killed(name: str, library: Path, tmp_path: Path, some: int | None = None) -> None:
    """Kill a command at each of the things that it does, or at ``some`` of them."""
    killing = Killing(CASES[name], library, tmp_path)
    case = killing.case
    whole = killing.folder("whole")
    old = contents(whole, case.written)
    code, points, said = killing.run(whole, 0)
    new = contents(whole, case.written)
    assert code == case.code
    assert points > 3
    assert old != new or not case.written

    def killed(at: int) -> None:
        folder = killing.folder(at)
        code, _, _ = killing.run(folder, at)
        assert code == -9
        for was, is_now, becomes in zip(old, contents(folder, case.written), new, strict=True):
            assert is_now in (was, becomes)
        assert len(leftovers(folder)) <= 1
        code, _, again = killing.run(folder, 0)
        if name == "init" and "[tool.convlint]" in str(contents(folder, case.written)):
            assert code in (0, 2)  # it does not write over settings that are there
        else:
            assert code in (case.code, 0)
        assert contents(folder, case.written) == new
        if name == "cache":
            assert again == said
        if name == "sweep":
            lines = (folder / "sweep.jsonl").read_text().splitlines()
            targets = [json.loads(line)["target"] for line in lines]
            assert targets == [f"net.py:Net({n})" for n in range(3)]

    every = range(1, points + 1)
    chosen = every if some is None else sorted(Random(0).sample(every, min(some, points)))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(killed, chosen))


# --- several at once


@pytest.mark.slow
def test_parallel_runs_on_one_cache(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"net{number}.py").write_text(NET.format(f"Net{number}"))
    (tmp_path / "convlint.toml").write_text("")

    def run(*options: str) -> str:
        command = [*CONVLINT, "check", ".", "--output-format", "json", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, "")
        return done.stdout

    expected = run("--no-cache")
    with ThreadPoolExecutor(6) as pool:
        for _ in range(2):
            assert {*pool.map(lambda _: run(), range(6))} == {expected}
    (cache,) = (tmp_path / ".convlint_cache").glob("*.json")
    assert len(json.loads(cache.read_text().partition("\n")[2])[0]) == 12
    assert leftovers(tmp_path) == []
    assert run() == expected


# --- where nothing can be written


@pytest.fixture(params=["full", "read-only"])
def unwritable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A project in a folder in which nothing can be written: on a full disk, or on one that is read-only."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if not mount or not umount or subprocess.run([mount, *options], check=False).returncode:
        pytest.skip("needs to mount a disk")
    try:
        for file, text in NETS.items():
            (folder / file).write_text(text)
        (folder / "old").write_text("old")
        if request.param == "full":
            with open(folder / "filler", "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(b"x" * 4096)
                except OSError:
                    pass
        else:
            subprocess.run([mount, "-o", "remount,ro", str(folder)], check=True)
        yield folder
    finally:
        subprocess.run([umount, str(folder)], check=True)


def texts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


WRITES = {
    "fix": ("check", ".", "--fix"),
    "add_noqa": ("check", ".", "--add-noqa"),
    "baseline": ("check", ".", "--baseline", "old.json", "--update-baseline"),
    "output_file": ("check", ".", "--output-file", "old"),
    "init": ("init", "--yes"),
    "sweep": ("sweep", "a.py:A", "--results", "new.jsonl", "--input", "3,8,8"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITES)
def test_what_cannot_be_written_is_said(unwritable: Path, name: str) -> None:
    if name == "init" and (unwritable / "filler").exists():
        (unwritable / "convlint.toml").rename(unwritable / "other.toml")
    before = texts(unwritable)
    done = subprocess.run([*CONVLINT, *WRITES[name]], cwd=unwritable, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in (done.stdout + done.stderr).splitlines() if "cannot be written" in line]
    if name != "init" or (unwritable / "filler").exists():  # elsewhere there are settings already
        assert said
    assert {**texts(unwritable), **before} == texts(unwritable)
    assert leftovers(unwritable) == []


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_changes_nothing(unwritable: Path) -> None:
    def run(*options: str) -> tuple[int, str, str]:
        command = [*CONVLINT, "check", ".", "--output-format", "json", *options]
        done = subprocess.run(command, cwd=unwritable, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert run() == run() == run("--no-cache")
    assert leftovers(unwritable) == []


def test_a_folder_that_is_a_file_is_no_cache(tmp_path: Path) -> None:
    for file, text in NETS.items():
        (tmp_path / file).write_text(text)
    (tmp_path / ".convlint_cache").write_text("mine")
    done = subprocess.run([*CONVLINT, "check", "."], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert (tmp_path / ".convlint_cache").read_text() == "mine"


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path) -> None:
    for file, text in NETS.items():
        (tmp_path / file).write_text(text)
    done = subprocess.run(
        [*CONVLINT, "check", ".", "--fix"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert done.returncode == 2
    assert "a.py cannot be written: File too large" in done.stdout
    assert (tmp_path / "a.py").read_text() == NETS["a.py"]
    assert leftovers(tmp_path) == []
