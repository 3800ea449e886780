"""``--watch``: again whenever a file changes, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest

from convlint.cli import watch
from convlint.settings.config import Config


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("x = 1\n")
    return tmp_path


class Watched:
    """A ``convlint check --watch`` in a process of its own, and the lines that it prints."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "convlint", "check", ".", "--watch", "--no-cache"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self.lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def until(self, text: str, seconds: float = 20) -> list[str]:
        """The lines up to one that holds a text."""
        end, found = time.monotonic() + seconds, []
        while time.monotonic() < end:
            try:
                found.append(self.lines.get(timeout=0.1))
            except Empty:
                continue
            if text in found[-1]:
                return found
        raise AssertionError(f"{text!r} did not come; {found}")


@pytest.fixture
def watched() -> Iterator[Watched]:
    one = Watched()
    yield one
    one.process.kill()
    one.process.wait()
    assert one.process.stdout is not None
    one.process.stdout.close()


def test_a_change_is_checked_and_ctrl_c_ends_it(watched: Watched, here: Path) -> None:
    assert "No findings in 1 file." in watched.until("Ctrl-C ends")
    (here / "net.py").write_text("x = (\n")
    assert any("net.py:1:" in line and "CVL901" in line for line in watched.until("Ctrl-C ends"))
    (here / "net.py").write_text("x = 2\n")
    (here / "more.py").write_text("y = 2\n")
    watched.until("No findings in 2 files.")
    watched.process.send_signal(signal.SIGINT)
    assert watched.process.wait(timeout=20) == 0
    time.sleep(0.1)
    left = []
    while not watched.lines.empty():
        left.append(watched.lines.get())
    assert not any("Traceback" in line or "interrupted" in line for line in left)


@pytest.mark.parametrize(
    "change",
    [
        lambda: Path("net.py").write_text("x = 22\n"),
        lambda: os.utime("net.py", (5, 5)),
        lambda: Path("net.py").unlink(),
        lambda: Path("new.py").write_text(""),
        lambda: Path("convlint.toml").write_text("ignore = []"),
    ],
    ids=["text", "time", "gone", "new", "settings"],
)
def test_what_counts_as_a_change(change: object, here: Path) -> None:
    Path("convlint.toml").touch()
    config = Config(path=str(here / "convlint.toml"))
    before = watch.snapshot(["."], config)
    assert watch.snapshot(["."], config) == before
    assert callable(change)
    change()
    assert watch.snapshot(["."], config) != before


def test_other_files_do_not_matter(here: Path) -> None:
    before = watch.snapshot(["."], Config())
    (here / "notes.txt").write_text("no Python")
    (here / ".venv").mkdir()
    (here / ".venv" / "x.py").write_text("")
    assert watch.snapshot(["."], Config()) == before


def test_a_changed_setting_is_read_again(here: Path, watched: Watched) -> None:
    watched.until("Ctrl-C ends")
    (here / "net.py").write_text("x = (\n")
    watched.until("Ctrl-C ends")
    watched.process.send_signal(signal.SIGINT)
    assert watched.process.wait(timeout=20) == 0
