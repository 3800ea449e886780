"""Blame by vote: the fewest places in the source that explain all disagreements.

Striking out a suspect removes its votes, in every module that it built. The suspect is to blame whose removal settles
most disagreements and removes fewest undisputed votes. This repeats until the remaining votes agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cached_property
from math import prod

from convlint.analysis import graph_queries, ops
from convlint.analysis.diagnosis.constraints import Vote
from convlint.analysis.diagnosis.refused import Refusal, home, is_depthwise, places, refuses
from convlint.analysis.diagnosis.suspects import Counts, Suspect, Suspects
from convlint.analysis.diagnosis.tally import Poll, disputes, winner
from convlint.analysis.diagnosis.votes import Votes
from convlint.ir import Graph, Site
from convlint.support.dataclass import dataclass

# Above these limits too much is wrong for a majority: each failed call is reported on its own.
_MAX_OPEN = 200  # disputed classes
_MAX_BALLOTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A place to blame.

    ``wrong``: its contradicted votes, with the number that the others vote for (None without other votes). ``others``:
    the votes of the other layers, nearest first. ``nodes``: the failed calls that it explains.
    """

    site: Site
    wrong: tuple[tuple[Vote, Fraction | None], ...]
    others: tuple[Vote, ...]
    nodes: tuple[int, ...]


