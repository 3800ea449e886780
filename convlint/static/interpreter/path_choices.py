"""The branches that an execution takes at conditions that the analysis cannot decide.

A piece of the program is executed once for each path: ``PathChoices`` repeats the decisions of the
path before, up to the last one, which it reverses.
"""

from __future__ import annotations

from collections.abc import Hashable

from convlint.support.dataclass import dataclass, field


@dataclass(slots=True, repr=False)
class PathChoice:
    """The decision at one condition."""

    key: Hashable
    taken: bool
    final: bool = False  # whether the other branch is not to be explored, or was already


@dataclass(slots=True, repr=False)
class PathChoices:
    """The decisions of one execution, in order."""

    choices: list[PathChoice] = field(default_factory=list)
    _position: int = 0
    _by_key: dict[Hashable, bool] = field(default_factory=dict)

    def choose(self, key: Hashable, preferred: bool, *, both: bool) -> bool:
        """Decide a condition, equally for equal keys; if ``both``, another execution takes the other branch."""
        if key in self._by_key:
            return self._by_key[key]
        if self._position == len(self.choices):
            self.choices.append(PathChoice(key, preferred, final=not both))
        choice = self.choices[self._position]
        self._position += 1
        self._by_key[key] = choice.taken
        return choice.taken

    def again(self) -> PathChoices:
        """Return the same decisions, for an execution that may reach other conditions as well."""
        return PathChoices(_by_key=dict(self._by_key))

    def next(self) -> PathChoices | None:
        """Return the decisions of the next path; None when all paths were taken."""
        choices = self.choices[: self._position]
        while choices and choices[-1].final:
            choices.pop()
        if not choices:
            return None
        last = choices[-1]
        return PathChoices([*choices[:-1], PathChoice(last.key, not last.taken, final=True)])
