"""The places in the source that may have got a number wrong.

A suspect is a place and what it may have got wrong there, with all votes that this gives.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import inf

from convlint.analysis.diagnosis.constraints import Vote
from convlint.analysis.diagnosis.tally import Poll
from convlint.ir import Site

Key = tuple[object, ...]  # the calls within a place that a number went through, and its label
Suspect = tuple[Site, frozenset[Key]]  # a place, and which of its numbers is wrong
Held = tuple[set[Vote], set[Vote]]  # a suspect's votes: contradicted, and not
Counts = dict[int, Counter[Fraction]]  # what is said of a class


class Suspects:
    """Who may be to blame, as the poll stands: votes that are struck out accuse nobody. ``home`` is the model's own
    file: a place in it is suspected before one in the libraries that it calls.
    """

    def __init__(self, poll: Poll, home: str | None) -> None:
        self._poll = poll
        self._home = home

    def accused(self, open_: Counts) -> dict[Suspect, Held]:
        """The places to suspect, with their votes: those that somebody contradicts, and the others.

        The innermost place comes first. Only where it also built what nobody contradicts, as a
        helper does that many call, the places that called it are suspected too.
        """
        near = self._poll.upstream(open_)
        found: dict[Suspect, set[Vote]] = {}
        votes = [vote for vote in self._poll.root if vote.frames and vote not in self._poll.struck]
        depth = 0
        while votes:
            reached: dict[Suspect, set[Vote]] = {}
            for vote in votes:
                key: Key = (*vote.frames[:depth], vote.label)
                suspect = (vote.frames[depth], frozenset({key}))
                reached.setdefault(suspect, set()).add(vote)
            depth += 1
            votes = []
            for suspect, held in reached.items():
                if near.isdisjoint([self._poll.root[vote] for vote in held]):
                    continue
                bad, good = self._split(held, near, open_)
                further = {vote for vote in held if len(vote.frames) > depth}
                if bad and not self._rather_outside(suspect[0], held, depth, near, open_):
                    found.setdefault(suspect, set()).update(held)
                if good or suspect[0].path != self._home:
                    votes += further
        found |= self._passed_on(near)
        split = {suspect: self._split(held, near, open_) for suspect, held in found.items()}
        return {suspect: held for suspect, held in split.items() if held[0]}

    def _rather_outside(
        self, site: Site, held: set[Vote], depth: int, near: set[int], open_: Counts
    ) -> bool:
        """Whether the calls around a place explain its wrong votes better than the place: each place
        costs one, and one more for each class that its votes are right in.
        """
        _, good = self._split(held, near, open_)
        if not good and site.path == self._home:
            return False
        here = 1 + self._classes(good)
        outside, at_home = self._cost_outside(held, depth, near, open_)
        return outside < here or (outside == here and at_home and site.path != self._home)

    def _cost_outside(
        self, held: set[Vote], depth: int, near: set[int], open_: Counts
    ) -> tuple[float, bool]:
        """The least cost of the calls from ``depth`` outwards, and whether the model's own file holds
        them all.
        """
        around: dict[Site, set[Vote]] = {}
        for vote in held:
            if len(vote.frames) > depth:
                around.setdefault(vote.frames[depth], set()).add(vote)
            elif vote in self._split({vote}, near, open_)[0]:
                return inf, False
        total, all_at_home = 0.0, True
        for site, votes in around.items():
            bad, good = self._split(votes, near, open_)
            if not bad:
                continue
            cost, at_home = 1.0 + self._classes(good), site.path == self._home
            if good or not at_home:
                beyond = self._cost_outside(votes, depth + 1, near, open_)
                if beyond[0] < cost or (beyond[0] == cost and beyond[1] and not at_home):
                    cost, at_home = beyond
            total, all_at_home = total + cost, all_at_home and at_home
        return total, all_at_home

    def _classes(self, votes: set[Vote]) -> int:
        return len({self._poll.root[vote] for vote in votes})

    def _passed_on(self, near: set[int]) -> dict[Suspect, set[Vote]]:
        """Calls that handed one number to several layers which agree: a wrapper's convolution and
        its norm, for instance. That number may be wrong all the same.
        """
        together: dict[tuple[Site, int, Fraction], set[Key]] = {}
        for root in near:
            for value, vote in self._poll.ends.votes.get(root, ()):
                if vote not in self._poll.struck:
                    for depth, site in enumerate(vote.frames[1:], 1):
                        key = (*vote.frames[:depth], vote.label)
                        together.setdefault((site, root, value), set()).add(key)
        wanted: dict[Site, set[frozenset[Key]]] = {}
        for (site, _, _), keys in together.items():
            if site.path == self._home and len({key[0] for key in keys}) > 1:
                wanted.setdefault(site, set()).add(frozenset(keys))
        found: dict[Suspect, set[Vote]] = {}
        for site, groups in wanted.items():
            through: dict[Key, set[Vote]] = {}
            for vote in self._poll.root:
                if site in vote.frames and vote not in self._poll.struck:
                    inner = vote.frames[: vote.frames.index(site)]
                    through.setdefault((*inner, vote.label), set()).add(vote)
            for together_ in groups:
                found[site, together_] = set().union(
                    *[through.get(key, set()) for key in together_]
                )
        return found

    def _split(self, held: set[Vote], near: set[int], open_: Counts) -> Held:
        """A suspect's votes: those that somebody contradicts, and those that most others agree with.

        What one suspect says counts once in a class, however many layers it built.
        """
        bad, good = set(), set()
        places: dict[tuple[int, Fraction], set[object]] = {}
        for vote in held:
            said = (self._poll.root[vote], self._poll.value[vote])
            places.setdefault(said, set()).add((vote.label, vote.frames))
        for vote in held:
            root, value = self._poll.root[vote], self._poll.value[vote]
            if root not in near:
                good.add(vote)
            elif root not in open_:
                bad.add(vote)
            else:
                counted = open_[root]
                support = counted[value] - len(places[root, value]) + 1
                rivals = max(n for other, n in counted.items() if other != value)
                (good if support > rivals else bad).add(vote)
        return bad, good
