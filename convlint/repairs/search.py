"""The search for repairs: candidates are tried, and the best explains its conflict and all others that it settles."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from typing import Protocol

from convlint.analysis import graph_queries, merges
from convlint.ir import Edit, Finding, Graph, Layer, Node, Site
from convlint.repairs import luck
from convlint.repairs.candidate import Candidate
from convlint.support.dataclass import dataclass

MOST_TRIALS = 150
"""Candidates that are tried for one conflict."""
MOST_EQUALS = 3
"""Repairs of one conflict that are reported, where nothing distinguishes them."""

Place = tuple[str, int]
"""A file and a line."""
Operation = tuple[str, int, str]
"""A file, a line, and the layer or function that is called there: the same one after an edit of a number."""


@dataclass(frozen=True)
class Conflict:
    """An operation that PyTorch refuses, the finding that reports it, and the graph in which it is.

    ``node`` is the id of the failing call; None for a constructor that fails, whose ``layer`` is named if it is known.
    """

    finding: Finding
    graph: Graph
    node: int | None = None
    layer: str | None = None

    @cached_property
    def operation(self) -> Operation:
        if self.node is not None:
            return operation(self.graph.nodes[self.node], self.finding.site)
        layer = self.graph.layer(self.layer)
        return _operation(self.finding.site, self.finding.code) if layer is None else construction(layer)

    @property
    def frames(self) -> tuple[Site, ...]:
        """The failing call and the calls that built its layer, or the module around it; innermost first."""
        if self.node is None:
            return construction_frames(self.graph.layer(self.layer))
        return frames(self.graph, self.graph.nodes[self.node])

    @property
    def is_merge(self) -> bool:
        """True if the failing call is a sum, a product or a concatenation."""
        return self.node is not None and self.graph.nodes[self.node].op in merges.MERGES

    def is_on(self, places: Collection[Place]) -> bool:
        """Return whether the finding, the failing call or a call that built its layer is on one of these lines."""
        sites = (*((self.finding.site,) if self.finding.site else ()), *self.frames)
        return any((site.path, site.line) in places for site in sites)


def frames(graph: Graph, node: Node) -> tuple[Site, ...]:
    """A call, and the calls that built its layer or the module around it."""
    own = () if node.site is None else (node.site,)
    return (*own, *construction_frames(graph.layer(node.layer if node.layer is not None else node.module)))


def construction_frames(layer: Layer | None) -> tuple[Site, ...]:
    """The calls that built a layer, innermost first; empty if they are not known."""
    return () if layer is None or layer.site is None else (layer.site, *layer.chain)


def operation(node: Node, default: Site | None = None) -> Operation:
    """The operation of a call; ``default`` is its place if it has none of its own."""
    return _operation(node.site or default, node.layer or node.op)


def construction(layer: Layer) -> Operation:
    """The operation that builds a layer."""
    return _operation(layer.site, layer.name)


def _operation(site: Site | None, name: str) -> Operation:
    return ("", 0, name) if site is None else (site.path, site.line, name)


@dataclass(frozen=True)
class Explanation:
    """A cause: its conflict, its verified repairs, and the conflicts that the first of them settles.

    The repairs are equally good: each of them settles the conflict alone. Without any, none was found; ``refuted`` says
    that some were tried.
    """

    conflict: Conflict
    repairs: tuple[Candidate, ...] = ()
    settled: tuple[Conflict, ...] = ()
    refuted: bool = False

    @property
    def repair(self) -> Candidate | None:
        """The first repair."""
        return next(iter(self.repairs), None)


@dataclass(frozen=True)
class Outcome:
    """The result of a trial: conflicts in the order of execution, and the lines of all operations that were reached.

    ``unknown`` are operations that ran after a failing one and may fail after it is repaired. A ``partial`` program
    ended at a conflict: what fails after it is unknown too, but for the operations that are known to be ``working``.
    """

    conflicts: tuple[Conflict, ...]
    reached: frozenset[Place] = frozenset()
    unknown: frozenset[Operation] = frozenset()
    working: frozenset[Operation] = frozenset()
    partial: bool = False

    @cached_property
    def failing(self) -> frozenset[Operation]:
        """All operations that fail."""
        return frozenset(conflict.operation for conflict in self.conflicts)

    @cached_property
    def behind(self) -> frozenset[Operation]:
        """The operations that read what a failing one returns: they work, or fail, by its numbers.

        The calls of a layer whose constructor fails are among them.
        """
        found: set[Operation] = set()
        for graph in {id(conflict.graph): conflict.graph for conflict in self.conflicts}.values():
            own = [conflict for conflict in self.conflicts if conflict.graph is graph]
            calls, refused = {each.node for each in own}, {each.layer for each in own if each.node is None}
            failed = [node for node in graph.nodes if node.id in calls or (node.layer and node.layer in refused)]
            tensors = graph_queries.downstream_tensors(graph, failed)
            found |= {operation(node) for node in graph.nodes if node in failed or not tensors.isdisjoint(node.inputs)}
        return frozenset(found)

    def may_fail(self, operation: Operation) -> bool:
        """Return whether an operation fails, or is not known to work."""
        is_unknown = operation in self.unknown or (self.partial and operation not in self.working)
        return is_unknown or operation in self.failing


class Trial(Protocol):
    """Applies edits to the program and analyzes it again; None where the trial itself failed.

    With a conflict that the last edits are to settle, it may be None as well where they do not, and the outcome of a
    part of the program where that has other conflicts.
    """

    def __call__(self, edits: Sequence[Edit], settles: Conflict | None = None) -> Outcome | None: ...


@dataclass
class Budget:
    """The time that the search may take, in seconds of a clock: that of the process counts no other program."""

    seconds: float
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._end = self.clock() + self.seconds

    @property
    def half(self) -> Budget:
        """A half of the time that is left."""
        return Budget((self._end - self.clock()) / 2, self.clock)

    @property
    def is_left(self) -> bool:
        return self.clock() < self._end


def explain(
    start: Outcome,
    propose: Callable[[Conflict], Iterable[Candidate]],
    trial: Trial,
    budget: Budget,
    made: Iterable[Edit] = (),
    expect: Callable[[Sequence[Candidate]], None] = lambda _: None,
) -> list[Explanation]:
    """Explain the conflicts of a program one after the other, each in the program that the repairs before it left.

    ``start`` is the outcome after the edits that were ``made``. ``expect`` is called with candidates to be tried.

    A conflict that no candidate settles is reported without a repair. An edit moves the columns of its line: a conflict
    on that line is described as the program had it at the start, where it always is, as trials bring no new ones.
    """
    originals = {conflict.operation: conflict for conflict in start.conflicts}
    explained: list[Explanation] = []
    edits = [*made]
    state = start
    given_up: set[Operation] = set()
    while left := [c for c in state.conflicts if c.operation not in given_up]:
        edited = {(edit.site.path, edit.site.line) for edit in edits}
        first = originals.get(left[0].operation, left[0]) if left[0].is_on(edited) else left[0]
        proposals = list(propose(first)) if budget.is_left else []
        expect(proposals)
        found = _repair(first, state, proposals, trial, budget, edits, propose)
        if found is None:
            explained.append(Explanation(first, refuted=bool(proposals)))
            given_up.add(first.operation)
            continue
        repairs, after = found
        settled = tuple(c for c in left[1:] if c.operation not in after.failing)
        explained.append(Explanation(first, repairs, settled))
        edits += repairs[0].edits
        state = after
    return explained


def _repair(
    first: Conflict,
    before: Outcome,
    proposals: Sequence[Candidate],
    trial: Trial,
    budget: Budget,
    edits: Sequence[Edit],
    propose: Callable[[Conflict], Iterable[Candidate]],
) -> tuple[tuple[Candidate, ...], Outcome] | None:
    """The candidate that settles a conflict, brings no new one and leaves the fewest, and those that are equal to it.

    Returns the candidates and the outcome of the first. Once there is one, only numbers that what it leaves depends on
    as well are tried, for half of the time that is left.
    """
    limit = budget
    common: frozenset[Site] = frozenset()
    edited = {edit.site for edit in edits}
    best: list[Candidate] = []
    moving: list[Candidate] = []
    least: Outcome | None = None
    tried = 0
    for candidate in proposals:
        if tried >= MOST_TRIALS or not limit.is_left:
            break
        is_equal = 0 < len(best) < MOST_EQUALS and all(candidate.is_equal_to(other) for other in best)
        if candidate.edit.site in edited or (least and not is_equal and candidate.edit.site not in common):
            continue
        tried += 1
        after = trial([*edits, *candidate.edits], first)
        if after is None or not _is_progress(first, before, after) or _is_partial(first, candidate, before, after):
            if after is not None and _shows_others(first, before, after):
                limit = limit if moving else budget.half
                moving.append(candidate)
            continue
        if least is None or len(after.failing) < len(least.failing):
            limit = limit if least else budget.half
            best, least = [candidate], after
            common = frozenset(each.edit.site for left in after.conflicts[:1] for each in propose(left))
        elif is_equal and len(after.failing) == len(least.failing):
            best.append(candidate)
    if least is None:
        return _with_others_left(first, before, moving, trial, budget, edits)
    inside = _inside_the_callee(best[0], least, proposals, first, before, trial, budget, edits)
    return inside or (tuple(best), least)


_MOST_MOVING = 4  # candidates that settle a conflict behind which others appear


def _with_others_left(
    first: Conflict,
    before: Outcome,
    candidates: Sequence[Candidate],
    trial: Trial,
    budget: Budget,
    edits: Sequence[Edit],
) -> tuple[tuple[Candidate, ...], Outcome] | None:
    """The candidate that settles a conflict and leaves the fewest, although others appear behind it.

    Two mistakes can hide each other: a layer fits what the one before it returns only because both are wrong.
    """
    best: tuple[tuple[Candidate, ...], Outcome] | None = None
    least = len(before.failing)
    for candidate in candidates[:_MOST_MOVING]:
        after = trial([*edits, *candidate.edits]) if budget.is_left else None
        if after is None or not _shows_others(first, before, after) or _is_partial(first, candidate, before, after):
            continue
        if len(after.failing) < least:
            best, least = ((candidate,), after), len(after.failing)
    return best


def _inside_the_callee(
    chosen: Candidate,
    least: Outcome,
    proposals: Sequence[Candidate],
    first: Conflict,
    before: Outcome,
    trial: Trial,
    budget: Budget,
    edits: Sequence[Edit],
) -> tuple[tuple[Candidate, ...], Outcome] | None:
    """The repair in the callee, if an argument of a call was chosen and works only for the numbers of today."""
    working: dict[Edit, Outcome] = {}
    rivals = []
    for candidate in luck.rivals(chosen, proposals):
        after = trial([*edits, *candidate.edits], first) if budget.is_left else None
        if after is not None and _is_progress(first, before, after) and len(after.failing) <= len(least.failing):
            working[candidate.edit] = after
            rivals.append(candidate)

    def works(more: Sequence[Edit], places: Collection[Place]) -> bool:
        """Nothing fails that these lines call or build; what follows it need not fit its output."""
        after = trial([*edits, *more]) if budget.is_left else None
        return after is not None and not any(conflict.is_on(places) for conflict in after.conflicts)

    better = luck.most_general(chosen, rivals, works) if rivals else chosen
    return None if better is chosen else ((better,), working[better.edit])


def _is_progress(first: Conflict, before: Outcome, after: Outcome) -> bool:
    """Return whether a trial reached the operation of a conflict, found it to work, and breaks no other that worked."""
    path, line, _ = first.operation
    if (path, line) not in after.reached or first.operation in after.failing:
        return False
    if first.is_merge:  # what reads the result fits one of its operands: a failure that moves there is not settled
        return after.failing <= before.failing
    return all(map(before.may_fail, after.failing))


def _shows_others(first: Conflict, before: Outcome, after: Outcome) -> bool:
    """Return whether a trial settles a conflict, and what fails now reads what failed before."""
    path, line, _ = first.operation
    if first.is_merge or (path, line) not in after.reached or first.operation in after.failing:
        return False
    return all(before.may_fail(each) or each in before.behind for each in after.failing)


_MOST_LEFT = 0.25  # of the modules in which an operation failed: these have another cause


def _is_partial(first: Conflict, candidate: Candidate, before: Outcome, after: Outcome) -> bool:
    """Return whether a repair leaves the same operation failing in many other modules that the same call builds."""
    frame = None if candidate.number is None else candidate.number.frame
    if frame is None:
        return False
    alike = {c.operation for c in before.conflicts if c.operation[:2] == first.operation[:2] and frame in c.frames}
    return len(alike & after.failing) > _MOST_LEFT * len(alike)
