"""What a terminal shows: the real command in a pseudo-terminal, its output drawn by an emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

from convlint.cli import progress
from convlint.cli.progress import Progress
from convlint.docsgen import rule_pages
from tests.support.commands import command

ROOT = Path(__file__).parents[2]
SOURCE = """\
from torch import nn


class Block(nn.Module):
    def __init__(self, inner: int, outer: int, 名前: str = "模型") -> None:
        super().__init__()
        self.a_long_name_of_a_layer, self.尺寸 = nn.Conv2d(inner, outer, 3, bias=False), nn.BatchNorm2d(inner)
        self.mix = nn.Conv2d(outer, outer, 1,
                             padding=1)

    def forward(self, x):
        return self.mix(self.尺寸(self.a_long_name_of_a_layer(x)))
"""


class Shown:
    """What came to a terminal: the bytes, and the lines that stand there in the end."""

    def __init__(self, data: bytes, columns: int, code: int) -> None:
        self.data = data.decode()
        self.code = code
        self.screen = pyte.Screen(columns, 400)
        pyte.Stream(self.screen).feed(self.data)
        self.lines = [line.rstrip() for line in self.screen.display]
        while self.lines and not self.lines[-1]:
            self.lines.pop()

    def cells(self, row: int) -> list[str]:
        """The characters of a line by column; a wide one takes two columns, of which the second is empty."""
        return [self.screen.buffer[row][column].data for column in range(self.screen.columns)]

    def color(self, row: int, text: str) -> str:
        """The colour of a text in a line, and whether it is bold, as in "red bold"."""
        cells = self.cells(row)
        starts = (n for n in range(len(cells)) if "".join(cells[n:]).startswith(text) and cells[n])
        cell = self.screen.buffer[row][next(starts)]
        return f"{cell.fg}{' bold' * cell.bold}"

    def row(self, start: str) -> int:
        """The first line that starts so."""
        return next(n for n, line in enumerate(self.lines) if line.startswith(start))

    def above(self, row: int, mark: str) -> str:
        """The characters of a line above which there are marks in the next."""
        marks = self.cells(row + 1)
        return "".join(cell for cell, below in zip(self.cells(row), marks, strict=True) if below == mark)


Terminal = Callable[..., Shown]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Runs a command line of convlint in a terminal, in a folder with ``net.py``."""
    (tmp_path / "net.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, columns: int = 80, answer: str = "", env: dict[str, str] | None = None) -> Shown:
        kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "convlint", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**kept, "TERM": "xterm-256color", **(env or {})},
            start_new_session=True,
        )
        os.close(theirs)
        if answer:
            os.write(ours, answer.encode())
        data = b"".join(_read(ours))
        os.close(ours)
        return Shown(data, columns, process.wait(60))

    return run


def _read(terminal: int) -> Iterator[bytes]:
    """What is written to a terminal, until nobody has it open."""
    until = time.monotonic() + 120
    while select.select([terminal], [], [], max(0.0, until - time.monotonic()))[0]:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # Linux says so where the other end was closed
            return
        if not data:
            return
        yield data


CHECK = ("check", "net.py", "--no-cache", "--isolated")


@pytest.mark.slow
@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(terminal: Terminal, columns: int) -> None:
    shown = terminal(*CHECK, columns=columns)
    wide = terminal(*CHECK, columns=400)
    assert shown.code == 1
    # The emulator would put what does not fit on a line of its own.
    newlines = shown.data.count("\n")
    assert len(shown.lines) == newlines
    assert _words(shown) >= _words(wide) - {"self.尺寸(self.a_long_name_of_a_layer(x))"}  # a quoted line of source


def _words(shown: Shown) -> set[str]:
    """The words of what is said, without the source."""
    prose = [line for line in shown.lines if not re.match(r" *\d* [|+-] ", line)]
    return {word for line in prose for word in line.split()}


@pytest.mark.parametrize("columns", [60, 80, 400])
def test_both_ends_are_underlined(terminal: Terminal, columns: int) -> None:
    shown = terminal(*CHECK, columns=columns)
    assert shown.above(shown.row("7 | "), "^") == "nn.BatchNorm2d(inner)"
    other = shown.row("  --> net.py:7:48: ")
    other = next(n for n in range(other, other + 3) if shown.lines[n].startswith("7 | "))
    assert shown.above(other, "-").startswith("nn.Conv2d(inner, outer")


def test_a_fix_is_a_small_diff(terminal: Terminal) -> None:
    shown = terminal(*CHECK, columns=160)
    row = shown.row("7 - ")
    assert "nn.BatchNorm2d(inner)" in shown.lines[row]
    assert shown.lines[row + 1].startswith("7 + ")
    assert "nn.BatchNorm2d(outer)" in shown.lines[row + 1]
    assert [shown.color(n, "7") for n in (row, row + 1)] == ["brightblue", "brightblue"]
    assert [shown.color(n, "self") for n in (row, row + 1)] == ["red", "green"]
    assert [shown.color(row, "inner)"), shown.color(row + 1, "outer)")] == ["red bold", "green bold"]


