"""Run the blocks of the documentation and update their output: ``python -m bench.blocks [--write [--afresh]]
[PAGE]...``

Each page gets a folder with the example project of fixtures/example and all models in fixtures/. Its blocks are run
there from top to bottom:

- ``console``: run each line after ``$`` with bash; its output follows
- ``sh``: run each line and ignore its output
- ``python``: run
- ``toml``, ``yaml``, ``json``: parse

``--write`` updates the output in the pages, ``--afresh`` also output that differs between runs, such as times.
Without ``--write`` the command reports stale blocks and exits with 1.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.prose import ROOT, Block, blocks, pages

SHELL = {"sh", "console"}
PYTHON = {"python"}
READ = {"toml": tomllib.loads, "yaml": yaml.safe_load, "json": json.loads}
GENERATED = ROOT / "docs" / "rules"
"""Generated pages; other tests run their examples."""
FOLDER = "/home/you/project"
"""Name of a page's folder in the output."""
SECONDS = 120


@dataclass(frozen=True)
class Outcome:
    """The result of running a block."""

    block: Block
    text: str
    """The up-to-date text of the block."""
    problems: tuple[str, ...] = ()
    """Errors, each with the correction to make."""

    @property
    def stale(self) -> bool:
        """Whether the page differs from the result by more than times and other varying output."""
        return _steady(self.text, self.block) != _steady(self.block.text, self.block)


@functools.cache
def played(page: Path) -> tuple[Outcome, ...]:
    """Return the results of all blocks of a page, which runs once per process."""
    if page.is_relative_to(GENERATED):
        return ()
    with tempfile.TemporaryDirectory(prefix="convlint-docs-") as name:
        folder = Path(name).resolve()
        shutil.copytree(ROOT / "fixtures", folder / "fixtures", ignore=_UNWANTED)
        shutil.copytree(ROOT / "fixtures" / "example", folder, ignore=_UNWANTED, dirs_exist_ok=True)
        return tuple(_play(block, folder) for block in blocks(page))


_UNWANTED = shutil.ignore_patterns("__pycache__", ".convlint_cache")


def _play(block: Block, folder: Path) -> Outcome:
    options = block.options
    for name, source in options.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, folder / name)
    if options.save:
        (folder / options.save).parent.mkdir(parents=True, exist_ok=True)
        (folder / options.save).write_text(block.text, encoding="utf-8")
    problems = [*_unreadable(block)]
    if problems or (isinstance(options.skip, str) and options.skip):
        return Outcome(block, block.text, tuple(problems))
    if block.language in SHELL:
        return _shell(block, folder)
    if block.language in PYTHON and not options.save:
        source = f"{options.before}\n{block.text}"
        code, output = _run([sys.executable, "-c", source], folder)
        if code not in options.exit:
            problems.append(f"{block.place}: the Python code exits with {code}:\n{output}")
    return Outcome(block, block.text, tuple(problems))


def _unreadable(block: Block) -> Iterator[str]:
    """Yield errors of blocks that cannot be parsed."""
    if block.language == "console" and not block.text.startswith("$ "):
        yield f"{block.place}: a console block begins with `$ ` and a command"
    try:
        if block.language in PYTHON:
            compile(block.text, block.place, "exec")
        elif block.language in READ:
            READ[block.language](block.text)
    except (SyntaxError, ValueError, yaml.YAMLError) as error:
        yield f"{block.place}: this is no {block.language}: {error}"


def _shell(block: Block, folder: Path) -> Outcome:
    problems: list[str] = []
    if block.options.before:
        code, output = _run(["bash", "-ec", block.options.before], folder)
        if code:
            problems.append(f"{block.place}: what comes before it exits with {code}:\n{output}")
    shown: list[str] = []
    for command in _commands(block):
        shown += command.lines
        if command.skipped:
            shown += command.output
            continue
        with _kept(folder) if block.options.alternatives else contextlib.nullcontext():
            code, output = _run(["bash", "-c", command.text], folder, endless=command.endless)
        shown += output.splitlines()
        if code not in block.options.exit:
            problems.append(
                f"{block.place}: `{command.text}` exits with {code}, and the options of the block say "
                f"{' or '.join(map(str, block.options.exit))}:\n{output}"
            )
    text = "".join(f"{line.rstrip()}\n" for line in shown)
    return Outcome(block, text if block.language == "console" else block.text, tuple(problems))


