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

from convlint.channels.ends import Ends, Label, Vote
from convlint.model import Graph, Layer, Site

Suspect = tuple[Site, Label | None]  # a place, and its numbers of one label or (None) all of them


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


class _Poll:
    """The votes that count while some suspects are struck out."""

    def __init__(self, ends: Ends) -> None:
        self.ends = ends
        self.struck: set[Vote] = set()
        self.sums: dict[int, list[tuple[Fraction, tuple[tuple[int, Fraction], ...]]]] = {}
        self.readers: dict[int, set[int]] = {}
        for whole, ratio, parts in ends.sums:
            self.sums.setdefault(whole, []).append((ratio, parts))
            for part, _ in parts:
                self.readers.setdefault(part, set()).add(whole)
        self.classes: dict[Vote, int] = {
            vote: root for root, votes in ends.votes.items() for _, vote in votes
        }
        # A loop that builds equal layers at one place casts one vote.
        self._ballots: dict[int, list[tuple[Fraction, list[Vote]]]] = {}
        for root, votes in ends.votes.items():
            same: dict[object, tuple[Fraction, list[Vote]]] = {}
            for value, vote in votes:
                key = (value, vote.label, vote.frames or vote.node)
                same.setdefault(key, (value, []))[1].append(vote)
            self._ballots[root] = list(same.values())

    def count(self, root: int, struck: set[Vote] | frozenset[Vote] = frozenset()) -> Counter[Fraction]:
        """How many places vote for each value of a class."""
        return self._count(root, self.struck | struck if struck else self.struck, set())

    def _count(self, root: int, struck: set[Vote], above: set[int]) -> Counter[Fraction]:
        counted: Counter[Fraction] = Counter()
        for value, votes in self._ballots.get(root, ()):
            if any(vote not in struck for vote in votes):
                counted[value] += 1
        for ratio, parts in self.sums.get(root, ()):
            total: Fraction | None = Fraction(0)
            for part, its in parts:
                if part in above or total is None:
                    total = None
                    break
                said = _winner(self._count(part, struck, above | {root}))
                total = None if said is None else total + said * its
            if total is not None:
                counted[total / ratio] += 1
        return counted

    def value(self, root: int, struck: set[Vote] | frozenset[Vote] = frozenset()) -> Fraction | None:
        """What most places say."""
        return _winner(self.count(root, struck))

    def downstream(self, roots: Iterable[int]) -> set[int]:
        """Classes whose counts may depend on ``roots``."""
        found, waiting = set(), list(roots)
        while waiting:
            root = waiting.pop()
            if root not in found:
                found.add(root)
                waiting += self.readers.get(root, ())
        return found


def _winner(counted: Counter[Fraction]) -> Fraction | None:
    return counted.most_common(1)[0][0] if counted else None


def _disputes(counted: Counter[Fraction]) -> int:
    """Pairs of places that say different things."""
    total = counted.total()
    return (total * total - sum(n * n for n in counted.values())) // 2


