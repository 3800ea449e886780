"""``convlint sweep``: patterns of models, a file that grows by a line for each, and sweeps that go on."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from convlint.pipelines.sweep import Sweep
from convlint.settings.config import Config
from convlint.support.errors import UsageError
from tests.support import commands
from tests.support.commands import Done

NETS = """\
import os, pathlib, time
import torch
from torch import nn
from torch.nn import Linear

HERE = pathlib.Path(__file__).parent


class Small(nn.Module):
    def __init__(self, channels=4):
        super().__init__()
        with open(HERE / "built", "a") as file:
            file.write(f"{type(self).__name__}\\n")
        self.conv = nn.Conv2d(3, channels, 3)

    def forward(self, x):
        return self.conv(x)


class Broken(Small):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(5)

    def forward(self, x):
        return self.norm(self.conv(x))


class Slow(Small):
    def forward(self, x):
        while (HERE / "slow").exists():
            time.sleep(0.01)
        return self.conv(x)


class Needs(Small):
    def __init__(self, channels, kernel):
        super().__init__(channels)


class Hoards(Small):
    def forward(self, x):
        if x.device.type != "meta":
            hoard = [bytearray(b"1") * (8 << 20)]
            while True:
                hoard.append(bytes(hoard[-1]))
        return self.conv(x)


def make_small(channels: int = 8) -> Small:
    return Small(channels)


def helper(channels):
    return channels
"""

REGISTRY = """\
import nets


def list_models():
    return ["small_8", "small_4", "broken"]


def get_model(name, **kwargs):
    return nets.Broken() if name == "broken" else nets.Small(int(name.split("_")[1]), **kwargs)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "zoo.py").write_text(REGISTRY)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "convlint", "sweep", *arguments, "--input", "3,8,8"]


def sweep(folder: Path, *arguments: str) -> Done:
    return commands.command(folder, "sweep", *arguments, "--input", "3,8,8")


def rows(folder: Path, name: str = "convlint-sweep.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def targets(folder: Path) -> list[str]:
    return [row["target"] for row in rows(folder)]


def built(folder: Path) -> list[str]:
    return (folder / "built").read_text().split()


# --- patterns


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("nets.py:S*", ["nets.py:Slow", "nets.py:Small"]),
        ("nets.py:make_*", ["nets.py:make_small"]),
        ("nets.py:*(3, 3)", ["nets.py:Needs(3, 3)"]),
        ("zoo:small_?", ["zoo:get_model('small_4')", "zoo:get_model('small_8')"]),
        ("zoo:*", [f"zoo:get_model('{name}')" for name in ("broken", "small_4", "small_8")]),
        ("zoo:small_[48](channels=2)", []),  # given twice: an error of the model's function
    ],
)
def test_a_pattern_stands_for_what_can_be_built_so(folder: Path, pattern: str, found: list[str]) -> None:
    sweep(folder, pattern)
    if found:
        assert sorted(targets(folder)) == found


@pytest.mark.slow
def test_arguments_go_to_every_model_of_a_registry(folder: Path) -> None:
    (folder / "zoo.py").write_text(REGISTRY.replace('int(name.split("_")[1]), ', ""))
    done = sweep(folder, "zoo:small_*(channels=2)")
    assert done.returncode == 0
    assert sorted(targets(folder)) == [
        *("zoo:get_model('small_4', channels=2)", "zoo:get_model('small_8', channels=2)")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("nets.py:Zzz*", "no model in nets.py matches"),
        ("zzz:*", "no module named 'zzz' was found"),
        ("zzz.py:*", "zzz.py"),
        ("nets.py:*(1 + x)", "nets.py:*(1 + x): argument 1 of * is `1 + x`, which is not a literal"),
        ("nets.py:*(1", "nets.py:*(1: the parenthesis after * is not closed"),
    ],
)
def test_a_pattern_that_stands_for_nothing_is_one_clear_line(folder: Path, pattern: str, says: str) -> None:
    done = sweep(folder, pattern)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert says in line
    assert not (folder / "convlint-sweep.jsonl").exists()


def test_nothing_to_sweep_is_not_clean(folder: Path) -> None:
    done = sweep(folder)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("convlint: nothing to sweep: pass models")


@pytest.mark.slow
def test_a_pattern_that_stands_for_nothing_does_not_keep_others_from_being_run(folder: Path) -> None:
    done = sweep(folder, "nets.py:Zzz*", "nets.py:Small")
    assert done.returncode == 2
    assert targets(folder) == ["nets.py:Small"]
    assert done.stderr.count("\n") == 1


