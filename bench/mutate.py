"""Plant three mistakes in a model and count how many are found: ``python -m bench.mutate [--write]``.

A mutant is kept only if each of its three changes alone makes PyTorch fail, and if they are three independent
mistakes. With several of them in place, PyTorch's first error must be one that a single change causes, and changing
another number in the same way must not repair two of them: a norm and the following layer that were both doubled are
one mistake, in the layer before them. PyTorch reports one mistake at a time; convlint must report all three in one
run.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

from bench import children, mutator, sections
from bench.markdown import table
from bench.mutator import FAMILIES, Edit, Family
from convlint.ir import Site

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "recovery.md"
AT_A_TIME = 3

Place = tuple[str, int]  # file name and line


@dataclass(frozen=True)
class Found:
    """The part of a finding that the score needs."""

    code: str
    primary: Place | None
    related: tuple[Place, ...]

    @property
    def ends(self) -> set[Place | None]:
        return {self.primary, *self.related}


@dataclass(frozen=True)
class Score:
    """The score of one mutant. Counts are numbers of edits."""

    family: str
    edits: tuple[Edit, ...]
    found: tuple[Found, ...] = ()
    crash: str = ""

    def place(self, edit: Edit) -> Place:
        return f"{self.family}.py", edit.call_line

    @property
    def first(self) -> int:
        """Number of edits whose line is the location of a finding."""
        places = {found.primary for found in self.found}
        return sum(self.place(edit) in places for edit in self.edits)

    @property
    def named(self) -> int:
        """Number of edits whose line is either end of a finding."""
        places = {place for found in self.found for place in found.ends}
        return sum(self.place(edit) in places for edit in self.edits)

    @property
    def reported(self) -> int:
        """Number of edits that get a finding of their own: the largest matching."""
        taken: dict[int, Edit] = {}

        def assign(edit: Edit, tried: set[int]) -> bool:
            for number, found in enumerate(self.found):
                if number not in tried and self.place(edit) in found.ends:
                    tried.add(number)
                    if number not in taken or assign(taken[number], tried):
                        taken[number] = edit
                        return True
            return False

        return sum(assign(edit, set()) for edit in self.edits)


def mutants(family: Family, count: int, seed: int) -> Iterator[tuple[Edit, ...]]:
    """Yield triples of independent edits at distinct calls, each of which alone makes PyTorch fail."""
    random = Random(f"{family.file} {seed}")
    source = mutator.original(family)
    pool = [edit for _ in range(3) for edit in mutator.edits(source, random)]
    counts = {change: _counts_changed(source, change) for change in mutator.CHANGES}
    known: dict[tuple[Edit, ...], str | None] = {}

    def complaint(edits: tuple[Edit, ...]) -> str | None:
        if edits not in known:
            known[edits] = failure(family, edits)
        return known[edits]

    def independent(edits: tuple[Edit, ...]) -> bool:
        alone = [complaint((edit,)) for edit in edits]
        several = [*combinations(edits, 2), edits]
        if None in alone or any(complaint(some) not in alone for some in several):
            return False
        return not any(one_mistake(*pair) for pair in combinations(edits, 2))

    def one_mistake(one: Edit, other: Edit) -> bool:
        """Whether changing another number in the same way repairs both."""
        if one.change != other.change:
            return False
        rest = [edit for edit in counts.get(one.change, ()) if edit not in (one, other)]
        return any(complaint((one, other, edit)) is None for edit in rest)

    seen: set[tuple[Edit, ...]] = set()
    for _ in range(100 * count):
        if len(seen) == count:
            return
        chosen = tuple(sorted(random.sample(pool, AT_A_TIME), key=lambda e: (e.line, e.start)))
        if len({edit.call_line for edit in chosen}) < AT_A_TIME or chosen in seen:
            continue
        if independent(chosen):
            seen.add(chosen)
            yield chosen


def _counts_changed(source: str, change: str) -> list[Edit]:
    return [edit for edit in mutator.edits(source, Random(0), [change]) if edit.change]


def failure(family: Family, edits: tuple[Edit, ...]) -> str | None:
    """Return PyTorch's error for a copy with these changes, or None if it runs."""
    with tempfile.TemporaryDirectory() as folder:
        mutator.write(Path(folder) / "mutant", family, edits)
        said: str | None = children.call(mutator.failure, Path(folder), family)
        return said


def fails(family: Family, edit: Edit) -> bool:
    """Whether PyTorch fails on a copy with this change alone."""
    return failure(family, (edit,)) is not None


