"""Coverage: the layers of a class or model that were followed, and the places where that ended."""

from __future__ import annotations

from convlint.support.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Stopped:
    """A place where the analysis stopped. ``value`` is the text of the first unknown value that caused it."""

    path: str | None
    line: int | None
    reason: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The layers of a class or model that were followed: static analysis has a ``name``, a run a ``target``.

    ``layers`` are those with parameters, and calls of modules that are not known; ``followed`` are those whose numbers
    and input are known.
    """

    path: str | None
    line: int
    name: str | None
    target: str | None
    layers: int
    followed: int
    stopped: tuple[Stopped, ...] = ()

    @property
    def is_complete(self) -> bool:
        return self.followed == self.layers and not self.stopped


def share(coverage: tuple[Coverage, ...]) -> float:
    """Return the share of the layers that were followed, 1.0 if there is none. A class of which no layer is known
    counts as one.
    """
    layers = sum(max(each.layers, 1) for each in coverage)
    return sum(each.followed if each.layers else each.is_complete for each in coverage) / layers if layers else 1.0
