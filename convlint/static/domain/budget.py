"""The limits of static analysis in one place.

Time is counted in steps: statements, expressions and calls of the program, copies of its values, and modules that are
compared. A check takes a number of steps that is linear in the length of its file; what is left out is reported.
``values.LONGEST`` and ``values.LARGEST`` limit the values that are computed, so that each step is short.
"""

from __future__ import annotations

from typing import Final

from convlint.support.dataclass import dataclass

STEPS_OF_AN_EXECUTION: Final = 60_000
STEPS_OF_REGISTRIES: Final = 8_000
CALLS_IN_CALLS: Final = 60
ITERATIONS: Final = 400  # of one loop
STEPS_OF_A_LOOP: Final = 4_000  # in which it builds no layer and calls none for the first time
BASES: Final = 300  # of one class, directly or not; one with more has an unknown base
ITEMS_IN_A_STEP: Final = 8  # that are copied or compared
BALLOTS_IN_A_STEP: Final = 6  # that are counted to find whose number is wrong
COPIES: Final = 4_096  # of objects, in one deep copy

_PATH, _PATH_PER_LINE = 15_000, 12  # a line that builds or calls a layer takes 8
_FIRST, _FIRST_PER_LINE = 40_000, 60  # real files take 44 steps a line at most, and 30,000 in all
_FURTHER, _FURTHER_PER_LINE = 4_000, 1
_BALLOTS, _BALLOTS_PER_LINE = 200_000, 100  # programs with several errors take 4 a line


@dataclass
class Work:
    """The ``steps`` that all executions in a project took so far: a clock that runs alike on every machine.

    ``ballots``: how many are left to find whose numbers are wrong in the file that is checked.
    """

    steps: int = 0
    ballots: int = 0

    def begin_file(self, lines: int) -> None:
        """Begin to find whose numbers are wrong in a file with so many lines."""
        self.ballots = _BALLOTS + _BALLOTS_PER_LINE * lines

    def count(self, ballots: int) -> None:
        """Count ballots of a file."""
        self.ballots -= ballots
        self.steps += ballots // BALLOTS_IN_A_STEP


@dataclass
class FileBudget:
    """The steps that are left for a file: for the ``first`` execution of each entry point, and for ``further`` ones."""

    first: int
    further: int

    @classmethod
    def of_lines(cls, lines: int) -> FileBudget:
        """The budget of a file with so many lines."""
        return cls(_FIRST + _FIRST_PER_LINE * lines, _FURTHER + _FURTHER_PER_LINE * lines)


def steps_of_a_path(lines: int) -> int:
    """The steps of one execution of a class or function in a file with so many lines."""
    return _PATH + _PATH_PER_LINE * lines
