"""The search for repairs: candidates are tried, and the best explains its conflict and all others that it settles."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import islice
from math import inf
from typing import Protocol

from convlint.ir import Edit, Site
from convlint.repairs import luck
from convlint.repairs.budget import Budget
from convlint.repairs.candidate import Candidate
from convlint.repairs.conflict import Conflict, Operation, Outcome, Place, operation
from convlint.repairs.conflict_ends import declared_votes
from convlint.support.dataclass import dataclass

MOST_TRIALS = 150
"""Candidates that are tried for one conflict."""
_MOST_BETTER = 4  # candidates that are tried after one that settles the conflict
_MOST_SHARED = 16  # and of those that are proposed for what it leaves
MOST_EQUALS = 3
"""Repairs of one conflict that are reported, where nothing distinguishes them."""


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


Propose = Callable[[Conflict, Sequence[Edit]], Iterable[Candidate]]
"""The candidates for a conflict of the program after edits."""


class Trial(Protocol):
    """Applies edits to the program and analyzes it again; None where the trial itself failed.

    With a conflict that the last edits are to settle, it may be None as well where they do not, and the outcome of a
    part of the program where that has other conflicts.
    """

    def __call__(self, edits: Sequence[Edit], settles: Conflict | None = None) -> Outcome | None: ...


def explain(
    start: Outcome,
    propose: Propose,
    trial: Trial,
    budget: Budget,
    made: Iterable[Edit] = (),
    expect: Callable[[Sequence[Candidate]], None] = lambda _: None,
) -> list[Explanation]:
    """Explain the conflicts of a program one after the other, each in the program that the repairs before it left.

    ``start`` is the outcome after the edits that were ``made``. ``expect`` is called with candidates to be tried.

    A conflict that no candidate settles is reported without a repair, unless those of later ones settle it. An edit
    moves the columns of its line: a conflict on that line is described as the program had it at the start, where it
    always is, as trials bring no new ones.
    """
    originals = {conflict.operation: conflict for conflict in start.conflicts}
    explained: list[Explanation] = []
    edits = [*made]
    state = start
    given_up: set[Operation] = set()
    while left := [c for c in state.conflicts if c.operation not in given_up]:
        edited = {(edit.site.path, edit.site.line) for edit in edits}
        first = originals.get(left[0].operation, left[0]) if left[0].is_on(edited) else left[0]
        made = edits if first is left[0] else []
        proposals = list(propose(first, made)) if budget.is_left else []
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
        budget.renew()
    return [each for each in explained if each.repairs or not _works(each.conflict, state)]


def _works(conflict: Conflict, after: Outcome) -> bool:
    """Return whether an operation works that failed before the repairs of others."""
    path, line, _ = conflict.operation
    return (path, line) in after.reached and conflict.operation not in after.failing


def _repair(
    first: Conflict,
    before: Outcome,
    proposals: Sequence[Candidate],
    trial: Trial,
    budget: Budget,
    edits: Sequence[Edit],
    propose: Propose,
) -> tuple[tuple[Candidate, ...], Outcome] | None:
    """The candidate that settles a conflict, brings no new one and leaves the fewest, and those that are equal to it.

    Returns the candidates and the outcome of the first. Once there is one, only numbers that what it leaves depends on
    as well are tried, for half of the time that is left.
    """
    limit = budget
    common: frozenset[Site] = frozenset()
    edited = {edit.site for edit in edits}
    best: list[Candidate] = []
    moving: list[tuple[int, Candidate]] = []  # with the number of operations that fail after it
    least: Outcome | None = None
    tried, most = 0, MOST_TRIALS
    waiting = deque(proposals)
    while waiting:
        candidate = waiting.popleft()
        if tried >= most or not limit.is_left:
            break
        is_equal = 0 < len(best) < MOST_EQUALS and all(candidate.is_equal_to(other) for other in best)
        if candidate.edit.site in edited or (candidate.only_better and least is None):
            continue
        if least and not is_equal and candidate.edit.site not in common:
            continue
        tried += 1
        after = trial([*edits, *candidate.edits], first)
        if after is None or not _is_progress(first, before, after) or _is_partial(first, candidate, before, after):
            if after is not None and not candidate.doubtful and _shows_others(first, before, after):
                limit = limit if moving else budget.half
                moving.append((after.count, candidate))
            continue
        if least is None or after.count < least.count:
            limit = limit if least else budget.half
            most = min(most, tried + _MOST_BETTER)
            best, least = [candidate], after
            made = [*edits, *candidate.edits]
            following = [each for left in after.conflicts[:1] for each in propose(left, made)]
            common = frozenset(each.edit.site for each in following)
            shared = {each.edits for each in following if each.doubtful or _is_of_output(each)}
            most += min(len(shared), _MOST_SHARED)
            waiting = deque(sorted(waiting, key=partial(_order_after, candidate, shared)))
        elif is_equal and after.count == least.count:
            best.append(candidate)
    if least is None or least.count > 1:
        fewest = [candidate for _, candidate in sorted(moving, key=lambda each: each[0])]
        others = _with_others_left(first, before, least, fewest, trial, budget, edits, propose)
        if others is not None or least is None:
            return others
    rest = budget.half if least.failing else budget
    inside = _inside_the_callee(best[0], least, proposals, first, before, trial, rest, edits)
    return inside or (tuple(best), least)


def _is_of_output(candidate: Candidate) -> bool:
    """Return whether a candidate changes what a layer outputs, which several others may read."""
    return candidate.number is not None and candidate.vote is not None and candidate.vote.label == "out"


def _order_after(chosen: Candidate, shared: Collection[tuple[Edit, ...]], candidate: Candidate) -> int:
    """Return the order of a candidate after one that leaves a conflict: edits that are proposed for that as well come
    first, and those last that are an argument of a call as the chosen one is, and not what both ends come from.
    """
    one, other = chosen.number, candidate.number
    if candidate.edits in shared:
        return 0
    if one is None or other is None:
        return 2
    return 2 if other.role == "argument" and other.place.depth <= one.place.depth else 1


_MOST_MOVING = 4  # candidates that settle a conflict, after which others appear
_MOST_SECOND = 3  # candidates for the first of these others


def _with_others_left(
    first: Conflict,
    before: Outcome,
    known: Outcome | None,
    candidates: Sequence[Candidate],
    trial: Trial,
    budget: Budget,
    edits: Sequence[Edit],
    propose: Propose,
) -> tuple[tuple[Candidate, ...], Outcome] | None:
    """The candidate that settles a conflict and leaves the fewest, although others appear after it; None if it leaves
    no fewer than a ``known`` repair, and no second repair does.

    Two mistakes can hide each other: a layer fits what the one before it returns only because both are wrong.
    """
    best: tuple[tuple[Candidate, ...], Outcome] | None = None
    least: float = before.count + first.is_merge  # which is one operation, however many modules it fails in
    if first.node is None:
        least = inf  # what follows the constructor was not called
    least = known.count if known else least
    for candidate in candidates[:_MOST_MOVING]:
        after = trial([*edits, *candidate.edits]) if budget.is_left else None
        if after is None or not _shows_others(first, before, after) or _is_partial(first, candidate, before, after):
            continue
        if after.count < least:
            best, least = ((candidate,), after), after.count
        elif (
            best is None
            and known is None
            and _is_followed_by_another(first, candidate, after, least, trial, edits, propose)
        ):
            return (candidate,), after
    return best


def _is_followed_by_another(
    first: Conflict,
    candidate: Candidate,
    after: Outcome,
    least: float,
    trial: Trial,
    edits: Sequence[Edit],
    propose: Propose,
) -> bool:
    """Return whether a second repair settles the first of the conflicts that a candidate leaves, and most others.

    A layer that fitted what the failing one declares contradicts the candidate: both are hardly wrong.
    """
    made, left = [*edits, *candidate.edits], after.conflicts[0]
    calls = [node.id for node in first.graph.nodes if operation(node) == left.operation]
    if not any(True for call in calls for _ in declared_votes(first.graph, call)):
        return False
    for second in islice(propose(left, made), _MOST_SECOND):
        both = trial([*made, *second.edits], left)
        if both is not None and _is_progress(left, after, both) and both.count < least:
            return True
    return False


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
        if after is not None and _is_progress(first, before, after) and after.count <= least.count:
            working[candidate.edit] = after
            rivals.append(candidate)

    def works(more: Sequence[Edit], places: Collection[Place]) -> bool:
        """Nothing fails that these lines call or build; what follows it need not fit its output."""
        after = trial([*edits, *more]) if budget.is_left else None
        if after is None or first.operation in after.failing:
            return False
        return not any(conflict.is_on(places) for conflict in after.conflicts)

    better = luck.most_general(chosen, rivals, works) if rivals else chosen
    return None if better is chosen else ((better,), working[better.edit])


def _is_progress(first: Conflict, before: Outcome, after: Outcome) -> bool:
    """Return whether a trial reached the operation of a conflict, found it to work, and breaks no other that worked."""
    if not _works(first, after):
        return False
    if first.is_merge:  # what reads the result fits one of its operands: a failure that moves there is not settled
        return after.failing <= before.failing
    if _fails_when_called(first, after):
        return False
    return all(map(before.may_fail, after.conflicts))


def _shows_others(first: Conflict, before: Outcome, after: Outcome) -> bool:
    """Return whether a trial settles a conflict, and what fails now reads what failed before, or was not built.

    The sizes of maps hide nothing: where they differ, the channels are known.
    """
    if first.is_of_sizes or _fails_when_called(first, after) or not _works(first, after):
        return False
    new = [each.operation for each in after.conflicts if not before.may_fail(each)]
    return before.dependent.issuperset(new) and first.readers.isdisjoint(after.failing - before.failing)


def _fails_when_called(first: Conflict, after: Outcome) -> bool:
    """Return whether a layer that could not be built is built, but fails: another of its numbers is wrong."""
    return first.layer is not None and any(name == first.layer for _, _, name in after.failing)


_MOST_LEFT = 0.25  # of the modules in which an operation failed: these have another cause


def _is_partial(first: Conflict, candidate: Candidate, before: Outcome, after: Outcome) -> bool:
    """Return whether a repair leaves the same operation failing in many other modules that the same call builds."""
    frame = None if candidate.number is None else candidate.number.frame
    if frame is None:
        return False
    alike = {c.operation for c in before.conflicts if c.operation[:2] == first.operation[:2] and frame in c.frames}
    return len(alike & after.failing) > _MOST_LEFT * len(alike)
