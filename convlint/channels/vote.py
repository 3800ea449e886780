"""Blame by vote: the fewest places in the source that explain every disagreement.

A suspect is a place in the source and what it may have got wrong there. Striking it out takes its
votes away, in every module that it built; the suspect whose removal settles most disagreements,
and takes fewest votes that nobody disputes, is to blame. That repeats until all who are left agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod

from convlint.channels.ends import Ends, Label, Vote
from convlint.model import Graph, Layer, Site

Suspect = tuple[Site, frozenset[object]]  # a place, and which of its numbers is wrong
Held = tuple[set["Vote"], set["Vote"]]  # a suspect's votes: contradicted, and not
Counts = dict[int, Counter[Fraction]]  # what is said of a class


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
    """The votes that count while some are struck out."""

    def __init__(self, ends: Ends) -> None:
        self.ends = ends
        self.struck: set[Vote] = set()
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
        counted: Counter[Fraction] = Counter()
        for votes in self._ballots.get(root, {}).values():
            if not self.struck.issuperset(votes):
                counted[self.value[votes[0]]] += 1
        for ratio, parts in self._sums.get(root, ()):
            total = self._total(parts, above | {root})
            if total is not None:
                counted[total / ratio] += 1
        return counted

    def _total(self, parts: tuple[tuple[int, Fraction], ...], above: frozenset[int]) -> Fraction | None:
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


def _sole_winner(counted: Counter[Fraction]) -> Fraction | None:
    first, *others = counted.most_common(2)
    return None if others and others[0][1] == first[1] else first[0]


def _disputes(counted: Counter[Fraction]) -> int:
    """Pairs of places that say different things."""
    total = counted.total()
    return (total * total - sum(n * n for n in counted.values())) // 2


class _Trial:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ends = Ends(graph)
        self.poll = _Poll(self.ends)
        self.refused = self._strike_refused()
        ballots = {(vote.label, vote.frames): vote.number for vote in self.poll.root}
        self.popular = Counter(ballots.values())
        self.home = home(graph)

    def _strike_refused(self) -> dict[str, list[int]]:
        """Strike out what a refused constructor said of the one count that its groups do not divide;
        the failed calls that this explains, by layer.
        """
        struck: dict[str, set[Vote]] = {}
        for vote in self.poll.root:
            layer = self.graph.layer(self.graph.nodes[vote.node].layer)
            if layer is None or vote.label not in ("in", "out") or not refuses(layer):
                continue
            groups = layer.attrs["groups"]
            if groups < 1 or vote.number % groups == 0:
                continue
            if layer.attrs["in_channels"] % groups == 0 or layer.attrs["out_channels"] % groups == 0:
                struck.setdefault(layer.name, set()).add(vote)
        for votes in struck.values():
            for vote in tuple(votes):
                same = self.ends.votes[self.poll.root[vote]]
                votes |= {v for x, v in same if x == self.poll.value[vote] and _beside(v, vote)}
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
        while True:
            counts = {root: self.poll.count(root) for root in self.ends.failed}
            open_ = {root: count for root, count in counts.items() if _disputes(count)}
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
            yield self._explained(best, coverage[best][0], struck, open_)

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
                suspect = (vote.frames[depth], frozenset({vote.label}))
                reached.setdefault(suspect, set()).add(vote)
            depth += 1
            votes = []
            for suspect, held in reached.items():
                if near.isdisjoint([self.poll.root[vote] for vote in held]):
                    continue
                bad, good = self._split(held, near, open_)
                if bad:
                    found.setdefault(suspect, set()).update(held)
                if good or suspect[0].path != self.home:
                    votes += [vote for vote in held if len(vote.frames) > depth]
        found |= self._passed_on(near)
        split = {suspect: self._split(held, near, open_) for suspect, held in found.items()}
        return {suspect: held for suspect, held in split.items() if held[0]}

    def _passed_on(self, near: set[int]) -> dict[Suspect, set[Vote]]:
        """Calls that handed one number to several layers which agree: a wrapper's convolution and
        its norm, for instance. That number may be wrong all the same.
        """
        together: dict[tuple[Site, int, Fraction], set[tuple[object, ...]]] = {}
        for root in near:
            for value, vote in self.ends.votes.get(root, ()):
                if vote not in self.poll.struck:
                    for depth, site in enumerate(vote.frames[1:], 1):
                        key = (*vote.frames[:depth], vote.label)
                        together.setdefault((site, root, value), set()).add(key)
        wanted: dict[Site, set[frozenset[object]]] = {}
        for (site, _, _), keys in together.items():
            if len({key[0] for key in keys}) > 1:
                wanted.setdefault(site, set()).add(frozenset(keys))
        found: dict[Suspect, set[Vote]] = {}
        for site, groups in wanted.items():
            through: dict[object, set[Vote]] = {}
            for vote in self.poll.root:
                if site in vote.frames and vote not in self.poll.struck:
                    inner = vote.frames[: vote.frames.index(site)]
                    through.setdefault((*inner, vote.label), set()).add(vote)
            for keys in groups:
                found[site, keys] = set().union(*[through.get(key, set()) for key in keys])
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
        before = self.poll.struck
        self.poll.struck = before | struck
        try:
            for root in self.poll.downstream(roots) & open_.keys():
                gain += 1 - _disputes(self.poll.count(root)) / _disputes(open_[root])
            others = {vote: self.poll.instead(self.poll.root[vote]) for vote in bad}
            if gain == 0 or all(others[vote] == self.poll.value[vote] for vote in bad):
                return None
            for vote, instead in others.items():
                if instead is not None:
                    right = instead / self.poll.value[vote] * vote.number
                    if right.denominator != 1 or right < 1:
                        gain -= 1  # no number there could have been meant
                    known += self.popular[int(right)] - self.popular[vote.number]
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
                wrong.append((vote, instead / poll.value[vote] * vote.number))
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


def home(graph: Graph) -> str | None:
    """The file that the model's own class stands in: files beside it hold what others use as well."""
    root = graph.layer("")
    if root is None:
        return None
    for layer in graph.layers:
        for site in layer.chain[::-1] + ((layer.site,) if layer.site else ()):
            if site.function == f"{root.kind}.__init__":
                return site.path
    return None if root.site is None else root.site.path


