"""Blame by vote: the fewest places in the source that explain every disagreement.

A suspect is a place in the source and what it may have got wrong there. Striking it out takes its
votes away, in every module that it built; the suspect whose removal settles most disagreements,
and takes fewest votes that nobody disputes, is to blame. That repeats until all who are left agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import inf, prod

from convlint.channels.ends import Ends, Vote
from convlint.channels.poll import Poll, disputes, winner
from convlint.channels.refused import Refusal, home, is_depthwise, places, refuses
from convlint.model import Graph, Site, kept_for_the_last

Key = tuple[object, ...]  # the calls within a place that a number went through, and its label
Suspect = tuple[Site, frozenset[Key]]  # a place, and which of its numbers is wrong
Held = tuple[set["Vote"], set["Vote"]]  # a suspect's votes: contradicted, and not
Counts = dict[int, Counter[Fraction]]  # what is said of a class


# Beyond these the numbers are wrong all over the place, and no majority is worth waiting for: each
# failed call is told of for itself.
_MOST_OPEN = 200  # classes that are disputed
_MOST_COUNTS = 200_000  # of ballots


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A place to blame. ``wrong`` are its votes that the others contradict, with what the others
    make of it (None where nobody else says); ``others`` are the votes at the other ends, nearest
    first; ``nodes`` the failed calls that it explains.
    """

    site: Site
    wrong: tuple[tuple[Vote, Fraction | None], ...]
    others: tuple[Vote, ...]
    nodes: tuple[int, ...]


