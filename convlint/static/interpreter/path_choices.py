"""Which way an execution goes where the program's conditions are not decided.

An execution is repeated once for each way: ``Choices`` replays the ways taken before and takes the
next one at the end.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class PathChoice:
    """One undecided condition, and the way taken."""

    key: Hashable
    taken: bool
    final: bool = False  # the other way was taken already


@dataclass(slots=True)
class PathChoices:
    """The ways of one execution, in order."""

    made: list[PathChoice] = field(default_factory=list)
    _position: int = 0
    _known: dict[Hashable, bool] = field(default_factory=dict)

    def choose(self, key: Hashable, preferred: bool, *, both: bool) -> bool:
        """The way at a condition; the same for the same ``key`` all through the execution.

        ``both``: the other way is to be taken by another execution.
        """
        if key in self._known:
            return self._known[key]
        if self._position == len(self.made):
            self.made.append(PathChoice(key, preferred, final=not both))
        choice = self.made[self._position]
        self._position += 1
        self._known[key] = choice.taken
        return choice.taken

    def again(self) -> PathChoices:
        """The same ways, for an execution that may come to other conditions as well."""
        return PathChoices(_known=dict(self._known))

    def next(self) -> PathChoices | None:
        """The choices of the next execution; None when all ways were taken."""
        made = self.made[: self._position]
        while made and made[-1].final:
            made.pop()
        if not made:
            return None
        last = made[-1]
        return PathChoices([*made[:-1], PathChoice(last.key, not last.taken, final=True)])
