"""Counts of votes: how many places in the source vote for each value of a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction

from convlint.analysis.diagnosis.constraints import Vote
from convlint.analysis.diagnosis.votes import Votes

_MAX_DEPTH = 100  # of nested concatenations


class Poll:
    """The votes that remain when some are struck out."""

    def __init__(self, votes: Votes) -> None:
        self.votes = votes
        self.counted = 0  # ballots so far, a measure of the work
        self.struck: set[Vote] = set()
        self.corrected: dict[Vote, Fraction] = {}  # the values of struck votes that should have been given
        self.value: dict[Vote, Fraction] = {}
        self.root: dict[Vote, int] = {}
        self._sums: dict[int, list[tuple[Fraction, tuple[tuple[int, Fraction], ...]]]] = {}
        self._readers: dict[int, set[int]] = {}
        for whole, ratio, parts in votes.sums:
            self._sums.setdefault(whole, []).append((ratio, parts))
            for part, _ in parts:
                self._readers.setdefault(part, set()).add(whole)
        # Equal layers built at one place, in a loop for instance, have one ballot.
        self._ballots: dict[int, dict[object, list[Vote]]] = {}
        for root, members in votes.by_class.items():
            for value, vote in members:
                self.value[vote], self.root[vote] = value, root
                key = (value, vote.label, vote.frames or vote.node)
                self._ballots.setdefault(root, {}).setdefault(key, []).append(vote)

    def count(self, root: int) -> Counter[Fraction]:
        """Count the places that vote for each value of a class; the sum of a concatenation is one place."""
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
        for ratio, parts in self._sums.get(root, ()) if len(above) < _MAX_DEPTH else ():
            total = self._total(parts, above | {root})
            if total is not None:
                counted[total / ratio] += 1
        return counted

    def _total(self, parts: tuple[tuple[int, Fraction], ...], above: frozenset[int]) -> Fraction | None:
        total = Fraction(0)
        for part, ratio in parts:
            value = None if part in above else winner(self._count(part, above))
            if value is None:
                return None
            total += value * ratio
        return total

    def instead(self, root: int) -> Fraction | None:
        """The value that most places vote for; without votes, what a concatenation leaves for the class."""
        value = winner(self.count(root))
        for whole in self._readers.get(root, ()) if value is None else ():
            counted = self.count(whole)
            for ratio, parts in self._sums[whole]:
                left = winner(counted)
                for part, factor in parts:
                    other = winner(self.count(part)) if part != root else None
                    if left is not None and part != root:
                        left = None if other is None else left - other * factor / ratio
                own = sum((factor for part, factor in parts if part == root), Fraction(0))
                if left is not None and own:
                    return left * ratio / own
        return value

    def downstream(self, roots: Iterable[int]) -> set[int]:
        """The classes, and all classes whose counts depend on them."""
        return _closure(roots, lambda root: self._readers.get(root, ()))

    def upstream(self, roots: Iterable[int]) -> set[int]:
        """The classes, and all classes that their counts depend on."""
        return _closure(roots, lambda root: [part for _, parts in self._sums.get(root, ()) for part, _ in parts])


def _closure(roots: Iterable[int], neighbors: Callable[[int], Iterable[int]]) -> set[int]:
    reached: set[int] = set()
    pending = list(roots)
    while pending:
        root = pending.pop()
        if root not in reached:
            reached.add(root)
            pending += neighbors(root)
    return reached


def winner(counted: Counter[Fraction]) -> Fraction | None:
    """The value with the most votes, None without votes."""
    return counted.most_common(1)[0][0] if counted else None


def disputes(counted: Counter[Fraction]) -> int:
    """The number of pairs of places that vote for different values."""
    total = counted.total()
    return (total * total - sum(n * n for n in counted.values())) // 2