def judge(family: Family, edits: tuple[Edit, ...]) -> Score:
    """Run convlint once on a mutant."""
    with tempfile.TemporaryDirectory() as folder:
        mutator.write(Path(folder) / "mutant", family, edits)
        try:
            rows = children.call(findings, Path(folder), family)
        except children.ChildFailedError as error:
            return Score(family.file, edits, crash=str(error))
    return Score(family.file, edits, tuple(Found(*row) for row in rows))


def findings(folder: Path, family: Family) -> list[tuple[Any, ...]]:
    """Return the error findings for the mutant in ``folder/mutant``. Call it in a child process."""
    from convlint.pipelines import run_models
    from convlint.pipelines.requests import CheckRequest
    from convlint.runtime.model_run import run_job
    from convlint.settings.config import Config
    from convlint.settings.input_shapes import parse_input
    from convlint.settings.targets import parse_target

    file = folder / "mutant" / "models" / f"{family.file}.py"
    shape = ",".join(map(str, family.input))
    asked = CheckRequest(input=(parse_input(shape),))
    settings = Config()
    report = run_models.check_models(
        run_models.jobs([parse_target(f"{file}:{family.call}")], asked, settings), run_job, settings
    )
    if report.problems:
        raise RuntimeError(f"{report.problems}")

    def place(site: Site | None) -> Place | None:
        return None if site is None else (Path(site.path).name, site.line)

    return [
        (found.code, place(found.site), tuple([place(end.site) for end in found.related]))
        for found in report.findings
        if found.severity == "error"
    ]


PAGE = """# Recovery

The share of planted mistakes that a single run finds. The model files of {families} torchvision families are
copied, and three arguments of constructor calls are changed at a time: channels, groups,
`num_features`, `in_features`. A mutant counts only if each change alone makes PyTorch fail and the three
changes are three independent mistakes: with several of them in place, PyTorch's first error is one that
a single change causes, too, and changing another number in the same way does not repair two of them.
Written by `python -m bench.mutate --write`, seed {seed}.

- *reported*: each of the three edits has a finding of its own that names its line
- *first*: the line is the location of a finding
- *named*: the line is the location of a finding or its other end

{totals}

## By family

{rows}

## Not found

{missed}
"""


def page(scores: list[Score], seed: int) -> str:
    """Return the page for docs/."""
    families = list(dict.fromkeys(score.family for score in scores))
    rows = [(name, *_counts([s for s in scores if s.family == name])) for name in families]
    missed = [
        (s.family, edit, s.crash.splitlines()[-1] if s.crash else "")
        for s in scores
        for edit in s.edits
        if s.crash or Score(s.family, (edit,), s.found).named == 0
    ]
    columns = (">mutants", ">all three reported", ">edits first", ">edits named", ">crashes")
    return PAGE.format(
        families=len(families),
        seed=seed,
        totals=table(columns, [_counts(scores)]),
        rows=table(("family", *columns), rows),
        missed=table(("family", "edit", "crash"), missed) if missed else "Nothing.",
    )


def _counts(scores: list[Score]) -> tuple[str, ...]:
    edits = sum(len(score.edits) for score in scores)
    return (
        str(len(scores)),
        _share(sum(score.reported == len(score.edits) for score in scores), len(scores)),
        _share(sum(score.first for score in scores), edits),
        _share(sum(score.named for score in scores), edits),
        str(sum(bool(score.crash) for score in scores)),
    )


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / max(1, whole):.1%})"


def measure(count: int, seed: int, workers: int = 2, families: Sequence[Family] = FAMILIES) -> Iterator[Score]:
    """Yield the scores of ``count`` mutants of each family."""

    def of(family: Family) -> list[Score]:
        return [judge(family, edits) for edits in mutants(family, count, seed)]

    with ThreadPoolExecutor(workers) as pool:
        for scores in pool.map(of, families):
            yield from scores


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.mutate", description=__doc__)
    parser.add_argument("--count", type=int, default=24, help="mutants of each family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.relative_to(ROOT)}")
    options = parser.parse_args()
    scores = []
    for score in measure(options.count, options.seed):
        scores.append(score)
        counts = f"reported {score.reported}, first {score.first}, named {score.named}"
        print(f"{score.family}: {counts} {score.crash}", flush=True)
        if score.first < AT_A_TIME:
            print("  planted:", *score.edits, sep="\n    ")
            print("  found:", *score.found, sep="\n    ")
    text = page(scores, options.seed)
    print(text)
    if options.write:
        sections.record(TABLE, text, "three")


if __name__ == "__main__":
    main()
