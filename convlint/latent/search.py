"""The search for latent defects: a class is followed with many arguments, and judged by a repair.

A class that fails for some arguments, or for all, has a defect if one edit inside it makes all of them work. If there
is no such edit, the arguments that work are its contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from convlint.latent.arguments import ArgumentSpace
from convlint.latent.candidates import ClassRepair, evaluated, repairs
from convlint.latent.contracts import breaks_contract, is_indivisible
from convlint.latent.following import Followed
from convlint.latent.ranking import orphans, rank
from convlint.latent.trials import ClassTrials
from convlint.repairs.written_numbers import Slicer
from convlint.static.exploration.entry_points import PARAMETERS, EntryPoint
from convlint.static.exploration.explore import Exploration
from convlint.static.program.project import Project

_TRIAL_STEPS = 150_000  # of all trials for one class
_MOST_TRIALS = 200
_MOST_OPTIONS = 4
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
    """The search in the classes of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._slicer = Slicer(project.texts, project.root)

    def defects(self, entry_point: EntryPoint, widths: Sequence[str]) -> list[LatentDefect]:
        """The latent defects of a class whose layers use the parameters ``widths``."""
        space = ArgumentSpace(entry_point.value, widths)
        if not space.can_vary:
            return []
        trials = ClassTrials(self._project, entry_point, space)
        options = list(space.options())[:_MOST_OPTIONS]
        first, *others = space.patterns()
        tried = [trials.follow(first), trials.follow(others[0])]
        tried += [trials.follow(first, option) for option in options]
        if not any(each.outcome == "fails" for each in tried):
            return []
        tried += [trials.follow(pattern) for pattern in others[1:]]
        tried += [trials.follow(others[0], option) for option in options]
        tried = [*trials.with_defaults(), *tried]
        if any(each.outcome == "works" for each in tried):
            tried = [each for each in tried if not breaks_contract(each)]
        judged = self._judged(trials, tried)
        if not judged and any(is_indivisible(each) for each in tried):
            judged = self._judged(trials, [each for each in tried if not is_indivisible(each)])
        return judged

    def _judged(self, trials: ClassTrials, tried: Sequence[Followed]) -> list[LatentDefect]:
        """The defects of a class, one for each repair; none if the repairs that were tried leave a failure."""
        found: list[LatentDefect] = []
        state = [each for each in tried if each.outcome in ("works", "fails")]
        steps = [_TRIAL_STEPS]
        with ExitStack() as edits:
            while any(each.outcome == "fails" for each in state):
                accepted = self._accepted(trials, state, steps)
                if not accepted or len(found) == _MOST_REPAIRS:
                    return []
                best, *others = accepted
                found.append(_defect(trials, state, best, others))
                edits.enter_context(trials.edited(best.repair))
                state = list(best.after)
        return found

    def _accepted(self, trials: ClassTrials, state: Sequence[Followed], steps: list[int]) -> list[_Accepted]:
        """The repairs that settle the first failure and bring no new one, the likeliest first."""
        accepted: list[_Accepted] = []
        seen: set[object] = set()
        for failed in _representatives(state):
            for repair in repairs(failed, self._slicer)[:_MOST_TRIALS]:
                if steps[0] < 0:
                    break
                if repair.key in seen or orphans(repair):
                    continue
                seen.add(repair.key)
                after = _tried(trials, repair, state, steps)
                if after is not None:
                    accepted.append(_Accepted(repair, after))
        fewest = min((_failing(each.after) for each in accepted), default=0)
        best = [each for each in accepted if _failing(each.after) == fewest]
        works = [each for each in state if each.outcome == "works"]
        order = rank(works, [(each.repair, each.after) for each in best])
        return [best[number] for number in order]


def _tried(
    trials: ClassTrials, repair: ClassRepair, state: Sequence[Followed], steps: list[int]
) -> tuple[Followed, ...] | None:
    """The executions after a repair; None if one of them fails where it did not before, or as it did before."""
    after: list[Followed] = []
    with trials.edited(repair) as is_possible:
        if not is_possible:
            return None
        for each in _in_order(state):
            again = trials.repeated(each)
            steps[0] -= again.path.steps
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


def widths_of(exploration: Exploration) -> list[str]:
    """The parameters that the executions of a class used as widths."""
    return sorted({s.name for p in exploration.paths for s in p.execution.widths if s.scope == PARAMETERS})


def defects(project: Project, explorations: Sequence[Exploration]) -> Iterator[LatentDefect]:
    """Yield the latent defects of the classes that were explored."""
    search = Search(project)
    for exploration in explorations:
        if exploration.entry_point.kind == "class":
            yield from search.defects(exploration.entry_point, widths_of(exploration))
