"""How the time and memory of static mode grow with a program: ``python -m bench.growth [SHAPE]...``.

Each shape of ``bench/growth_shapes.py`` is doubled until a check takes 2 s of processor time, or 10 s if it has errors:
these have 3 s for trials of repairs, or four times that of the check. The exponent is that of the last doublings: 1 is
linear, 2 quadratic; one below 1 means that a limit was reached. The time is that of the whole command, without that for
a program of one line, and the size that of the text, or the number in it.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import growth_flows, growth_structures  # noqa: F401 - they add shapes
from bench.growth_shapes import HEAD, SHAPES, files_of
from bench.markdown import table

SLOW = 2.0  # seconds of processor time at which a shape is no longer doubled
SLOW_WITH_ERRORS = 10.0
LONG = 0.1  # seconds from which a run counts
LONGEST = 60  # seconds, after which a check is killed
LARGEST = 1 << 23  # of a size, if it takes no time
MOST_BYTES = 10_000_000  # of the text
STEEPEST = 1.3
MOST_MEMORY = 4 << 30
CODES = {0: "clean", 1: "findings", 2: "not all checked", -9: "killed"}


@dataclass(frozen=True)
class Measured:
    """One check: the size of the program, processor seconds, megabytes, and the exit status."""

    size: int
    text: int
    seconds: float
    megabytes: float
    status: int


def check(files: dict[str, str]) -> tuple[float, float, int]:
    """Check files in a new process: its processor seconds, megabytes and exit status."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        command = [sys.executable, "-P", "-m", "convlint", "check", ".", "--no-cache"]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        resource.prlimit(process.pid, resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (LONGEST, LONGEST))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode


def doubled(name: str, idle: float, start: int = 8) -> Iterator[Measured]:
    """Check a shape with sizes that double until it is slow; some of those that take no time are skipped."""

    def measured(size: int) -> Measured:
        files = files_of(name, size)
        seconds, megabytes, status = check(files)
        return Measured(size, sum(map(len, files.values())), max(seconds - idle, 0.001), megabytes, status)

    size, factor = start, 1
    while size <= LARGEST and sum(map(len, files_of(name, size).values())) <= MOST_BYTES:
        last = measured(size)
        if factor == 8 and last.seconds > LONG:  # those that were skipped may have taken long already
            yield from (measured(size // 4), measured(size // 2))
        yield last
        if last.seconds > (SLOW_WITH_ERRORS if last.status else SLOW) or last.status not in (0, 1, 2):
            return
        factor = 2 if last.seconds > LONG else 8
        size *= factor


def exponent(runs: Sequence[Measured]) -> float:
    """The exponent of the time, over the last three steps that took more than a tenth of a second."""
    long = [run for run in runs if run.seconds > LONG][-3:]
    if len(long) < 2:
        return 0.0
    return math.log2(long[-1].seconds / long[0].seconds) / math.log2(long[-1].size / long[0].size)


def main() -> None:
    """Measure the shapes whose names are given, or all, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help="names or parts of names")
    asked = parser.parse_args().shapes
    names = [name for name in SHAPES if not asked or any(part in name for part in asked)]
    idle = min(check({"net.py": HEAD})[0] for _ in range(3))
    rows, steepest = [], 0.0
    for name in names:
        began, runs = time.perf_counter(), list(doubled(name, idle))
        last, power = runs[-1], exponent(runs)
        steepest = max(steepest, power)
        row = [name, f"{power:.2f}", f"{last.size:,}", f"{last.text / 1000:,.0f}", f"{last.seconds:.2f}",
               f"{last.megabytes:,.0f}", CODES.get(last.status, str(last.status))]  # fmt: skip
        rows.append(row)
        print(f"{' | '.join(row)}  ({time.perf_counter() - began:.0f} s)", file=sys.stderr, flush=True)
    print(table(["shape", ">exponent", ">size", ">text, kB", ">seconds", ">memory, MB", "answer"], rows))
    sys.exit(steepest > STEEPEST)


if __name__ == "__main__":
    main()