class _Trial:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ends = Ends(graph)
        self.poll = _Poll(self.ends)
        self.under: dict[Suspect, list[Vote]] = {}
        for votes in self.ends.votes.values():
            for _, vote in votes:
                for site in dict.fromkeys(vote.frames):
                    self.under.setdefault((site, vote.label), []).append(vote)
                    self.under.setdefault((site, None), []).append(vote)
        self.refused = self._strike_refused()
        self.disputed = {root for root in self.ends.failed if _disputes(self.poll.count(root))}
        self.popular = Counter(
            vote.number
            for votes in self.ends.votes.values()
            for vote in {(v.label, v.frames): v for _, v in votes}.values()
        )

    def _strike_refused(self) -> dict[str, list[int]]:
        """Strike out what a refused constructor said of the one count that its groups do not divide;
        the failed calls that this explains, by layer.
        """
        explained: dict[str, list[int]] = {}
        struck: dict[str, set[Vote]] = {}
        for vote in self.poll.classes:
            layer = self.graph.layer(self.graph.nodes[vote.node].layer)
            if layer is None or vote.label not in ("in", "out") or not refuses(layer):
                continue
            groups = layer.attrs["groups"]
            if groups < 1 or vote.number % groups == 0:
                continue
            if layer.attrs["in_channels"] % groups == 0 or layer.attrs["out_channels"] % groups == 0:
                struck.setdefault(layer.name, set()).add(vote)
        for votes in struck.values():
            self.poll.struck |= votes
        for name, votes in struck.items():
            for vote in votes:
                root = self.poll.classes[vote]
                own = next(value for value, v in self.ends.votes[root] if v is vote)
                if self.poll.value(root) != own:
                    explained.setdefault(name, []).extend(self.ends.failed.get(root, ()))
        return explained

    def _blamed(self) -> Iterator[tuple[Suspect, set[int]]]:
        """The suspects to blame, each with the classes in which it settles something."""
        while True:
            open_ = {root for root in self.disputed if _disputes(self.poll.count(root))}
            best = max(self._suspects(open_), key=lambda s: self._rank(s, open_), default=None)
            if best is None or self._gain(best, open_) <= 0:
                return
            struck = set(self.under[best])
            settled = {
                root
                for root in self.poll.downstream(self.poll.classes[v] for v in struck) & open_
                if _disputes(self.poll.count(root, struck)) < _disputes(self.poll.count(root))
            }
            yield best, settled
            self.poll.struck |= struck

    @cached_property
    def disagreements(self) -> tuple[Disagreement, ...]:
        return tuple(
            _explained(self, site, set(self.under[site, label]), settled)
            for (site, label), settled in self._blamed()
        )

    # --- suspects

    def _suspects(self, open_: set[int]) -> set[Suspect]:
        found: set[Suspect] = set()
        for root in self._reaching(open_):
            for _, vote in self.ends.votes.get(root, ()):
                if vote in self.poll.struck:
                    continue
                for label in (vote.label, None):
                    for site in vote.frames:
                        found.add((site, label))
                        if not self._innocent((site, label)):
                            break  # all that this place built is disputed: look no further out
        return found

    def _reaching(self, roots: set[int]) -> set[int]:
        """Classes that ``roots`` or a part of their sums belong to."""
        found, waiting = set(), list(roots)
        while waiting:
            root = waiting.pop()
            if root not in found:
                found.add(root)
                waiting += [part for _, parts in self.poll.sums.get(root, ()) for part, _ in parts]
        return found

    def _innocent(self, suspect: Suspect) -> int:
        """Classes that nobody disputes and that the suspect has a vote in."""
        roots = {self.poll.classes[vote] for vote in self.under[suspect]}
        return sum(not (self.poll.downstream({root}) & self.disputed) for root in roots)

    def _gain(self, suspect: Suspect, open_: set[int]) -> float:
        """The share of disputes that vanish, summed over the classes."""
        struck = set(self.under[suspect])
        gain = 0.0
        for root in self.poll.downstream(self.poll.classes[vote] for vote in struck) & open_:
            before = _disputes(self.poll.count(root))
            gain += 1 - _disputes(self.poll.count(root, struck)) / before
        return gain

    def _rank(self, suspect: Suspect, open_: set[int]) -> tuple[float, ...]:
        score = self._gain(suspect, open_) - self._innocent(suspect)
        if suspect[1] is None:
            score -= 0.25  # one number is mistyped more often than all of a call's
        votes = self.under[suspect]
        depth = min(vote.frames.index(suspect[0]) for vote in votes)
        return (round(score, 6), -depth, *self._prior(suspect, open_))

    def _prior(self, suspect: Suspect, open_: set[int]) -> tuple[float, ...]:
        """What tells equal suspects apart: a value that the rest of the model does not know, then
        the end that comes later.
        """
        struck = set(self.under[suspect])
        known = 0
        for vote in struck:
            root = self.poll.classes[vote]
            if root not in open_:
                continue
            ratio = Fraction(vote.number) / next(x for x, v in self.ends.votes[root] if v is vote)
            instead = self.poll.value(root, struck)
            if instead is not None:
                known += self.popular[int(instead * ratio)] - self.popular[vote.number]
        return known / len(struck), max(vote.node for vote in struck)