def test_a_line_is_one_line_whatever_a_model_says(folder: Path) -> None:
    (folder / "odd.py").write_text('raise ValueError("one\\ntwo \\x1b[31mred")\n')
    done = sweep(folder, "odd.py:Net")
    assert done.returncode == 2
    first, *_ = done.stdout.splitlines()
    assert "one" in first
    assert "two" in first
    assert "\x1b" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("1 / 0", "zoo.list_models() raised ZeroDivisionError: division by zero"),
        ("raise ValueError('two\\nlines')", "zoo.list_models() raised ValueError: two lines"),
        ("import sys; sys.exit(3)", "called sys.exit(3)"),
        ("return 3", "zoo.list_models() raised TypeError: 'int' object is not iterable"),
    ],
)
def test_a_registry_that_fails_is_named(folder: Path, body: str, says: str) -> None:
    (folder / "zoo.py").write_text(f"def list_models(): {body}\ndef get_model(name): pass\n")
    done = sweep(folder, "zoo:*")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert says in line


# --- what is written and told


@pytest.mark.slow
def test_a_line_is_the_report_of_a_model_without_its_layers(folder: Path) -> None:
    assert sweep(folder, "nets.py:Broken").returncode == 1
    (row,) = rows(folder)
    report = commands.command(folder, "check", "nets.py:Broken", "--input", "3,8,8", "--output-format", "json")
    whole = json.loads(report.stdout)
    del whole["models"][0]["layers"]
    for name in ("convlint", "findings", "models", "problems"):
        assert row[name] == whole[name]
    assert row["device"] == "cpu"
    assert 0 < row["seconds"] < 60
    assert row["memory"] > 50 << 20


@pytest.mark.slow
def test_each_model_is_told_and_all_are_summed_up(folder: Path) -> None:
    done = sweep(folder, "nets.py:Broken", "nets.py:Small", "nets.py:Needs", "-j", "2")
    assert done.returncode == 2
    *lines, total, kind, error, waste = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1/3", "2/3", "3/3"]
    small = next(line for line in lines if "Small" in line)
    assert "complete  112 params  3,888 MACs" in small
    assert total == "3 models: 2 complete, 1 could not be checked; see convlint-sweep.jsonl"
    assert kind.strip() == "arguments: 1"
    assert error.strip() == "CVL103: 1 in 1 model"
    assert waste.strip() == "CVL301: 1 in 1 model"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nets.py:Small"], 0),
        (["nets.py:Broken"], 1),
        (["nets.py:Broken", "--exit-zero"], 0),
        (["nets.py:Broken", "--ignore", "CVL1,CVL3"], 0),
        (["nets.py:Needs", "--exit-zero"], 2),
    ],
)
def test_it_exits_as_check_does(folder: Path, arguments: list[str], code: int) -> None:
    assert sweep(folder, *arguments).returncode == code


@pytest.mark.slow
def test_the_configured_models_are_swept_without_a_target(folder: Path) -> None:
    text = '[[models]]\ntarget = "nets.py:Small(5)"\n[[models]]\ntarget = "nets.py:Small(6)"\n'
    (folder / "convlint.toml").write_text(text)
    assert sweep(folder).returncode == 0
    assert targets(folder) == ["nets.py:Small(5)", "nets.py:Small(6)"]


@pytest.mark.slow
def test_what_takes_too_much_memory_is_run_on_the_meta_device(folder: Path) -> None:
    done = sweep(folder, "nets.py:Hoards", "--max-memory", "150MiB")
    assert done.returncode == 0
    assert "on meta" in done.stdout
    (row,) = rows(folder)
    assert row["device"] == "meta"
    assert row["models"][0]["totals"]["params"] == 112


# --- sweeps that go on


@pytest.mark.slow
def test_what_the_file_has_is_not_run_again(folder: Path) -> None:
    first = sweep(folder, "nets.py:Small", "nets.py:Broken")
    again = sweep(folder, "nets.py:Small", "nets.py:Broken", "nets.py:Small(6)")
    models = built(folder)  # Broken also with the edits that were tried as repairs of it
    assert [name for name, _ in itertools.groupby(models)] == ["Small", "Broken", "Small"]
    assert (first.returncode, again.returncode) == (1, 1)
    assert again.stdout.count("known") == 2
    assert "CVL103: 1 in 1 model" in again.stdout
    assert len(rows(folder)) == 3


@pytest.mark.slow
def test_other_questions_are_asked_anew(folder: Path) -> None:
    sweep(folder, "nets.py:Small")
    assert "known" not in sweep(folder, "nets.py:Small", "--batch-size", "2").stdout
    assert "known" not in sweep(folder, "nets.py:Small", "--train").stdout
    assert "known" not in sweep(folder, "nets.py:Small", "--ignore", "CVL3").stdout
    assert "known" in sweep(folder, "nets.py:Small").stdout  # a limit is no question
    assert "known" in sweep(folder, "nets.py:Small", "--timeout", "50", "-j", "2").stdout


