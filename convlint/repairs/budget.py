"""The limit of the search for repairs."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from convlint.support.dataclass import dataclass


@dataclass
class Budget:
    """The time that the search may take, in units of a clock: seconds, or steps of static analysis.

    It begins again for the causes that appear or are left after a repair, at most ``renewals`` times.
    """

    time: float
    clock: Callable[[], float] = monotonic
    renewals: int = 2

    def __post_init__(self) -> None:
        self._end = self.clock() + self.time

    @property
    def half(self) -> Budget:
        """A half of the time that is left."""
        return Budget((self._end - self.clock()) / 2, self.clock)

    @property
    def is_left(self) -> bool:
        return self.clock() < self._end

    def renew(self) -> None:
        """Begin again, if that is still allowed."""
        if self.renewals:
            self.renewals -= 1
            self._end = self.clock() + self.time
