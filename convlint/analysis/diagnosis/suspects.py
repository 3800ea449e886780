"""Suspects: places in the source that may be wrong, and the number there that may be wrong."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import inf

from convlint.analysis.diagnosis.constraints import Vote
from convlint.analysis.diagnosis.tally import Poll
from convlint.ir import Site

Key = tuple[int, int, str]
"""The numbers of the innermost place, and of the calls from a place to the layer, and the label of the vote."""
Suspect = tuple[Site, frozenset[Key]]  # a place, and which of its numbers may be wrong
Split = tuple[set[Vote], set[Vote]]  # votes of a suspect: contradicted, and others
Counts = dict[int, Counter[Fraction]]  # places by value, for each class


class Suspects:
    """Places to suspect, given the votes that remain in the poll.

    ``home`` is the file of the model: a place in it is suspected before one in the libraries that it calls.
    """

    def __init__(self, poll: Poll, home: str | None) -> None:
        self._poll = poll
        self._home = home
        self._numbers: dict[tuple[int, Site], int] = {}  # of a place with all places inside it
        self._keys: dict[Vote, list[Key]] = {}  # for each depth, as comparing places would take long
        self._through: dict[Site, dict[Vote, int]] = {}  # the votes that a place may have caused, and their depth
        for vote in poll.root:
            self._keys[vote] = self._keys_of(vote)
            for depth, site in enumerate(vote.frames):
                self._through.setdefault(site, {}).setdefault(vote, depth)

    def _keys_of(self, vote: Vote) -> list[Key]:
        keys: list[Key] = [(0, 0, vote.label)]
        number = first = 0
        for site in vote.frames:
            number = self._numbers.setdefault((number, site), len(self._numbers) + 1)
            first = first or number
            keys.append((first, number, vote.label))
        return keys

    def whole_key(self, vote: Vote) -> Key:
        """A key that is equal for the votes of one label with the same places."""
        return self._keys[vote][-1]

    def accused(self, open_: Counts) -> dict[Suspect, Split]:
        """The places to suspect, with their contradicted and other votes.

        The innermost place is suspected first. Its callers are suspected only if it also built layers that nothing
        contradicts, as a function with many callers does.
        """
        related = self._poll.upstream(open_)
        suspects: dict[Suspect, set[Vote]] = {}
        votes = [vote for vote in self._poll.root if vote.frames and vote not in self._poll.struck]
        depth = 0
        while votes:
            reached: dict[Suspect, set[Vote]] = {}
            for vote in votes:
                suspect = (vote.frames[depth], frozenset({self._keys[vote][depth]}))
                reached.setdefault(suspect, set()).add(vote)
            depth += 1
            votes = []
            for suspect, held in reached.items():
                if related.isdisjoint([self._poll.root[vote] for vote in held]):
                    continue
                bad, good = self._split(held, related, open_)
                further = {vote for vote in held if len(vote.frames) > depth}
                if bad and not self._callers_explain_better(suspect[0], held, depth, related, open_):
                    suspects.setdefault(suspect, set()).update(held)
                if good or suspect[0].path != self._home:
                    votes += further
        suspects |= self._shared_numbers(related)
        split = {suspect: self._split(held, related, open_) for suspect, held in suspects.items()}
        return {suspect: held for suspect, held in split.items() if held[0]}

    def _callers_explain_better(
        self, site: Site, held: set[Vote], depth: int, related: set[int], open_: Counts
    ) -> bool:
        """Check whether the callers of a place explain its wrong votes at a lower cost than the place itself.

        A place costs one, and one more for each class in which its votes are right.
        """
        _, good = self._split(held, related, open_)
        if not good and site.path == self._home:
            return False
        here = 1 + self._classes(good)
        outside, at_home = self._cost_outside(held, depth, related, open_)
        return outside < here or (outside == here and at_home and site.path != self._home)

    def _cost_outside(self, held: set[Vote], depth: int, related: set[int], open_: Counts) -> tuple[float, bool]:
        """The lowest cost of the calls from ``depth`` outwards, and whether all of them are in the model's file."""
        around: dict[Site, set[Vote]] = {}
        for vote in held:
            if len(vote.frames) > depth:
                around.setdefault(vote.frames[depth], set()).add(vote)
            elif vote in self._split({vote}, related, open_)[0]:
                return inf, False
        total, all_at_home = 0.0, True
        for site, votes in around.items():
            bad, good = self._split(votes, related, open_)
            if not bad:
                continue
            cost, at_home = 1.0 + self._classes(good), site.path == self._home
            if good or not at_home:
                beyond = self._cost_outside(votes, depth + 1, related, open_)
                if beyond[0] < cost or (beyond[0] == cost and beyond[1] and not at_home):
                    cost, at_home = beyond
            total, all_at_home = total + cost, all_at_home and at_home
        return total, all_at_home

    def _classes(self, votes: set[Vote]) -> int:
        return len({self._poll.root[vote] for vote in votes})

    def _shared_numbers(self, related: set[int]) -> dict[Suspect, set[Vote]]:
        """Calls that passed one number to several layers, such as a convolution and its norm.

        These layers agree with each other, but the number may still be wrong.
        """
        together: dict[tuple[Site, int, Fraction], set[Key]] = {}
        for root in related:
            for value, vote in self._poll.votes.by_class.get(root, ()):
                if vote not in self._poll.struck:
                    self._poll.weighed += len(vote.frames)
                    for depth, site in enumerate(vote.frames[1:], 1):
                        together.setdefault((site, root, value), set()).add(self._keys[vote][depth])
        wanted: dict[Site, set[frozenset[Key]]] = {}
        for (site, _, _), keys in together.items():
            if site.path == self._home and len({key[0] for key in keys}) > 1:
                wanted.setdefault(site, set()).add(frozenset(keys))
        suspects: dict[Suspect, set[Vote]] = {}
        for site, groups in wanted.items():
            self._poll.weighed += len(self._through[site])
            through: dict[Key, set[Vote]] = {}
            for vote, depth in self._through[site].items():
                if vote not in self._poll.struck:
                    through.setdefault(self._keys[vote][depth], set()).add(vote)
            for together_ in groups:
                suspects[site, together_] = set().union(*[through.get(key, set()) for key in together_])
        return suspects

    def _split(self, held: set[Vote], related: set[int], open_: Counts) -> Split:
        """Split the votes of a suspect into those that others contradict and those that most others agree with.

        A suspect counts once in a class, however many layers it built.
        """
        self._poll.weighed += len(held)
        bad, good = set(), set()
        places: dict[tuple[int, Fraction], set[object]] = {}
        for vote in held:
            places.setdefault((self._poll.root[vote], self._poll.value[vote]), set()).add(self._keys[vote][-1])
        for vote in held:
            root, value = self._poll.root[vote], self._poll.value[vote]
            if root not in related:
                good.add(vote)
            elif root not in open_:
                bad.add(vote)
            else:
                counted = open_[root]
                support = counted[value] - len(places[root, value]) + 1
                rivals = max(n for other, n in counted.items() if other != value)
                (good if support > rivals else bad).add(vote)
        return bad, good