class _Diagnosis:
    """The votes of one graph, and the places that they blame."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.most = _MAX_BALLOTS
        self.votes = Votes(graph)
        self.poll = Poll(self.votes)
        self.refused = self._strike_refused()
        self.popular = Counter({(vote.label, vote.frames): vote.number for vote in self.poll.root}.values())
        self.home = home(graph)
        self.suspects = Suspects(self.poll, self.home)

    def _strike_refused(self) -> dict[str, list[int]]:
        """Strike out the channel numbers that made a constructor raise, if its groups are right.

        Returns the ids of the failed calls that this explains, by layer.
        """
        struck: dict[str, set[Vote]] = {}
        refused = [layer for layer in self.graph.layers if refuses(layer)]
        dense_sites = {layer.site for layer in refused if not is_depthwise(layer)}
        for vote in self.poll.root if refused else ():
            layer = self.graph.layer(self.graph.nodes[vote.node].layer)
            if layer is None or vote.label not in ("in", "out") or layer not in refused:
                continue
            groups = layer.attrs["groups"]
            if layer.site not in dense_sites and groups and vote.number % groups:
                value = self.poll.value[vote]
                same = self.votes.by_class[self.poll.root[vote]]
                built_together = {v for x, v in same if x == value and _same_caller(v, vote)}
                struck.setdefault(layer.name, set()).update(built_together, {vote})
        for votes in struck.values():
            self.poll.struck |= votes
        return {
            name: [
                id
                for vote in votes
                if winner(self.poll.count(self.poll.root[vote])) != self.poll.value[vote]
                for id in self.votes.failed.get(self.poll.root[vote], ())
            ]
            for name, votes in struck.items()
        }

    @cached_property
    def disagreements(self) -> tuple[Disagreement, ...]:
        return tuple(self._blamed())

    def _blamed(self) -> Iterator[Disagreement]:
        while self.poll.looked_at < self.most:
            counts = {root: self.poll.count(root) for root in self.votes.failed}
            open_ = {root: count for root, count in counts.items() if disputes(count)}
            if len(open_) > _MAX_OPEN:
                return
            coverage = self.suspects.accused(open_)
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
            disagreement = self._disagreement(best, coverage[best][0], struck, open_)
            self.poll.correct(self._corrections(disagreement.wrong))
            yield disagreement

    def _corrections(self, wrong: Iterable[tuple[Vote, Fraction | None]]) -> dict[Vote, Fraction]:
        """Values of struck votes that differ from what the others in their class vote for.

        A place that is wrong for many layers is wrong in the same way for all, by a factor or a difference. Where this
        does not lead to the value of the others, one of them is wrong too.
        """
        wrong = [(vote, right) for vote, right in wrong if vote.number]
        known = {vote: right for vote, right in wrong if right is not None}
        ratios = Counter(right / vote.number for vote, right in known.items())
        steps = Counter(right - vote.number for vote, right in known.items())
        if not known:
            return {}
        (ratio, by_ratio), (step, by_step) = ratios.most_common(1)[0], steps.most_common(1)[0]
        corrections = {}
        for vote, right in wrong:
            meant = vote.number * ratio if by_ratio >= by_step else vote.number + step
            if meant != right and meant >= 1 and meant.denominator == 1:
                corrections[vote] = self.poll.value[vote] * meant / vote.number
        fitting = {vote.number for vote in known if vote not in corrections}
        return corrections if 2 * len(corrections) < len(wrong) and len(fitting) > 1 else {}

    def _rank(self, suspect: Suspect, held: tuple[set[Vote], set[Vote]], open_: Counts) -> tuple[float, ...] | None:
        """Rank a suspect, higher is more likely to blame; None if striking it out settles nothing."""
        bad, good = held
        struck, roots = bad | good, {self.poll.root[vote] for vote in bad}
        gain, known = 0.0, 0
        own = Counter({self.suspects.whole_key(vote): vote.number for vote in struck}.values())
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
                        gain -= 1  # no integer would be right there
                    elsewhere = self.popular[vote.number] - own[vote.number]
                    known += self.popular[int(right)] - elsewhere
        finally:
            self.poll.struck = before
        innocent = len({self.poll.root[vote] for vote in good} - roots)
        depth = min(vote.frames.index(suspect[0]) for vote in struck)
        return (
            round(gain - innocent, 6),
            suspect[0].path == self.home,
            any(self._flattened(vote) or self._joined(vote) for vote in bad),
            -depth,
            known / len(bad),
            max(vote.node for vote in bad),
        )

    def _flattened(self, vote: Vote) -> bool:
        """Check whether a vote is the in_features of a linear layer after a flattened map.

        A wrong number of pixels is a frequent mistake there.
        """
        node = self.graph.nodes[vote.node]
        if node.op != "linear" or vote.label != "in":
            return False
        before = self.graph.producer(node.inputs[0])
        if before.op not in ops.FLATTENING or not before.inputs:
            return False
        return prod(self.graph.tensor(before.inputs[0]).shape[2:]) > 1

    def _joined(self, vote: Vote) -> bool:
        """Check whether a vote is the input of a layer that reads a concatenation: the sum is easily miscounted."""
        node = self.graph.nodes[vote.node]
        return vote.label == "in" and graph_queries.concatenation_before(self.graph, node) is not None

    def _disagreement(self, suspect: Suspect, bad: set[Vote], struck: set[Vote], open_: Counts) -> Disagreement:
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
        nodes = sorted({id for root in settled for id in self.votes.failed[root]})
        others = [
            vote
            for root in poll.upstream(settled)
            for _, vote in self.votes.by_class.get(root, ())
            if vote not in struck and vote.label != "observed"
        ]
        first = min((vote.node for vote, _ in wrong), default=0)
        others.sort(key=lambda vote: (abs(vote.node - first), vote.node))
        return Disagreement(suspect[0], tuple(wrong), tuple(others), tuple(nodes))


def _meant(vote: Vote, value: Fraction, instead: Fraction) -> Fraction:
    """The number to declare so that the value of the class becomes ``instead`` rather than ``value``."""
    return instead / value * vote.number if value else instead


def _same_caller(left: Vote, right: Vote) -> bool:
    """Check whether the same calls led to the constructors of both layers."""
    return len(right.frames) > 1 and right.frames[1:] == left.frames[1:]


def disagreements(graph: Graph) -> tuple[Disagreement, ...]:
    """Find the disagreements that made calls of a graph fail, one for each place to blame."""
    return graph.derived(_Diagnosis).disagreements if any(node.error for node in graph.nodes) else ()


def ballots(graph: Graph) -> int:
    """The ballots and votes that were looked at to find the disagreements of a graph, a measure of the work."""
    return graph.derived(_Diagnosis).poll.looked_at if any(node.error for node in graph.nodes) else 0


def limit(graph: Graph, most: int) -> None:
    """Limit the ballots that are looked at to find the disagreements of a graph. Call it before they are found."""
    if any(node.error for node in graph.nodes):
        graph.derived(_Diagnosis).most = most


def refusals(graph: Graph) -> tuple[Refusal, ...]:
    """Group the convolutions whose constructor raised because of their groups by the place to blame."""
    wrong = [layer for layer in graph.layers if refuses(layer)]
    if not wrong:
        return ()
    right = [layer for layer in graph.layers if "groups" in layer.attrs and not refuses(layer)]
    explained = graph.derived(_Diagnosis).refused
    _, blamed = places(wrong, right, 0, home(graph))
    return tuple(
        Refusal(site, tuple(layers), tuple(sorted({id for layer in layers for id in explained.get(layer.name, ())})))
        for site, layers in blamed
    )
