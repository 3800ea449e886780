"""Counts of votes: how many places in the source vote for each value of a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from convlint.analysis.diagnosis.constraints import Vote
from convlint.analysis.diagnosis.votes import Votes

_MAX_DEPTH = 100  # of nested concatenations


Parts = tuple[tuple[int, Fraction], ...]
"""The classes of which a sum consists, each with its factor."""


class Poll:
    """The votes that remain when some are struck out."""

    def __init__(self, votes: Votes) -> None:
        self.votes = votes
        self.counted = 0  # ballots so far, a measure of the work
        self.weighed = 0  # votes and places of suspects so far, likewise
        self._struck: set[Vote] = set()
        self._corrected: dict[Vote, Fraction] = {}
        self._counts: dict[int, Counter[Fraction]] = {}  # with the votes that are struck now
        self._open: dict[int, list[tuple[Fraction, dict[int, Fraction], Fraction]]] = {}  # likewise
        self.value: dict[Vote, Fraction] = {}
        self.root: dict[Vote, int] = {}
        self._sums: dict[int, list[tuple[Fraction, Parts]]] = {}
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

        self._circular = self._depending_on_themselves()

    @property
    def looked_at(self) -> int:
        """The ballots and votes that were looked at, a measure of the work."""
        return self.counted + self.weighed

    @property
    def struck(self) -> set[Vote]:
        """The votes that do not count."""
        return self._struck

    @struck.setter
    def struck(self, votes: set[Vote]) -> None:
        self._struck, self._counts, self._open = votes, {}, {}

    def correct(self, values: Mapping[Vote, Fraction]) -> None:
        """Add the values that struck votes should have."""
        self._corrected.update(values)
        self._counts, self._open = {}, {}

    def count(self, root: int) -> Counter[Fraction]:
        """Count the places that vote for each value of a class; the sum of a concatenation is one place."""
        if root in self._circular:
            return self._count(root, self._total_of_circular(frozenset([root])))
        pending = [root]
        while pending:  # without recursion: a concatenation may hold the one before it, and so on
            current = pending[-1]
            missing = [
                part for _, parts in self._sums.get(current, ()) for part, _ in parts if part not in self._counts
            ]
            if current not in self._counts and not missing:
                self._counts[current] = self._count(current, self._total)
            pending += missing
            if not missing:
                pending.pop()
        return self._counts[root]

    def _count(self, root: int, total_of: Callable[[Parts], Fraction | None]) -> Counter[Fraction]:
        ballots = self._ballots.get(root, {})
        self.counted += 1 + len(ballots)
        counted: Counter[Fraction] = Counter()
        for votes in ballots.values():
            if not self._struck.issuperset(votes):
                counted[self.value[votes[0]]] += 1
            else:
                counted.update({self._corrected[v] for v in votes if v in self._corrected})
        for ratio, parts in self._sums.get(root, ()):
            total = total_of(parts)
            if total is not None:
                counted[total / ratio] += 1
        return counted

    def _total(self, parts: Parts) -> Fraction | None:
        """The sum of parts that were counted."""
        values = [(winner(self._counts[part]), ratio) for part, ratio in parts]
        return sum((v * ratio for v, ratio in values if v is not None), Fraction(0)) if _all_known(values) else None

    def _total_of_circular(self, above: frozenset[int]) -> Callable[[Parts], Fraction | None]:
        """The sum of parts of which some may depend on the classes that are counted, ``above``."""

        def total(parts: Parts) -> Fraction | None:
            if len(above) > _MAX_DEPTH or not above.isdisjoint([part for part, _ in parts]):
                return None
            values = [
                (winner(self._count(part, self._total_of_circular(above | {part}))), ratio) for part, ratio in parts
            ]
            return sum((v * ratio for v, ratio in values if v is not None), Fraction(0)) if _all_known(values) else None

        return total

    def _depending_on_themselves(self) -> set[int]:
        """The classes that are part of their own sums, and those that depend on them."""
        left = {whole: {part for _, parts in sums for part, _ in parts} for whole, sums in self._sums.items()}
        missing = {whole: sum(part in left for part in parts) for whole, parts in left.items()}
        settled = [whole for whole, count in missing.items() if not count]
        for whole in settled:
            for reader in self._readers.get(whole, ()):
                missing[reader] -= 1
                if not missing[reader]:
                    settled.append(reader)
        return left.keys() - set(settled)

    def instead(self, root: int) -> Fraction | None:
        """The value that most places vote for; without votes, what a concatenation leaves for the class."""
        value = winner(self.count(root))
        for whole in self._readers.get(root, ()) if value is None else ():
            left = winner(self.count(whole))
            for ratio, own, others in self._open_parts(whole):
                if left is not None and own.keys() == {root} and own[root]:
                    return (left * ratio - others) / own[root]
        return value

    def _open_parts(self, whole: int) -> list[tuple[Fraction, dict[int, Fraction], Fraction]]:
        """For each sum of a class, its ratio, the parts without votes, each with its factor, and the sum of the others.

        Every part of a long concatenation asks for them.
        """
        if whole not in self._open:
            self._open[whole] = found = []
            for ratio, parts in self._sums[whole]:
                own: dict[int, Fraction] = {}
                others = Fraction(0)
                for part, factor in parts:
                    value = winner(self.count(part))
                    if value is None:
                        own[part] = own.get(part, Fraction(0)) + factor
                    else:
                        others += value * factor
                found.append((ratio, own, others))
        return self._open[whole]

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


def _all_known(values: Sequence[tuple[Fraction | None, Fraction]]) -> bool:
    return all(value is not None for value, _ in values)


def winner(counted: Counter[Fraction]) -> Fraction | None:
    """The value with the most votes, None without votes."""
    return counted.most_common(1)[0][0] if counted else None


def disputes(counted: Counter[Fraction]) -> int:
    """The number of pairs of places that vote for different values."""
    total = counted.total()
    return (total * total - sum(n * n for n in counted.values())) // 2
