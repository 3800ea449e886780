"""The search for latent defects: a class is followed with many arguments, and judged by a repair.

A class that fails for some arguments, or for all, has a defect if one edit inside it makes all of them work. Without
such an edit, the arguments that work are its contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convlint.latent.arguments import FIRST_PATTERNS, LAST_PATTERNS, MORE_PATTERNS, Arguments, ArgumentSpace
from convlint.latent.contracts import breaks_contract, is_indivisible
from convlint.latent.following import Followed, Operation
from convlint.latent.suspicion import OpenClass
from convlint.latent.trials import ClassTrials
from convlint.static.exploration.entry_points import EntryPoint
from convlint.static.exploration.explore import Exploration
from convlint.static.program.project import Project

if TYPE_CHECKING:
    from convlint.latent.candidates import ClassRepair

_FEW_STEPS = 400  # of a class that is followed again only because a part of it is unknown
_MOST_STEPS = 1_500  # of any class that is followed again
_SHARE = 0.3  # of the steps of the exploration of a file, that the search in it may take as well
_LEAST_STEPS = 6_000
_TRIALS = 30  # of repairs of one class
_LEAST_TRIAL_STEPS, _MOST_TRIAL_STEPS = 2_000, 12_000
_IF_FOUND = 2  # times as many steps to find other repairs, once there is one
_MOST_TRIALS = 200
_MOST_OPTIONS = 4
_MOST_VERIFIED = 8  # repairs that are tried with further arguments
_MOST_REPAIRS = 3  # of one class


@dataclass(frozen=True, eq=False)
class LatentDefect:
    """A class that fails for some arguments, or for all if ``works`` is empty, and the repair after which all work.

    ``equal_where_it_works``: the class works exactly where the old expression and the new one have equal values.
    ``keeps_models``: the repair changes no layer for arguments that work. ``alternatives`` are other repairs.
    """

    entry_point: EntryPoint
    space: ArgumentSpace
    fails: tuple[Followed, ...]
    works: tuple[Followed, ...]
    repair: ClassRepair
    equal_where_it_works: bool
    keeps_models: bool
    alternatives: tuple[ClassRepair, ...] = ()


@dataclass(frozen=True, eq=False)
class _Accepted:
    """A repair after which nothing new fails, and the executions with it."""

    repair: ClassRepair
    after: tuple[Followed, ...]


class Search:
    """The search in the classes of a file, within a number of ``steps``."""

    def __init__(self, project: Project, steps: float) -> None:
        self._project = project
        self._steps = steps
        self._left = 0  # steps of the trials for a class up to which repairs are tried

    def defects(self, open_class: OpenClass) -> list[LatentDefect]:
        """The latent defects of a class that was explored."""
        exploration, space, open_question = open_class.exploration, open_class.space, open_class.question
        most = min(self._steps, _MOST_STEPS) if open_question == "broken" else _FEW_STEPS
        if exploration.paths[0].steps > most:
            return []
        trials = ClassTrials(self._project, exploration.entry_point, space)
        tried = [trials.first]
        options: list[Arguments] = []
        if open_question == "broken":
            options = list(space.options())[:_MOST_OPTIONS]
            tried += [trials.follow(FIRST_PATTERNS[1]), *(trials.follow(FIRST_PATTERNS[0], each) for each in options)]
        self._steps -= trials.steps
        if not any(each.outcome == "fails" for each in tried):
            return []
        others = MORE_PATTERNS if open_question == "broken" else (FIRST_PATTERNS[1], *MORE_PATTERNS)
        tried += [trials.follow(pattern) for pattern in others]
        tried += [trials.follow(FIRST_PATTERNS[1], option) for option in options]
        if not any(each.outcome == "works" for each in tried):
            tried.append(trials.follow(MORE_PATTERNS[0], space.neutral_ratios))
        tried = [*trials.with_defaults(), *tried]
        if any(each.outcome == "works" for each in tried):
            tried = [each for each in tried if not breaks_contract(each) and not is_indivisible(each)]
        self._left = trials.steps + min(_LEAST_TRIAL_STEPS + _TRIALS * trials.first.path.steps, _MOST_TRIAL_STEPS)
        return self._judged(trials, tried)

    def _judged(self, trials: ClassTrials, tried: Sequence[Followed]) -> list[LatentDefect]:
        """The defects of a class, one for each repair; none if the repairs that were tried leave a failure."""
        found: list[LatentDefect] = []
        state = [each for each in tried if each.outcome in ("works", "fails")]
        with ExitStack() as edits:
            while any(each.outcome == "fails" for each in state):
                accepted = self._accepted(trials, state)
                if not accepted or len(found) == _MOST_REPAIRS:
                    return []
                best, *others = accepted
                if any(_same_values(each.repair, best.repair, state) for each in found):
                    return []  # the class requires that these two are equal
                defect = _defect(trials, state, best, others)
                if not defect.works and not _can_only_fail(trials.space, best.repair):
                    return []
                found.append(defect)
                edits.enter_context(trials.edited(best.repair))
                state = list(best.after)
        return found

    def _accepted(self, trials: ClassTrials, state: Sequence[Followed]) -> list[_Accepted]:
        """The repairs that settle the first failure and bring no new one, the likeliest first."""
        from convlint.latent.candidates import repairs  # most classes never fail
        from convlint.latent.ranking import orphans, rank
        from convlint.repairs.written_numbers import Slicer
        from convlint.source_text.packages import package_folder

        own = package_folder(trials.entry_point.module.path)
        slicer = Slicer(self._project.texts, self._project.root, own)
        accepted: list[_Accepted] = []
        seen: set[object] = set()
        for failed in _representatives(state):
            for repair in repairs(failed, slicer)[:_MOST_TRIALS]:
                if trials.steps > self._left:
                    break
                if repair.key in seen or orphans(repair):
                    continue
                seen.add(repair.key)
                after = _tried(trials, repair, state)
                if after is not None:
                    self._left += 0 if accepted else _IF_FOUND * _MOST_TRIAL_STEPS
                    accepted.append(_Accepted(repair, after))
        fewest = min((_failing(each.after) for each in accepted), default=0)
        best = [each for each in accepted if _failing(each.after) == fewest]
        works = [each for each in state if each.outcome == "works"]
        order = rank(works, [(each.repair, each.after) for each in best])
        ordered = [best[number] for number in order]
        return [each for each in ordered[:_MOST_VERIFIED] if _holds_for_others(trials, each)]


def _can_only_fail(space: ArgumentSpace, repair: ClassRepair) -> bool:
    """Return whether a class that failed for all arguments that were tried has none for which it works.

    A number that is written in the class may be what the class requires, and lists have values without end.
    """
    return not space.width_lists and repair.written.literal is None


def _same_values(one: ClassRepair, other: ClassRepair, state: Sequence[Followed]) -> bool:
    """Return whether two repairs replace the same numbers by the same."""
    from convlint.latent.candidates import evaluated

    return all(set(evaluated(each, one)) == set(evaluated(each, other)) for each in state)


def _holds_for_others(trials: ClassTrials, accepted: _Accepted) -> bool:
    """Return whether a repair brings no failure for further arguments: it may work for those tried by coincidence."""
    known = frozenset[Operation]().union(*(each.failing for each in accepted.after))
    with trials.edited(accepted.repair):
        others = [trials.follow(pattern) for pattern in LAST_PATTERNS]
    return all(breaks_contract(each) or is_indivisible(each) or each.failing <= known for each in others)


def _tried(trials: ClassTrials, repair: ClassRepair, state: Sequence[Followed]) -> tuple[Followed, ...] | None:
    """The executions after a repair; None if one of them fails where it did not before, or as it did before."""
    after: list[Followed] = []
    with trials.edited(repair) as is_possible:
        if not is_possible:
            return None
        for each in _in_order(state):
            again = trials.repeated(each)
            if again.outcome not in ("works", "fails") or not again.failing <= each.failing:
                return None
            if each.outcome == "fails" and (each.operation in again.failing or not _reaches(again, each)):
                return None
            after.append(again)
    return tuple(after)


def _in_order(state: Sequence[Followed]) -> list[Followed]:
    """Executions that fail, then those that work."""
    return sorted(state, key=lambda each: each.outcome)


def _representatives(state: Sequence[Followed]) -> list[Followed]:
    """Two executions that fail, in different operations if there are such."""
    fails = [each for each in state if each.outcome == "fails"]
    others = [each for each in fails if each.operation != fails[0].operation]
    return [fails[0], *others[:1]]


def _failing(executions: Sequence[Followed]) -> int:
    return sum(each.outcome == "fails" for each in executions)


def _reaches(again: Followed, before: Followed) -> bool:
    """Return whether an execution came to the operation that failed before, with shapes that are known."""
    if before.step is None:
        return True
    site, op = before.step.site, before.step.op
    known = (step for step in again.path.execution.steps if step.site == site and step.op == op)
    return any(all(tensor.shape is not None for tensor in step.inputs) for step in known)


def _defect(
    trials: ClassTrials, state: Sequence[Followed], best: _Accepted, others: Sequence[_Accepted]
) -> LatentDefect:
    works = [each for each in state if each.outcome == "works"]
    pairs = zip(_in_order(state), best.after, strict=True)
    fails = [each for each, after in pairs if each.outcome == "fails" and after.outcome == "works"]
    fails = fails or [each for each in state if each.outcome == "fails"]
    repair = best.repair
    if works:
        fails, works = trials.smallest(fails, works, repair)
    from convlint.latent.candidates import evaluated

    differ = [evaluated(each, repair) for each in fails]
    equal = [evaluated(each, repair) for each in works]
    return LatentDefect(
        trials.entry_point,
        trials.space,
        tuple(fails),
        tuple(works),
        repair,
        equal_where_it_works=all(old != new for old, new in differ) and all(old == new for old, new in equal),
        keeps_models=all(old == new for old, new in equal),
        alternatives=tuple(each.repair for each in others),
    )


def defects(
    project: Project, explorations: Sequence[Exploration], classes: Sequence[OpenClass]
) -> Iterator[LatentDefect]:
    """Yield the latent defects of the open ones among the classes that were explored."""
    explored = sum(path.steps for exploration in explorations for path in exploration.paths)
    search = Search(project, _SHARE * explored + _LEAST_STEPS)
    for each in classes:
        yield from search.defects(each)
