"""Run what the documentation shows, and write what comes out: ``python -m bench.blocks [--write [--afresh]] [PAGE]...``

Each page has a folder of its own, with the example project of fixtures/example in it and all models below fixtures/.
Its blocks are run there from top to bottom:

- ``console``: each line behind ``$`` is run by bash, and what it prints stands below it
- ``sh``: each line is run, and what it prints is not looked at
- ``python``: is run
- ``toml``, ``yaml``, ``json``: is read

``--write`` puts what came out into the pages, ``--afresh`` also where it only varies, as times do. Without them what is
stale is told, and the exit code is 1.
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
"""Pages of which other tests run the examples, and that are generated from them."""
FOLDER = "/home/you/project"
"""What the folder of a page is called where an output names it."""
SECONDS = 120


@dataclass(frozen=True)
class Outcome:
    """What came out when a block was run."""

    block: Block
    text: str
    """What the block should read."""
    problems: tuple[str, ...] = ()
    """What went wrong, each with what to do."""

    @property
    def stale(self) -> bool:
        """Whether the page shows something else, and not only other times."""
        return _steady(self.text, self.block) != _steady(self.block.text, self.block)


@functools.cache
def played(page: Path) -> tuple[Outcome, ...]:
    """All blocks of a page, run once in this process."""
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
    """What does not parse."""
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
    """Whatever changes in the folder is as it was afterwards."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "copy"
        shutil.copytree(folder, copy)
        yield
        shutil.rmtree(folder)
        shutil.copytree(copy, folder)


def _steady(text: str, block: Block) -> str:
    """``text`` with one sign for whatever is different at each run."""
    for pattern in block.options.varies:
        text = re.sub(pattern, "~", text)
    return text


@dataclass(frozen=True)
class Command:
    """One command of a block."""

    lines: tuple[str, ...]
    """As the page has them."""
    text: str
    """As bash gets it."""
    output: tuple[str, ...]
    """What the page shows below it."""
    skipped: bool
    endless: bool


def _commands(block: Block) -> Iterator[Command]:
    """The commands of a shell block. What goes on in the next line ends in a backslash."""
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
    """The exit code and all that is printed. One that does not end by itself is interrupted once it has
    printed a line, and counts as having ended well.
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
    """The text of ``page`` with what came out in the place of what is stale, or of all that was shown."""
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    for outcome in reversed([*outcomes]):
        if outcome.stale or afresh:
            start, stop = outcome.block.span
            lines[start:stop] = [f"{outcome.block.indent}{line}".rstrip() + "\n" for line in outcome.text.splitlines()]
    return "".join(lines)


def main() -> int:
    """Run the pages that are named, or all; write them, or say what is stale."""
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