def disagreements(graph: Graph) -> tuple[Disagreement, ...]:
    """What the failed calls of a graph disagree about, one entry for each place to blame."""
    return _trial(graph).disagreements if any(node.error for node in graph.nodes) else ()


def _trial(graph: Graph) -> _Trial:
    """The trial of a graph; kept for the graph asked for last, as several rules ask about it."""
    kept = _kept.get(id(graph))
    if kept is None or kept.graph is not graph:
        kept = _Trial(graph)
        _kept.clear()
        _kept[id(graph)] = kept
    return kept


_kept: dict[int, _Trial] = {}


def _explained(trial: _Trial, site: Site, struck: set[Vote], settled: set[int]) -> Disagreement:
    poll, ends = trial.poll, trial.ends
    wrong: list[tuple[Vote, Fraction | None]] = []
    for vote in sorted(struck, key=lambda vote: vote.node):
        root = poll.classes[vote]
        if root in settled or poll.downstream({root}) & settled:
            own = next(value for value, v in ends.votes[root] if v is vote)
            instead = poll.value(root, struck)
            if instead is None or instead != own:
                right = None if instead is None else instead * vote.number / own
                wrong.append((vote, right))
    nodes = sorted({id for root in settled for id in ends.failed.get(root, ())})
    near = {poll.classes[vote] for vote, _ in wrong} | settled
    others = [
        vote
        for root in trial._reaching(near)
        for _, vote in ends.votes.get(root, ())
        if vote not in struck and vote.label != "arrives"
    ]
    first = wrong[0][0].node if wrong else nodes[0] if nodes else 0
    others.sort(key=lambda vote: (abs(vote.node - first), vote.node))
    return Disagreement(site, tuple(wrong), tuple(others), tuple(nodes))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A place that built convolutions whose channels its groups do not divide; ``nodes`` are the
    failed calls that only its numbers contradict.
    """

    site: Site
    layers: tuple[Layer, ...]
    nodes: tuple[int, ...]


def refusals(graph: Graph) -> tuple[Refusal, ...]:
    """The constructors that refused their groups, by the place to blame."""
    wrong = [layer for layer in graph.layers if refuses(layer)]
    right = [layer for layer in graph.layers if "groups" in layer.attrs and layer not in wrong]
    explained = _trial(graph).refused if wrong else {}
    found = []
    while wrong:
        scores: dict[Site, tuple[int, int]] = {}
        for layer in wrong:
            for depth, site in enumerate(_frames(layer)):
                hits = sum(site in _frames(other) for other in wrong)
                misses = sum(site in _frames(other) for other in right)
                scores.setdefault(site, (hits - misses, -depth))
                if not misses:
                    break
        if not scores:
            break
        site = max(scores, key=lambda site: scores[site])
        here = tuple(layer for layer in wrong if site in _frames(layer))
        nodes = {id for layer in here for id in explained.get(layer.name, ())}
        found.append(Refusal(site, here, tuple(sorted(nodes))))
        wrong = [layer for layer in wrong if layer not in here]
    return tuple(found)


def refuses(layer: Layer) -> bool:
    """Whether a convolution was refused for its groups."""
    attrs = layer.attrs
    if layer.error is None or not {"in_channels", "out_channels", "groups"} <= attrs.keys():
        return False
    groups = attrs["groups"]
    return bool(
        groups < 1 or attrs["in_channels"] % groups != 0 or attrs["out_channels"] % groups != 0
    )


def _frames(layer: Layer) -> tuple[Site, ...]:
    return () if layer.site is None else (layer.site, *layer.chain)