class _Trial:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ends = Ends(graph)
        self.poll = Poll(self.ends)
        self.refused = self._strike_refused()
        ballots = {(vote.label, vote.frames): vote.number for vote in self.poll.root}
        self.popular = Counter(ballots.values())
        self.home = home(graph)

    def _strike_refused(self) -> dict[str, list[int]]:
        """Strike out the counts that made a constructor refuse its groups, where the groups are
        right; the failed calls that this explains, by layer.
        """
        struck: dict[str, set[Vote]] = {}
        refused = [layer for layer in self.graph.layers if refuses(layer)]
        one_off = {layer.site for layer in refused if not is_depthwise(layer)}
        for vote in self.poll.root if refused else ():
            layer = self.graph.layer(self.graph.nodes[vote.node].layer)
            if layer is None or vote.label not in ("in", "out") or layer not in refused:
                continue
            groups = layer.attrs["groups"]
            if layer.site not in one_off and groups and vote.number % groups:
                value = self.poll.value[vote]
                same = self.ends.votes[self.poll.root[vote]]
                beside = {v for x, v in same if x == value and _beside(v, vote)} | {vote}
                struck.setdefault(layer.name, set()).update(beside)
        for votes in struck.values():
            self.poll.struck |= votes
        return {
            name: [
                id
                for vote in votes
                if winner(self.poll.count(self.poll.root[vote])) != self.poll.value[vote]
                for id in self.ends.failed.get(self.poll.root[vote], ())
            ]
            for name, votes in struck.items()
        }

    @cached_property
    def disagreements(self) -> tuple[Disagreement, ...]:
        return tuple(self._blamed())

    def _blamed(self) -> Iterator[Disagreement]:
        while self.poll.counted < _MOST_COUNTS:
            counts = {root: self.poll.count(root) for root in self.ends.failed}
            open_ = {root: count for root, count in counts.items() if disputes(count)}
            if len(open_) > _MOST_OPEN:
                return
            coverage = self._suspects(open_)
            ranked = {
                suspect: rank
                for suspect, held in coverage.items()
                if (rank := self._rank(suspect, held, open_)) is not None
            }
            best = max(ranked, key=lambda suspect: ranked[suspect], default=None)
            if best is None:
                return
            struck = coverage[best][0] | coverage[best][1]
            self.poll.struck |= struck
            found = self._explained(best, coverage[best][0], struck, open_)
            self.poll.corrected.update(self._corrected(found.wrong))
            yield found

    def _corrected(self, wrong: Iterable[tuple[Vote, Fraction | None]]) -> dict[Vote, Fraction]:
        """Votes that should have said something else than the others in their class do.

        A place that is wrong for many layers is wrong for all in one way, by a factor or by a
        difference. Where that does not give what the others say, somebody else is wrong too.
        """
        wrong = [(vote, right) for vote, right in wrong if vote.number]
        known = {vote: right for vote, right in wrong if right is not None}
        ratios = Counter(right / vote.number for vote, right in known.items())
        steps = Counter(right - vote.number for vote, right in known.items())
        if not known:
            return {}
        (ratio, by_ratio), (step, by_step) = ratios.most_common(1)[0], steps.most_common(1)[0]
        found = {}
        for vote, right in wrong:
            meant = vote.number * ratio if by_ratio >= by_step else vote.number + step
            if meant != right and meant >= 1 and meant.denominator == 1:
                found[vote] = self.poll.value[vote] * meant / vote.number
        fitting = {vote.number for vote in known if vote not in found}
        return found if 2 * len(found) < len(wrong) and len(fitting) > 1 else {}

    # --- suspects

    def _suspects(self, open_: Counts) -> dict[Suspect, Held]:
        """The places to suspect, with their votes: those that somebody contradicts, and the others.

        The innermost place comes first. Only where it also built what nobody contradicts, as a
        helper does that many call, the places that called it are suspected too.
        """
        near = self.poll.upstream(open_)
        found: dict[Suspect, set[Vote]] = {}
        votes = [vote for vote in self.poll.root if vote.frames and vote not in self.poll.struck]
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
                if near.isdisjoint([self.poll.root[vote] for vote in held]):
                    continue
                bad, good = self._split(held, near, open_)
                further = {vote for vote in held if len(vote.frames) > depth}
                if bad and not self._rather_outside(suspect[0], held, depth, near, open_):
                    found.setdefault(suspect, set()).update(held)
                if good or suspect[0].path != self.home:
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
        if not good and site.path == self.home:
            return False
        here = 1 + self._classes(good)
        outside, at_home = self._cost_outside(held, depth, near, open_)
        return outside < here or (outside == here and at_home and site.path != self.home)

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
            cost, at_home = 1.0 + self._classes(good), site.path == self.home
            if good or not at_home:
                beyond = self._cost_outside(votes, depth + 1, near, open_)
                if beyond[0] < cost or (beyond[0] == cost and beyond[1] and not at_home):
                    cost, at_home = beyond
            total, all_at_home = total + cost, all_at_home and at_home
        return total, all_at_home

    def _classes(self, votes: set[Vote]) -> int:
        return len({self.poll.root[vote] for vote in votes})

    def _passed_on(self, near: set[int]) -> dict[Suspect, set[Vote]]:
        """Calls that handed one number to several layers which agree: a wrapper's convolution and
        its norm, for instance. That number may be wrong all the same.
        """
        together: dict[tuple[Site, int, Fraction], set[Key]] = {}
        for root in near:
            for value, vote in self.ends.votes.get(root, ()):
                if vote not in self.poll.struck:
                    for depth, site in enumerate(vote.frames[1:], 1):
                        key = (*vote.frames[:depth], vote.label)
                        together.setdefault((site, root, value), set()).add(key)
        wanted: dict[Site, set[frozenset[Key]]] = {}
        for (site, _, _), keys in together.items():
            if site.path == self.home and len({key[0] for key in keys}) > 1:
                wanted.setdefault(site, set()).add(frozenset(keys))
        found: dict[Suspect, set[Vote]] = {}
        for site, groups in wanted.items():
            through: dict[Key, set[Vote]] = {}
            for vote in self.poll.root:
                if site in vote.frames and vote not in self.poll.struck:
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
            said = (self.poll.root[vote], self.poll.value[vote])
            places.setdefault(said, set()).add((vote.label, vote.frames))
        for vote in held:
            root, value = self.poll.root[vote], self.poll.value[vote]
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

    def _rank(
        self, suspect: Suspect, held: tuple[set[Vote], set[Vote]], open_: Counts
    ) -> tuple[float, ...] | None:
        """How likely a suspect is to blame; None where striking it out settles nothing."""
        bad, good = held
        struck, roots = bad | good, {self.poll.root[vote] for vote in bad}
        gain, known = 0.0, 0
        own = Counter({(vote.label, vote.frames): vote.number for vote in struck}.values())
        before = self.poll.struck
        self.poll.struck = before | struck
        try:
            for root in self.poll.downstream(roots) & open_.keys():
                gain += 1 - disputes(self.poll.count(root)) / disputes(open_[root])
            instead = {root: self.poll.instead(root) for root in roots}
            others = {vote: instead[self.poll.root[vote]] for vote in bad}
            if gain == 0 or all(others[vote] == self.poll.value[vote] for vote in bad):
                return None
            for vote, other in others.items():
                if other is not None:
                    right = _meant(vote, self.poll.value[vote], other)
                    if right.denominator != 1 or right < 1:
                        gain -= 1  # no number there could have been meant
                    elsewhere = self.popular[vote.number] - own[vote.number]
                    known += self.popular[int(right)] - elsewhere
        finally:
            self.poll.struck = before
        innocent = len({self.poll.root[vote] for vote in good} - roots)
        depth = min(vote.frames.index(suspect[0]) for vote in struck)
        return (
            round(gain - innocent, 6),
            suspect[0].path == self.home,
            any(self._flattened(vote) for vote in bad),
            -depth,
            known / len(bad),
            max(vote.node for vote in bad),
        )

    def _flattened(self, vote: Vote) -> bool:
        """Whether it is the product of channels and pixels that a linear layer was written down with:
        the pixels are what people get wrong.
        """
        node = self.graph.nodes[vote.node]
        if node.op != "linear" or vote.label != "in":
            return False
        before = self.graph.producer(node.inputs[0])
        if before.op not in ("flatten", "reshape") or not before.inputs:
            return False
        return prod(self.graph.tensor(before.inputs[0]).shape[2:]) > 1

    def _explained(
        self, suspect: Suspect, bad: set[Vote], struck: set[Vote], open_: Counts
    ) -> Disagreement:
        poll = self.poll
        wrong: list[tuple[Vote, Fraction | None]] = []
        for vote in sorted(bad, key=lambda vote: vote.node):
            instead = poll.instead(poll.root[vote])
            if instead is None:
                wrong.append((vote, None))
            elif instead != poll.value[vote]:
                wrong.append((vote, _meant(vote, poll.value[vote], instead)))
        roots = {poll.root[vote] for vote, _ in wrong}
        settled = poll.downstream(roots or {poll.root[vote] for vote in bad}) & open_.keys()
        nodes = sorted({id for root in settled for id in self.ends.failed[root]})
        others = [
            vote
            for root in poll.upstream(settled)
            for _, vote in self.ends.votes.get(root, ())
            if vote not in struck and vote.label != "arrives"
        ]
        first = min((vote.node for vote, _ in wrong), default=0)
        others.sort(key=lambda vote: (abs(vote.node - first), vote.node))
        return Disagreement(suspect[0], tuple(wrong), tuple(others), tuple(nodes))


def _meant(vote: Vote, value: Fraction, instead: Fraction) -> Fraction:
    """The number to write for a class to be worth ``instead``, where it now is worth ``value``."""
    return instead / value * vote.number if value else instead


def _beside(one: Vote, other: Vote) -> bool:
    """Whether one constructor built both layers."""
    return len(other.frames) > 1 and other.frames[1:] == one.frames[1:]


def disagreements(graph: Graph) -> tuple[Disagreement, ...]:
    """What the failed calls of a graph disagree about, one entry for each place to blame."""
    return _trial(graph).disagreements if any(node.error for node in graph.nodes) else ()


_trial = kept_for_the_last(_Trial)


def refusals(graph: Graph) -> tuple[Refusal, ...]:
    """The constructors that refused their groups, by the place to blame."""
    wrong = [layer for layer in graph.layers if refuses(layer)]
    if not wrong:
        return ()
    right = [layer for layer in graph.layers if "groups" in layer.attrs and layer not in wrong]
    explained = _trial(graph).refused
    _, blamed = places(wrong, right, 0, home(graph))
    return tuple(
        Refusal(
            site,
            tuple(layers),
            tuple(sorted({id for layer in layers for id in explained.get(layer.name, ())})),
        )
        for site, layers in blamed
    )