@pytest.mark.slow
def test_retry_runs_what_could_not_be_checked(folder: Path) -> None:
    (folder / "slow").touch()
    assert sweep(folder, "nets.py:Slow", "nets.py:Small", "--timeout", "0.5").returncode == 2
    (folder / "slow").unlink()
    assert sweep(folder, "nets.py:Slow", "nets.py:Small").returncode == 2
    done = sweep(folder, "nets.py:Slow", "nets.py:Small", "--retry")
    assert done.returncode == 0
    assert done.stdout.count("known") == 1
    assert sweep(folder, "nets.py:Slow", "nets.py:Small").returncode == 0


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on(folder: Path) -> None:
    (folder / "slow").touch()
    process = subprocess.Popen(
        command("nets.py:Small", "nets.py:Broken", "nets.py:Slow", "nets.py:Small(7)"),
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not ((folder / "built").exists() and "Slow" in built(folder)):
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert targets(folder) == ["nets.py:Small", "nets.py:Broken"]
    (folder / "slow").unlink()
    done = sweep(folder, "nets.py:Small", "nets.py:Broken", "nets.py:Slow", "nets.py:Small(7)")
    assert done.returncode == 1
    assert done.stdout.count("known") == 2
    assert sorted(targets(folder)) == [*("nets.py:Broken", "nets.py:Slow", "nets.py:Small", "nets.py:Small(7)")]


@pytest.mark.slow
def test_half_a_line_is_cut_off(folder: Path) -> None:
    sweep(folder, "nets.py:Small", "nets.py:Small(6)")
    path = folder / "convlint-sweep.jsonl"
    whole = path.read_bytes()
    first, second = whole.splitlines(keepends=True)
    for cut in range(1, len(second), 97):
        path.write_bytes(whole[: len(first) + cut])
        done = sweep(folder, "nets.py:Small") if cut == 1 else None
        if done is not None:
            assert done.stdout.count("known") == 1
            assert path.read_bytes() == first
    path.write_bytes(whole[:-30])
    assert sweep(folder, "nets.py:Small", "nets.py:Small(6)").stdout.count("known") == 1
    assert targets(folder) == ["nets.py:Small", "nets.py:Small(6)"]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["not JSON\n", "{}\n", "[1]\n", '{"target": "x"}\n', "\xff\n"])
def test_a_file_of_something_else_is_refused_and_left(folder: Path, text: str) -> None:
    path = folder / "results.jsonl"
    path.write_bytes(text.encode("latin-1"))
    done = sweep(folder, "nets.py:Small", "--results", "results.jsonl")
    assert done.returncode == 2
    assert done.stderr.strip() == "convlint: results.jsonl, line 1: not the result of a model; pass another file"
    assert path.read_bytes() == text.encode("latin-1")


@pytest.mark.slow
def test_a_file_is_one_sweep_s_at_a_time(folder: Path) -> None:
    (folder / "slow").touch()
    process = subprocess.Popen(command("nets.py:Slow"), cwd=folder, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (folder / "built").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    done = sweep(folder, "nets.py:Small")
    (folder / "slow").unlink()
    assert process.wait() == 0
    assert done.returncode == 2
    assert done.stderr.strip() == "convlint: another sweep writes to convlint-sweep.jsonl"
    assert targets(folder) == ["nets.py:Slow"]


def test_a_disk_without_locks_is_not_another_sweep(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    path = str(folder / "results.jsonl")
    with pytest.raises(UsageError, match=r"results\.jsonl cannot be locked: No locks available"):
        list(Sweep(Config()).run(path, [], lambda _: iter(())))


def test_a_file_that_cannot_be_written_is_one_clear_line(folder: Path) -> None:
    done = sweep(folder, "nets.py:Small", "--results", "none/results.jsonl")
    assert done.returncode == 2
    assert done.stderr.strip() == ("convlint: none/results.jsonl cannot be written: No such file or directory")


def swept(path: str) -> list[object]:
    return list(Sweep(Config()).run(path, [], lambda _: iter(())))


@pytest.mark.parametrize("text", ["a note", '{"width": 8}', '{"target', "\x00" * 100])
def test_only_a_line_of_a_sweep_is_cut_off(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(text)
    if text == '{"target':
        assert swept(str(path)) == []
        assert path.read_text() == ""
    else:
        with pytest.raises(UsageError, match="line 1: not the result of a model"):
            swept(str(path))
        assert path.read_text() == text


def test_a_file_of_absurd_size_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(UsageError, match="line 1: not the result of a model"):
        swept(str(path))
    assert path.stat().st_size == 1 << 40


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_cannot_be_continued(device: str) -> None:
    with pytest.raises(UsageError, match=f"{device} cannot be continued: it is a pipe or a device"):
        swept(device)


def test_the_file_that_no_one_named_is_not_a_link_out_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, other = tmp_path / "project", tmp_path / "other"
    project.mkdir()
    monkeypatch.chdir(project)
    for name in ("convlint-sweep.jsonl", "mine.jsonl"):
        os.symlink(other, name)
    with pytest.raises(UsageError, match=f"convlint-sweep.jsonl cannot be written: it is a link to {other}"):
        swept("convlint-sweep.jsonl")
    assert not other.exists()
    swept("mine.jsonl")  # the user's own
    assert other.exists()