def test_severity_and_place_stand_out(terminal: Terminal) -> None:
    shown = terminal(*CHECK, columns=160)
    row = shown.row("net.py:7:")
    assert shown.color(row, "net.py:7") == "default bold"
    assert shown.color(row, "CVL201 warning") == "brown bold"  # what the emulator calls yellow
    assert shown.color(row, "[latent-norm-channels]") == "default"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "arguments", "colored"),
    [
        ({}, (), True),
        ({"NO_COLOR": "1"}, (), False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, (), False),
        ({"TERM": "dumb"}, (), False),
        ({"NO_COLOR": "1"}, ("--color", "always"), True),
        ({}, ("--color", "never"), False),
    ],
)
def test_who_wants_no_colours_gets_none(
    terminal: Terminal, env: dict[str, str], arguments: tuple[str, ...], colored: bool
) -> None:
    assert ("\x1b[" in terminal(*CHECK, *arguments, env=env).data) == colored


@pytest.mark.parametrize(("env", "colored"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_a_pipe_gets_colours_only_where_they_are_forced(terminal: Terminal, env: dict[str, str], colored: bool) -> None:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-m", "convlint", *CHECK]
    done = subprocess.run(command, capture_output=True, text=True, env=kept | env, check=False)
    assert ("\x1b[" in done.stdout) == colored
    assert not done.stderr


# --- progress


SLOW = """\
import time
from torch import nn


class Slow(nn.Sequential):
    def __init__(self):
        time.sleep(1.2)
        super().__init__(nn.Conv2d(3, 8, 3))


class Quick(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3))
"""
MODELS = """
models = [{ target = "slow.py:Slow", input = "3,8,8" }, { target = "slow.py:Quick", input = "3,8,8" }]
"""


@pytest.mark.slow
def test_which_model_of_how_many_is_said_and_gone_in_the_end(terminal: Terminal) -> None:
    Path("slow.py").write_text(SLOW)
    Path("convlint.toml").write_text(MODELS)
    shown = terminal("check", "-q")
    assert "convlint: model 1 of 2: running slow.py:Slow ..." in shown.data
    assert "convlint: model 2 of 2: running slow.py:Quick ..." in shown.data
    assert shown.lines == []
    assert shown.code == 0


@pytest.mark.slow
def test_nothing_is_said_of_progress_in_a_pipe(terminal: Terminal) -> None:
    Path("slow.py").write_text(SLOW)
    command = [sys.executable, "-m", "convlint", "check", "-q", "slow.py:Slow", "--input", "3,8,8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


class Screen:
    """A terminal of 40 columns that keeps what is written."""

    def __init__(self) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 40, 0, 0))
        self.stream = os.fdopen(theirs, "w", encoding="utf-8")

    def read(self) -> str:
        """What was written since it was last asked."""
        if not select.select([self.ours], [], [], 0)[0]:
            return ""
        return os.read(self.ours, 1 << 16).decode()

    def close(self) -> None:
        self.stream.close()
        os.close(self.ours)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    monkeypatch.setenv("TERM", "xterm")
    made = Screen()
    yield made
    made.close()


def test_what_is_quick_is_not_told(screen: Screen) -> None:
    told = Progress(screen.stream)
    with told.during("one thing"):
        pass
    told.step(1, 2)
    told.clear()
    assert screen.read() == ""


def test_what_comes_later_is_told_at_once(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "AFTER", 0.0)
    told = Progress(screen.stream)
    for name in ("one", "two"):
        with told.during(name):
            time.sleep(0.1)
            assert screen.read() == f"\r\x1b[Kconvlint: {name} ..."
        assert screen.read() == "\r\x1b[K"


def test_files_are_counted(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "AFTER", 0.0)
    told = Progress(screen.stream)
    told.step(0, 1234)
    told.step(1, 1234)  # so soon after the last that nobody could read both
    assert screen.read() == "\r\x1b[Kconvlint: checking file 1 of 1,234 ..."


def test_a_long_line_is_cut_so_that_it_can_be_taken_back(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "AFTER", 0.0)
    with Progress(screen.stream).during("running a/模型/" + "very_" * 20 + "long.py:Net\n(1)"):
        time.sleep(0.1)
        written = screen.read().removeprefix("\r\x1b[K")
    shown = Shown(written.encode(), 40, 0)
    assert len(shown.lines) == 1
    assert shown.lines[0].endswith("模型/very_very_ve..")


def test_a_terminal_that_takes_nothing_back_gets_lines(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "AFTER", 0.0)
    monkeypatch.setenv("TERM", "dumb")
    with Progress(screen.stream).during("one thing"):
        time.sleep(0.1)
    assert screen.read() == "convlint: one thing ...\r\n"


# --- what is interrupted

INTERRUPTED = """\
import signal, sys
from importlib.abc import MetaPathFinder

class Interrupt(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == module:
            signal.raise_signal(signal.SIGINT)

module = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupt())
from convlint.__main__ import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("convlint.cli", "check net.py:Block(2,2)"),
        ("convlint.runtime.worker.client", "check net.py:Block(2,2)"),
        ("convlint.cli.fast_path", "check net.py:Block(2,2)"),
        ("convlint.pipelines.run_models", "check net.py:Block(2,2)"),
        ("convlint.pipelines.run_models", "check net.py:Block(2,2) --timeout 9"),
        ("convlint.pipelines.run_models", "summary net.py:Block(2,2)"),
        ("convlint.static.project_models", "init"),
    ],
)
def test_an_interrupt_is_one_line_at_any_time(terminal: Terminal, module: str, line: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, module, *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "convlint: interrupted\n"


# --- what was meant


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("chek net.py", "Did you mean 'check'?"),
        ("net.py", "did you mean `convlint check net.py`?"),
        ("net.py:Block(2,2)", "did you mean `convlint check net.py:Block(2,2)`?"),
        ("check net.py --slect CVL1", "did you mean '--select'?"),
        ("check net.py --output-format josn", "--output-format 'josn' is unknown; did you mean 'json'?"),
        ("check net.py --fail-on errors", "did you mean 'error'?"),
        ("check net.py --color on", "--color 'on' is unknown; choose from auto, always, never"),
        ("check net.py --select CVL31", "did you mean 'CVL301'?"),
        ("check net.py --select latent-norm-chanels", "did you mean 'CVL201'?"),
        ("check net.py --ignore latent-norm-chanels", "did you mean 'CVL201'?"),
        ("rule CVL31", "did you mean CVL301"),
        ("rule CVL20", "did you mean CVL201 (latent-norm-channels) or CVL202"),
        ("rule latent", "did you mean CVL201 (latent-norm-channels) or CVL202"),
        ("check nte.py", "nte.py does not exist; did you mean net.py?"),
        ("check nte", "did you mean net.py?"),
        ("check pcak", "did you mean pack?"),
        ("check nett:Block(2,2)", "no module named 'nett' was found; did you mean 'net'?"),
        ("check pack.blok:Block(2,2)", "no module named 'pack.blok' was found; did you mean 'pack.block'?"),
        ("check nte.py:Block(2,2)", "nte.py does not exist; did you mean net.py?"),
        ("check net.py:Blok(2,2)", "net.py has no Blok; did you mean Block?"),
        ("summary net.py", "net.py does not name a model; did you mean net.py:Block?"),
        ("suggest net.py:Block(2,2) --kind group", "did you mean 'grouped'?"),
        ("check net.py:Block(2,2) --input 3,8,8:int46", "did you mean 'int64'?"),
    ],
)
def test_what_is_misspelt_is_named_with_what_was_meant(terminal: Terminal, line: str, hint: str) -> None:
    Path("pack").mkdir()
    for name in ("__init__", "block"):
        Path("pack", f"{name}.py").write_text("")
    done = command(Path.cwd(), *line.split())
    assert done.returncode == 2
    told = (done.stderr + done.stdout).splitlines()
    assert hint in told[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("output_format", ["concise", "grouped"])
def test_short_formats_are_colored_and_end_with_the_counts(terminal: Terminal, output_format: str) -> None:
    shown = terminal(*CHECK, "--output-format", output_format, columns=160)
    row = next(n for n, line in enumerate(shown.lines) if "warning" in line)
    assert shown.color(row, "warning") == "brown bold"
    assert shown.color(shown.row("Found "), "Found") == "brown bold"


def test_the_page_of_a_rule_is_rendered(terminal: Terminal) -> None:
    shown = terminal("rule", "CVL301", columns=90)
    assert shown.color(shown.row("Use instead"), "Use instead") == "default bold"
    assert not any(line.startswith(("#", "```")) for line in shown.lines)
    assert max(map(len, shown.lines)) <= 90
    colors = {shown.screen.buffer[row][column].fg for row in range(len(shown.lines)) for column in range(90)}
    assert "blue" not in colors  # unreadable on black


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_list_of_rules_breaks_no_word(terminal: Terminal, columns: int) -> None:
    shown = terminal("rule", columns=columns)
    assert " ".join(" ".join(shown.lines).split()) == " ".join(rule_pages.listing().split())
    assert sum(line.startswith("CVL") for line in shown.lines) == len(rule_pages.listing().splitlines())