@contextlib.contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Restore the folder afterwards."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "copy"
        shutil.copytree(folder, copy)
        yield
        shutil.rmtree(folder)
        shutil.copytree(copy, folder)


def _steady(text: str, block: Block) -> str:
    """Return ``text`` with a placeholder for output that differs between runs."""
    for pattern in block.options.varies:
        text = re.sub(pattern, "~", text)
    return text


@dataclass(frozen=True)
class Command:
    """One command of a block."""

    lines: tuple[str, ...]
    """The command as written in the page."""
    text: str
    """The command passed to bash."""
    output: tuple[str, ...]
    """The output in the page."""
    skipped: bool
    endless: bool


def _commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a shell block. A backslash at the end of a line continues a command."""
    lines = block.text.splitlines()
    while lines:
        written = [lines.pop(0)]
        while written[-1].endswith("\\") and lines:
            written.append(lines.pop(0))
        output: list[str] = []
        text = "\n".join(written)
        if block.language == "console":
            text = text.removeprefix("$ ")
            while lines and not lines[0].startswith("$ "):
                output.append(lines.pop(0))
        skip = block.options.skip
        yield Command(
            lines=tuple(written),
            text=text,
            output=tuple(output),
            skipped=not text.strip() or (not isinstance(skip, str) and _begins(text, skip)),
            endless=_begins(text, block.options.endless),
        )


def _begins(text: str, beginnings: Iterable[str]) -> bool:
    return any(text.startswith(beginning) for beginning in beginnings)


def _run(command: list[str], folder: Path, *, endless: bool = False) -> tuple[int, str]:
    """Return the exit code and the output. An ``endless`` command is interrupted after its first line of output
    and counts as successful.
    """
    settings = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "COLUMNS": "100",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with subprocess.Popen(
        command,
        cwd=folder,
        env=settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        first = ""
        printed = process.stdout
        if endless and printed and select.select([printed], [], [], SECONDS)[0]:
            first = printed.readline()
            os.killpg(process.pid, signal.SIGINT)
        try:
            rest, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            rest, _ = process.communicate()
            return 124, f"{first}{rest}\nit took more than {SECONDS} s"
    return 0 if endless else process.returncode, (first + rest).replace(str(folder), FOLDER)


def written(page: Path, outcomes: Iterable[Outcome], *, afresh: bool = False) -> str:
    """Return the text of ``page`` with updated output, of stale blocks only or of all."""
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    for outcome in reversed([*outcomes]):
        if outcome.stale or afresh:
            start, stop = outcome.block.span
            lines[start:stop] = [f"{outcome.block.indent}{line}".rstrip() + "\n" for line in outcome.text.splitlines()]
    return "".join(lines)


def main() -> int:
    """Run the given pages, or all; write them, or report stale blocks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE", type=Path)
    parser.add_argument("--write", action="store_true", help="put what came out into the pages")
    parser.add_argument("--afresh", action="store_true", help="and what only varies")
    asked = parser.parse_args()
    failed = False
    for page in [path.resolve() for path in asked.pages] or pages():
        outcomes = played(page)
        for outcome in outcomes:
            for problem in outcome.problems:
                print(problem)
            if outcome.stale and not asked.write:
                print(f"{outcome.block.place}: stale; `python -m bench.blocks --write` writes it")
            failed |= bool(outcome.problems) or (outcome.stale and not asked.write)
        text = written(page, outcomes, afresh=asked.afresh)
        if asked.write and text != page.read_text(encoding="utf-8"):
            page.write_text(text, encoding="utf-8")
            print(f"wrote {os.path.relpath(page, ROOT)}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
