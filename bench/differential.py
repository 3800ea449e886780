"""Compare static analysis with PyTorch on random programs: ``python -m bench.differential --count 5000``.

PyTorch runs each program, and convlint checks its source. A program that runs must not get an error of the 1xx
family. If PyTorch fails, a finding must be on a line of its traceback, on the line of the changed number, or where
the failing layer was built. Where the default of a parameter was changed and the program passes another number,
PyTorch runs the class with its defaults, too. ``--show SEED`` prints one program with both results.
"""

from __future__ import annotations

import argparse
import ast
import multiprocessing
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from bench import sections
from bench.markdown import table
from convlint.ir import Finding
from tests.programs.generator import Outcome, Program, random_program, run_with_pytorch

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "differential.md"
AT_A_TIME = 50

STATES = ("silent", "false alarm", "found", "misplaced", "missed", "not about shapes", "crash")
"""Possible results of a program; the first two are for programs that run."""

OTHER_MATTERS = frozenset({"CVL202", "CVL205", "CVL206"})
"""Codes that never explain why a program fails."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The part of a finding that the comparison needs."""

    code: str
    severity: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.line}: {self.code} {self.severity}: {self.message}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The results of PyTorch and convlint for one program."""

    seed: int
    program: Program
    outcome: Outcome
    alarms: tuple[Alarm, ...]
    seconds: float
    crash: str = ""

    @property
    def places(self) -> set[int]:
        """Lines where a finding counts as correct."""
        changed = {self.program.line} if self.program.line else set()
        return {*self.outcome.lines, *self.outcome.built, *changed}

    @property
    def state(self) -> str:
        """One of ``STATES``."""
        if self.crash:
            return "crash"
        if self.outcome.ran:
            wrong = any(a.code[:4] == "CVL1" and a.severity == "error" for a in self.alarms)
            return "false alarm" if wrong else "silent"
        if not self.outcome.is_decidable:
            return "not about shapes"
        answers = [alarm for alarm in self.alarms if alarm.code not in OTHER_MATTERS]
        if any(alarm.line in self.places for alarm in answers):
            return "found"
        return "misplaced" if answers else "missed"

    def __str__(self) -> str:
        out = self.outcome
        said = f"{out.error}: {out.message}" if out.error else "runs"
        return "\n".join(
            [
                f"{self.state}: seed {self.seed}, {self.program.description}",
                f"  changed line {self.program.line}, traceback {out.lines}, built {out.built}",
                f"  {said}",
                *(f"  {alarm}" for alarm in self.alarms),
                *self.crash.splitlines()[-6:],
            ]
        )


def judge(seed: int, program: Program | None = None) -> Verdict:
    """Run the program of a seed with PyTorch, and check its source."""
    program = program or random_program(seed)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_with_pytorch(program, folder)
        if outcome.ran and program.mutation.startswith("default"):
            outcome = run_with_pytorch(with_defaults(program))
        start = time.perf_counter()
        try:
            findings, crash = _findings(program, folder), ""
        except Exception:  # noqa: BLE001  it is a row of the table
            findings, crash = (), traceback.format_exc()
        seconds = time.perf_counter() - start
    alarms = [
        Alarm(found.code, found.severity, found.site.line, found.message)
        for found in findings
        if found.site is not None and found.code[:4] in {"CVL1", "CVL2"}
    ]
    return Verdict(seed, program, outcome, tuple(alarms), seconds, crash)


def with_defaults(program: Program) -> Program:
    """Return the program with each call of its main part that builds a class without arguments, where that works."""
    tree = ast.parse(program.source)
    plain = {each.name for each in tree.body if isinstance(each, ast.ClassDef) and _needs_no_arguments(each)}
    main = [each for each in tree.body if not isinstance(each, ast.ClassDef)]
    lines = program.source.splitlines(keepends=True)
    for call in (node for part in main for node in ast.walk(part) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id in plain and call.lineno == call.end_lineno:
            line = lines[call.lineno - 1]
            lines[call.lineno - 1] = f"{line[: call.func.end_col_offset]}(){line[call.end_col_offset :]}"
    return replace(program, source="".join(lines))


def _needs_no_arguments(cls: ast.ClassDef) -> bool:
    made = [each for each in cls.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    return all(len(each.args.defaults) == len(each.args.args) - 1 for each in made)


def _findings(program: Program, folder: str) -> tuple[Finding, ...]:
    from convlint import static

    path = str(Path(folder) / "program.py")
    return static.check_file(path, program.source.encode(), static.Project(folder)).findings


def judge_all(seeds: Iterable[int]) -> list[Verdict]:
    """Return the verdicts for some seeds, in this process."""
    import torch

    torch.set_num_threads(1)
    return [judge(seed) for seed in seeds]


def measure(count: int, seed: int, workers: int = 2) -> Iterator[Verdict]:
    """Yield the verdicts of ``count`` programs, from several processes."""
    ranges = [range(first, min(first + AT_A_TIME, seed + count)) for first in range(seed, seed + count, AT_A_TIME)]
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for verdicts in pool.map(judge_all, ranges):
            yield from verdicts


def counts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Count the programs by result."""
    found = dict.fromkeys(STATES, 0)
    for verdict in verdicts:
        found[verdict.state] += 1
    return found


