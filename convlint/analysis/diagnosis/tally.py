"""Counting votes: what the places in the source say of each class of equal numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction

from convlint.analysis.diagnosis.constraints import Vote
from convlint.analysis.diagnosis.endpoints import Ends

_DEEPEST = 100  # concatenations of concatenations


class Poll:
    """The votes that count while some are struck out."""

    def __init__(self, ends: Ends) -> None:
        self.ends = ends
        self.counted = 0  # ballots, over and over
        self.struck: set[Vote] = set()
        self.corrected: dict[Vote, Fraction] = {}  # what struck votes should have said
        self.value: dict[Vote, Fraction] = {}
        self.root: dict[Vote, int] = {}
        self._sums: dict[int, list[tuple[Fraction, tuple[tuple[int, Fraction], ...]]]] = {}
        self._readers: dict[int, set[int]] = {}
        for whole, ratio, parts in ends.sums:
            self._sums.setdefault(whole, []).append((ratio, parts))
            for part, _ in parts:
                self._readers.setdefault(part, set()).add(whole)
        # A loop that builds equal layers at one place casts one vote.
        self._ballots: dict[int, dict[object, list[Vote]]] = {}
        for root, votes in ends.votes.items():
            for value, vote in votes:
                self.value[vote], self.root[vote] = value, root
                key = (value, vote.label, vote.frames or vote.node)
                self._ballots.setdefault(root, {}).setdefault(key, []).append(vote)

    def count(self, root: int) -> Counter[Fraction]:
        """How many places vote for each value of a class; the sum of a concatenation's parts is one."""
        return self._count(root, frozenset())

    def _count(self, root: int, above: frozenset[int]) -> Counter[Fraction]:
        ballots = self._ballots.get(root, {})
        self.counted += 1 + len(ballots)
        counted: Counter[Fraction] = Counter()
        for votes in ballots.values():
            if not self.struck.issuperset(votes):
                counted[self.value[votes[0]]] += 1
            else:
                counted.update({self.corrected[v] for v in votes if v in self.corrected})
        for ratio, parts in self._sums.get(root, ()) if len(above) < _DEEPEST else ():
            total = self._total(parts, above | {root})
            if total is not None:
                counted[total / ratio] += 1
        return counted

    def _total(
        self, parts: tuple[tuple[int, Fraction], ...], above: frozenset[int]
    ) -> Fraction | None:
        total = Fraction(0)
        for part, ratio in parts:
            said = None if part in above else winner(self._count(part, above))
            if said is None:
                return None
            total += said * ratio
        return total

    def instead(self, root: int) -> Fraction | None:
        """What most places say of a class; where none does, what a concatenation leaves for it."""
        said = winner(self.count(root))
        for whole in self._readers.get(root, ()) if said is None else ():
            counted = self.count(whole)
            for ratio, parts in self._sums[whole]:
                left = winner(counted)
                for part, its in parts:
                    other = winner(self.count(part)) if part != root else None
                    if left is not None and part != root:
                        left = None if other is None else left - other * its / ratio
                mine = sum((its for part, its in parts if part == root), Fraction(0))
                if left is not None and mine:
                    return left * ratio / mine
        return said

    def downstream(self, roots: Iterable[int]) -> set[int]:
        """The classes and all whose counts depend on them."""
        return _closure(roots, lambda root: self._readers.get(root, ()))

    def upstream(self, roots: Iterable[int]) -> set[int]:
        """The classes and all that their counts depend on."""
        return _closure(
            roots, lambda root: [part for _, parts in self._sums.get(root, ()) for part, _ in parts]
        )


def _closure(roots: Iterable[int], nearby: Callable[[int], Iterable[int]]) -> set[int]:
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        root = waiting.pop()
        if root not in found:
            found.add(root)
            waiting += nearby(root)
    return found


def winner(counted: Counter[Fraction]) -> Fraction | None:
    """What most places say."""
    return counted.most_common(1)[0][0] if counted else None


def sole_winner(counted: Counter[Fraction]) -> Fraction | None:
    first, *others = counted.most_common(2)
    return None if others and others[0][1] == first[1] else first[0]


def disputes(counted: Counter[Fraction]) -> int:
    """Pairs of places that say different things."""
    total = counted.total()
    return (total * total - sum(n * n for n in counted.values())) // 2
