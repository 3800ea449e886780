"""Measure the time of static analysis as ratios within one run: ``python -m bench.source [--write]``.

Whole processes over the model files of torchvision and timm: Python's own parser, convlint without and with its
cache, flake8, TorchFix and pylint, the last three in separate environments. They take turns in every round. Times are
processor time, which other work on the machine changes little; every process has one thread. ``--own`` omits the
other linters.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import sections
from bench.corpus import PARTS, copied, versions
from bench.markdown import table
from convlint.static import Project, report
from convlint.static.exploration import entry_points, explore

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
ONE_FILE = ROOT / "bench" / "hundred_lines.py"
PARSE = "import ast, sys\nfor file in sys.argv[1:]: ast.parse(open(file, 'rb').read())"
PARSE_ALL = "import ast, sys; trees = [ast.parse(open(file, 'rb').read()) for file in sys.argv[1:]]"
OTHERS = {
    "flake8": ("flake8==7.5.0", "flake8", "--isolated", "--jobs=1"),
    "TorchFix": ("TorchFix==0.7.0", "torchfix"),
    "pylint": ("pylint==4.1.4", "pylint", "--jobs=1"),
}
"""Package and command of each other linter."""
MB = 2**20


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor time of a process in seconds, and its peak memory in bytes."""

    seconds: float
    peak: int


def spend(command: Sequence[str], folder: Path) -> Spent:
    """Run a linter in a folder. With findings it exits with a code below 32; convlint exits with 2 if something
    could not be checked.

    Compiled modules are kept next to the folder, as for every installed program.
    """
    kept = {"PYTHONPYCACHEPREFIX": str(folder.parent / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **kept}, stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    is_ours = "convlint" in command
    if not 0 <= process.returncode < (2 if is_ours else 32) or "Traceback (most" in said:
        raise RuntimeError(f"{command[:4]} ended with {process.returncode}:\n{said[-2000:]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Spent(used.ru_utime + used.ru_stime, used.ru_maxrss * unit)


def medians(commands: Mapping[str, Sequence[str]], folder: Path, rounds: int) -> dict[str, Spent]:
    """Return the median cost of each command over rounds in which they take turns."""
    spent: dict[str, list[Spent]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            spent[name].append(spend(command, folder))
    return {
        name: Spent(median(one.seconds for one in all_), int(median(one.peak for one in all_)))
        for name, all_ in spent.items()
    }


# --- the commands


def convlint(*arguments: str) -> list[str]:
    """Return the command for a check in one process that ignores configuration."""
    return [sys.executable, "-m", "convlint", "check", "--isolated", "--jobs=1", *arguments]


def of_all(files: Sequence[str], folder: Path) -> dict[str, Sequence[str]]:
    """Return the commands over all model files in a folder, and fill the cache."""
    with_cache = convlint("--cache-dir", str(folder.parent / "cache"), *PARTS)
    spend(with_cache, folder)
    return {
        "`ast.parse`": [sys.executable, "-c", PARSE, *files],
        "`ast.parse`, all trees kept": [sys.executable, "-c", PARSE_ALL, *files],
        "convlint": convlint("--no-cache", *PARTS),
        "convlint, second run": with_cache,
    }


def of_others(folder: Path) -> dict[str, Sequence[str]]:
    """Return the commands of the other linters over all model files, each in a separate environment."""
    found: dict[str, Sequence[str]] = {}
    for name, (package, program, *options) in OTHERS.items():
        place = folder.parent / name
        venv.create(place, with_pip=True)
        installed = place / "bin"
        subprocess.run([installed / "pip", "install", "-q", package], check=True)
        found[name] = [str(installed / program), *options, *PARTS]
        spend([*found[name][: -len(PARTS)], str(ONE_FILE)], folder)  # compiles the linter
    return found


def of_one(file: Path) -> dict[str, Sequence[str]]:
    """Return the commands over one file, for which most of the time is the start of Python."""
    return {"`python -c pass`": [sys.executable, "-c", "pass"], "convlint": convlint("--no-cache", str(file))}


def pieces(files: Iterable[str], folder: Path) -> list[tuple[float, str]]:
    """Return the seconds that each class, function and top level took, the longest first: once each in this
    process, as in a check of all files. Garbage collection is off, because its time would count for an
    arbitrary one.
    """
    project = Project(str(folder))
    found = []
    gc.disable()
    try:
        for file in files:
            module = project.load(str(folder / file))
            assert module is not None, f"{file} cannot be read"
            for entry_point in entry_points.find_entry_points(project, module):
                start = time.process_time()
                list(report.findings(project, explore.exploration(project, entry_point)))
                name = f"`{entry_point.name}`" if entry_point.name else "the top level"
                found.append((time.process_time() - start, f"{name} in {file}"))
    finally:
        gc.enable()
    return sorted(found, reverse=True)


# --- the page


SECTION = """## Static analysis of files

Written by `python -m bench.source --write`. Processor time of whole processes with one thread each,
including the start of Python; medians of {rounds} rounds in which the commands take turns.

The model files of {versions}: {files} files, {lines} lines. convlint checks **{speed} lines per second**
without its cache; a second run with the cache takes **{again}** of the time.

{whole}

One file of 100 lines, `bench/hundred_lines.py`, without the cache:

{one}

The slowest of {pieces} classes and functions, without garbage collection:

{longest}
"""


def section(
    whole: Mapping[str, Spent],
    one: Mapping[str, Spent],
    longest: Sequence[tuple[float, str]],
    files: Mapping[str, str],
    rounds: int,
) -> str:
    """Return the section of the page. ``files`` are the texts of the checked files."""
    lines = sum(text.count("\n") for text in files.values())
    cold = whole["convlint"].seconds
    return SECTION.format(
        rounds=rounds,
        versions=versions(),
        files=len(files),
        lines=f"{lines:,}",
        speed=f"{lines / cold:,.0f}",
        again=f"1/{cold / whole['convlint, second run'].seconds:.0f}",
        whole=_processes(whole, 1, peaks=True),
        one=_processes(one, 3, peaks=False),
        pieces=f"{len(longest):,}",
        longest=table((">seconds", "class or function"), [(f"{seconds:.2f}", name) for seconds, name in longest[:5]]),
    )


def _processes(spent: Mapping[str, Spent], digits: int, *, peaks: bool) -> str:
    first = next(iter(spent))
    columns = ["process", ">seconds", f">times {first}"]
    rows = [
        [name, f"{one.seconds:.{digits}f}", f"{one.seconds / spent[first].seconds:.1f}"] for name, one in spent.items()
    ]
    if peaks:  # the peak of a child is at least that of this process, which starts it
        columns.append(">peak MB")
        for row, one in zip(rows, spent.values(), strict=True):
            row.append(str(one.peak // MB))
    return table(columns, rows)


def measure(rounds: int, *, others: bool) -> str:
    """Measure all, and return the section."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "sources")
        files = copied(folder)
        commands = of_all(files, folder) | (of_others(folder) if others else {})
        return section(
            medians(commands, folder, rounds),
            medians(of_one(ONE_FILE), folder, 7 * rounds),
            pieces(files, folder),
            {file: (folder / file).read_text(encoding="utf-8") for file in files},
            rounds,
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.source", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--own", action="store_true", help="leave the other linters out")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    text = measure(options.rounds, others=not options.own)
    print(text)
    if options.write:
        sections.record(PAGE, text, "source")


if __name__ == "__main__":
    main()