def recall(verdicts: Iterable[Verdict]) -> float:
    """Return the share of shape and channel errors that were found at a correct line."""
    found = counts(verdicts)
    asked = found["found"] + found["misplaced"] + found["missed"]
    return found["found"] / asked if asked else 1.0


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return the tables of all programs, by kind of change and by style."""
    kinds = sorted({v.program.mutation for v in verdicts})
    styles = sorted({style for v in verdicts for style in v.program.styles})
    by_kind = [(kind or "(none)", [v for v in verdicts if v.program.mutation == kind]) for kind in kinds]
    by_style = [(style, [v for v in verdicts if style in v.program.styles]) for style in styles]
    slowest = max(verdicts, key=lambda verdict: verdict.seconds)
    times = sorted(verdict.seconds for verdict in verdicts)
    median = times[len(times) // 2] * 1000
    speed = f"median {median:.1f} ms, slowest {slowest.seconds:.2f} s (seed {slowest.seed})"
    parts = [
        _table("all", [("all", list(verdicts))]),
        _table("changed number", by_kind),
        _table("style", by_style),
        f"Static analysis of one program: {speed}",
    ]
    return "\n\n".join(parts)


def _table(title: str, groups: Sequence[tuple[str, Sequence[Verdict]]]) -> str:
    columns = (title, ">programs", *(f">{state}" for state in STATES), ">recall")
    rows = [(name, len(members), *counts(members).values(), f"{recall(members):.1%}") for name, members in groups]
    return table(columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.differential", description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="programs")
    parser.add_argument("--seed", type=int, default=0, help="of the first one")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--first", type=int, default=5, help="so many of each bad state are printed")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--show", type=int, metavar="SEED", help="one program, with what both say")
    options = parser.parse_args()
    if options.show is not None:
        (verdict,) = judge_all([options.show])
        for number, line in enumerate(verdict.program.source.splitlines(), 1):
            print(f"{number:4} {line}")
        print(verdict)
        return
    verdicts = list(measure(options.count, options.seed, options.workers))
    for state in ("crash", "false alarm", "missed", "misplaced"):
        for verdict in [v for v in verdicts if v.state == state][: options.first]:
            print(verdict, end="\n\n")
    print(summary(verdicts))
    if options.write:
        sections.record(PAGE, _page(verdicts, options.count, options.seed))


def _page(verdicts: Sequence[Verdict], programs: int, seed: int) -> str:
    return (
        "# Static analysis compared with PyTorch\n\n"
        f"Written by `python -m bench.differential --count {programs} --seed {seed} --write`.\n\n"
        "Random small convolutional programs in common coding styles, some valid and some with one number\n"
        "changed. PyTorch runs each program; convlint checks its source. A *false alarm* is an error of\n"
        "the 1xx family on a program that runs. *Found* is a finding on a line of PyTorch's traceback,\n"
        "on the line of the changed number, or where the failing layer was built. *Misplaced* is a finding\n"
        "elsewhere: mostly the vote blames the other end, which is listed with the finding.\n\n"
        f"{summary(verdicts)}\n"
    )


if __name__ == "__main__":
    main()
