"""The scores of planted mistakes, and the section of the page with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.home_packages import Family
from bench.markdown import table
from bench.planted import KINDS, Mistake

MODES = ("static", "run")


@dataclass(frozen=True)
class Case:
    """A model with mistakes in it."""

    family: Family
    mistakes: tuple[Mistake, ...]

    @property
    def key(self) -> str:
        return f"{self.family} {' & '.join(map(str, self.mistakes))}"


@dataclass
class Error:
    """An error that was reported, and the edits of its verified repair."""

    path: str
    line: int
    message: str
    edits: list[tuple[str, int, int, int, int, str]] = field(default_factory=list)


@dataclass
class Answer:
    """What convlint said of a case, and what PyTorch says of the copy with all repairs.

    ``runs`` is None where not every error has a verified repair; ``restores`` is whether all parameters have their
    original shapes again.
    """

    errors: list[Error]
    seconds: float = 0.0
    runs: bool | None = None
    restores: bool = False
    after: str = ""


# --- cases


@dataclass(frozen=True)
class Score:
    """The score of one case; counts are of mistakes, except ``errors``."""

    mistakes: int
    errors: int
    first: int
    repaired: bool
    runs: bool
    restores: bool
    impossible: int

    @property
    def reported(self) -> int:
        return min(self.mistakes, self.errors)


_NUMBER = re.compile(r"\buse (?:\w+=)?(-?\d+)|(-?\d+) would fit")


def score(case: Case, said: Answer) -> Score:
    """Compare what was said with what was planted."""
    first = {(error.path, error.line) for error in said.errors[: len(case.mistakes)]}
    places = [{(each.path, each.call_line), (each.path, each.line)} for each in case.mistakes]
    numbers = [int(one or other) for error in said.errors for one, other in _NUMBER.findall(error.message)]
    return Score(
        mistakes=len(case.mistakes),
        errors=len(said.errors),
        first=sum(not place.isdisjoint(first) for place in places),
        repaired=said.runs is not None,
        runs=bool(said.runs),
        restores=said.restores,
        impossible=sum(number < 1 for number in numbers),
    )


def row(scores: Sequence[Score]) -> list[str]:
    """Return the cells of a table for some cases."""
    mistakes = sum(each.mistakes for each in scores)
    repaired = sum(each.repaired for each in scores)
    return [
        str(mistakes),
        _share(sum(each.reported for each in scores), mistakes),
        _share(sum(each.first for each in scores), mistakes),
        _share(sum(each.errors == each.mistakes for each in scores), len(scores)),
        _share(repaired, len(scores)),
        _share(sum(each.runs for each in scores), repaired),
        _share(sum(each.restores for each in scores), len(scores)),
        str(sum(each.impossible for each in scores)),
    ]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


COLUMNS = (
    *(">mistakes", ">reported", ">edited line first", ">one error per mistake"),
    *(">verified repair", ">of these run", ">original restored", ">impossible advice"),
)
TEXT = """## Planted mistakes

Written by `python -m bench.recovery --write{options}`, seed {seed}. The files that {families}
models of {packages} need are copied into a
folder, so that they are the project's own, and one or two numbers are changed there: in a layer's constructor, in the
call of a block, in a sum of widths. PyTorch refuses each of the models. `check FILE` reads the model's file and the
edited one. It is given no input: {left_out} mistakes after which PyTorch runs the model on an image of other channels,
or of another width, are not counted for it.

- *reported*: there are as many errors as mistakes, or more
- *edited line first*: the first error, or the first two for two mistakes, is at the edited call
- *verified repair*: every error of the model has one; *of these run*: PyTorch runs the model with all of them
- *original restored*: all parameters have their original shapes again
- *impossible advice*: a number below 1

{totals}

### By kind

{kinds}

### By package

{by_package}
"""


def section(scored: Sequence[tuple[Case, str, Score]], seed: int, options: str = "", left_out: int = 0) -> str:
    """Return the section of the page; ``options`` are those of the command that wrote it.

    ``left_out`` is the number of mistakes that static mode cannot know.
    """
    families = {case.family for case, _, _ in scored}
    packages = sorted({family.package for family in families})

    def rows(name: Callable[[Case], str | None], order: Iterable[str]) -> Iterator[list[str]]:
        for mode in MODES:
            for each in order:
                some = [result for case, way, result in scored if way == mode and name(case) == each]
                if some:
                    yield [each, mode, *row(some)]

    kinds = rows(lambda case: case.mistakes[0].kind if len(case.mistakes) == 1 else None, KINDS)
    return TEXT.format(
        seed=seed,
        options=options,
        left_out=left_out,
        families=len(families),
        packages=", ".join(packages),
        totals=table(
            ("at a time", "mode", *COLUMNS), rows(lambda case: {1: "one", 2: "two"}[len(case.mistakes)], ("one", "two"))
        ),
        kinds=table(("kind", "mode", *COLUMNS), kinds),
        by_package=table(("package", "mode", *COLUMNS), rows(lambda case: case.family.package, packages)),
    )