def _beside(one: Vote, other: Vote) -> bool:
    """Whether one constructor built both layers."""
    return len(other.frames) > 1 and other.frames[1:] == one.frames[1:]


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
    if not wrong:
        return ()
    right = [layer for layer in graph.layers if "groups" in layer.attrs and layer not in wrong]
    explained = _trial(graph).refused
    _, places = _places(wrong, right, 0, home(graph))
    return tuple(
        Refusal(
            site,
            tuple(layers),
            tuple(sorted({id for layer in layers for id in explained.get(layer.name, ())})),
        )
        for site, layers in places
    )


def _places(
    wrong: list[Layer], right: list[Layer], depth: int, at_home: str | None
) -> tuple[int, list[tuple[Site, list[Layer]]]]:
    """The fewest places that built ``wrong``, each layer of ``right`` built there counting as one
    more; the innermost ones, unless only an outer one stands ``at_home``.
    """
    cost, found = 0, []
    by_site: dict[Site, tuple[list[Layer], list[Layer]]] = {}
    for layers, kind in ((wrong, 0), (right, 1)):
        for layer in layers:
            frames = _frames(layer)
            if depth < len(frames):
                by_site.setdefault(frames[depth], ([], []))[kind].append(layer)
    for site, (bad, good) in by_site.items():
        if not bad:
            continue
        here = 1 + len(good)
        outside, places = _places(bad, good, depth + 1, at_home)
        reached = sum(len(layers) for _, layers in places) == len(bad)
        stranger = site.path != at_home and any(s.path == at_home for s, _ in places)
        if reached and (outside < here or (outside == here and stranger)):
            cost, found = cost + outside, found + places
        else:
            cost, found = cost + here, [*found, (site, bad)]
    return cost, found


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
