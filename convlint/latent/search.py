"""The search for latent defects: a class is followed with many arguments, and judged by a repair.

A class that fails for some arguments, or for all, has a defect if one edit inside it makes all of them work. Without
such an edit, the arguments that work are its contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING

from convlint.latent.arguments import DESCENDING, DIFFERENT, EQUAL, INDIVISIBLE, MORE_PATTERNS, SAME_ENDS, ArgumentSpace
from convlint.latent.contracts import (
    admissible,
    breaks_contract,
    doubtful,
    has_groups_of_another_width,
    is_of_another_kind,
)
from convlint.latent.following import Followed
from convlint.latent.repair_trials import (
    Accepted,
    RepairTrials,
    failing,
    in_order,
    refused_after,
    representatives,
    same_values,
)
from convlint.latent.suspicion import OpenClass, Suspicion
from convlint.latent.trials import ClassTrials
from convlint.static.domain.values import Value
from convlint.static.exploration.entry_points import EntryPoint
from convlint.static.exploration.explore import Exploration
from convlint.static.program.project import Project
from convlint.support.dataclass import dataclass

if TYPE_CHECKING:
    from convlint.latent.candidates import ClassRepair

_MOST_STEPS = 1_500  # of a class that is followed again
_MOST_STEPS_OF_FAILING = 8_000  # of one of which an execution has an error
_SHARE = 0.3  # of the steps of the exploration of a file, that the search in it may take as well
_LEAST_STEPS = 6_000
_TRIALS = 30  # of repairs of one class
_LEAST_TRIAL_STEPS, _MOST_TRIAL_STEPS = 2_000, 12_000
_TRIAL_STEPS_OF_OPTIONS = 4_000  # if the class only fails with options
_IF_FOUND = 2  # times as many steps to find other repairs, once there is one
_MOST_TRIALS = 200
_MOST_GUESSES = 16  # of trials of repairs whose value is not known to fit
_MOST_OPTIONS = 6
_BUILDING_STEPS = 800  # with options that build other layers, of a class that works without them
_MOST_VERIFIED = 8  # repairs that are tried with further arguments
_MOST_REPAIRS = 3  # of one class
_ENDS = 2
_WORKS_WITHOUT_OPTIONS = ("options", "ratios", "inputs", "unknown")


@dataclass(frozen=True, eq=False)
class LatentDefect:
    """A class that fails for some arguments, or for all if ``works`` is empty, and the repair after which all work.

    ``equal_where_it_works``: the class works exactly where the old expression and the new one have equal values.
    ``keeps_models``: the repair changes no layer for arguments that work. ``fails_by_default``: nothing that the class
    is built with is needed to make it fail. ``alternatives`` are other repairs,
    and ``repaired`` the failures that work with this one alone.
    """

    entry_point: EntryPoint
    space: ArgumentSpace
    fails: tuple[Followed, ...]
    works: tuple[Followed, ...]
    repair: ClassRepair
    equal_where_it_works: bool
    keeps_models: bool
    fails_by_default: bool
    alternatives: tuple[ClassRepair, ...] = ()
    repaired: tuple[Followed, ...] = ()


class Search:
    """The search in the classes of a file, within a number of ``steps``."""

    def __init__(self, project: Project, steps: float) -> None:
        self._project = project
        self._steps = steps
        self._left = 0  # steps of the trials for a class up to which repairs are tried

    def defects(self, open_class: OpenClass) -> list[LatentDefect]:
        """The latent defects of a class that was explored."""
        exploration, space, open_question = open_class.exploration, open_class.space, open_class.question
        most = _MOST_STEPS_OF_FAILING if open_question == "failing" else min(self._steps, _MOST_STEPS)
        if exploration.paths[0].steps > most:
            return []
        trials = ClassTrials(self._project, exploration.paths[0], space)
        tried = [trials.first, *_first_tries(trials, open_question)]
        if not any(each.outcome == "fails" for each in tried):
            tried += [
                trials.follow(INDIVISIBLE, dict(each.options)) for each in tried if has_groups_of_another_width(each)
            ][:1]
        if not any(each.outcome == "fails" for each in tried):
            tried += _with_optional_inputs(trials)
        self._steps -= trials.steps
        if not any(each.outcome == "fails" for each in tried):
            return []
        others = [trials.follow(pattern) for pattern in (EQUAL, DESCENDING, *MORE_PATTERNS)]
        if len(space.widths) > _ENDS:
            others.append(trials.follow(SAME_ENDS))
        tried = [*trials.with_defaults(), *tried, *others, *trials.with_default_lists()]
        if not any(each.outcome == "works" for each in tried):
            neutral = trials.follow(EQUAL, space.neutral_ratios)
            tried += [neutral] if neutral.outcome == "works" else []
        every = list(dict.fromkeys(tried))
        tried = list(admissible(space, trials.first, every))
        most = _MOST_TRIAL_STEPS
        if open_question in _WORKS_WITHOUT_OPTIONS and all(each.options for each in tried if each.outcome == "fails"):
            most = _TRIAL_STEPS_OF_OPTIONS
        self._left = trials.steps + min(_LEAST_TRIAL_STEPS + _TRIALS * trials.first.path.steps, most)
        if not any(each.outcome == "fails" for each in tried):
            return self._judged(trials, doubtful(space, trials.first, tried, every), by_names=True)
        found = self._judged(trials, tried) or self._judged_apart(trials, tried)
        if found and not found[0].works:
            return self._unless_required(trials, found)
        return found

    def _judged_apart(self, trials: ClassTrials, tried: Sequence[Followed]) -> list[LatentDefect]:
        """The defects without the options for which the class fails, which it may not accept, or for another reason.

        A class that works without options is judged with one of them at a time.
        """
        if not trials.stopped_by_options:
            return []
        fails = [each for each in tried if each.outcome == "fails"]
        works = [each for each in tried if each.outcome == "works"]
        groups = [[each for each in fails if not each.options]]
        if not groups[0]:
            groups = [[each for each in fails if each.options == options] for options in _options_of(fails)]
        self._left = trials.steps + (_MOST_TRIAL_STEPS if not groups[0][0].options else _TRIAL_STEPS_OF_OPTIONS)
        for group in groups:
            found = self._judged(trials, [*works, *group])
            if found:
                return found
        return []

    def _unless_required(self, trials: ClassTrials, found: list[LatentDefect]) -> list[LatentDefect]:
        """The defects of a class that failed for all arguments, unless there are arguments that it may require."""
        failed = found[0].fails[0]
        if is_of_another_kind(failed):
            return []
        from convlint.latent.attainable import settling  # few classes fail for all arguments

        settled = settling(trials, failed)
        if settled is None:
            return found
        if breaks_contract(settled):
            others = (trials.with_arguments(settled.arguments | option) for option in trials.space.stand_ins())
            settled = next((each for each in others if each.outcome == "works"), settled)
        if settled.outcome != "works" and breaks_contract(settled):
            return []
        self._left = trials.steps + _MOST_TRIAL_STEPS
        return self._judged(trials, [*found[0].fails, settled])

    def _judged(self, trials: ClassTrials, tried: Sequence[Followed], *, by_names: bool = False) -> list[LatentDefect]:
        """The defects of a class, one for each repair; none if the repairs that were tried leave a failure.

        ``by_names``: only repairs after which the ends of the class have the two different widths that are named after
        them, because otherwise the class may require equal ones.
        """
        found: list[LatentDefect] = []
        state = [each for each in tried if each.outcome in ("works", "fails")]
        if not any(each.outcome == "fails" for each in state):
            return []
        from convlint.latent.ranking import is_meant

        with ExitStack() as edits:
            while any(each.outcome == "fails" for each in state):
                accepted = self._accepted(trials, state)
                if by_names:
                    accepted = [each for each in accepted if is_meant(each.repair, each.after)]
                if not accepted or len(found) == _MOST_REPAIRS:
                    left = [each for each in state if each.outcome == "fails"]
                    trials.stopped_by_options |= bool(found) and all(each.options for each in left)
                    return []
                best, *others = accepted
                if any(same_values(each.repair, best.repair, state) for each in found):
                    return []  # the class requires that these two are equal
                found.append(_defect(trials, state, best, others))
                edits.enter_context(trials.edited(best.repair))
                state = [each for each in best.after if each.outcome in ("works", "fails")]
        return found

    def _accepted(self, trials: ClassTrials, state: Sequence[Followed]) -> list[Accepted]:
        """The repairs that settle the first failure and bring no new one, the likeliest first."""
        from convlint.latent.candidates import repairs  # most classes never fail
        from convlint.latent.ranking import is_pointless, is_right_for_defaults, rank
        from convlint.repairs.slicer import Slicer
        from convlint.source_text.packages import package_folder

        own = package_folder(trials.entry_point.module.path)
        slicer = Slicer(self._project.texts, self._project.root, own)
        accepted: list[Accepted] = []
        seen: set[object] = set()
        repair_trials = RepairTrials(trials, state)
        works = [each for each in state if each.outcome == "works"]
        for failed in representatives(state):
            guesses = 0
            fails_alone = not works and failed in trials.with_defaults()
            for repair in repairs(failed, slicer)[:_MOST_TRIALS]:
                if trials.steps > self._left or guesses > _MOST_GUESSES:
                    break
                pointless = is_pointless(repair)
                if repair.key in seen or (pointless and not fails_alone):
                    continue
                if failed.layer is not None and repair.is_composed:
                    continue  # a multiple that groups divide
                seen.add(repair.key)
                guesses += not repair.fits
                after = repair_trials.after(repair)
                if after is not None and pointless and repair.number.role == "reader":
                    return []  # either end may be meant: the error of the program shows with which one others agree
                if after is not None and not pointless:
                    self._left += 0 if accepted else _IF_FOUND * _MOST_TRIAL_STEPS
                    accepted.append(Accepted(repair, after))
        fewest = min((failing(each.after) for each in accepted), default=0)
        best = [each for each in accepted if failing(each.after) == fewest]
        best = [each for each in best if not is_right_for_defaults(trials.space, state, each.repair)]
        order = rank(works, [(each.repair, each.after) for each in best])
        ordered = [best[number] for number in order]
        verified = [(each, refused_after(trials, each)) for each in ordered[:_MOST_VERIFIED]]
        holding = [(each, count) for each, count in verified if count is not None]
        return [each for each, _ in sorted(holding, key=lambda pair: pair[1])]


def _first_tries(trials: ClassTrials, open_question: Suspicion) -> Iterator[Followed]:
    """Yield the executions that show whether a class may fail at all.

    A flag may ask for a negative number of channels of another input, where other widths come first.
    """
    space = trials.space
    if open_question in _WORKS_WITHOUT_OPTIONS:
        most = _BUILDING_STEPS // max(trials.first.path.steps, 1)
        yield from (trials.follow(DIFFERENT, option) for option in space.building_options()[:most])
    if open_question in ("options", "ratios", "inputs"):
        if space.other_ratios:
            yield trials.follow(DIFFERENT, space.other_ratios)
        return
    has_other_inputs = len(trials.first.inputs) > 1
    if open_question != "unknown":
        yield from (trials.follow(pattern) for pattern in space.second_patterns)
    elif space.other_numbers and not has_other_inputs:
        yield trials.follow(DIFFERENT, space.other_numbers)
    if open_question == "unknown" and not has_other_inputs and trials.first.outcome != "refused":
        return
    for option in islice(space.options(), _MOST_OPTIONS):
        yield trials.follow(DIFFERENT, option)
        if has_other_inputs:
            yield trials.follow(MORE_PATTERNS[0], option)


def _options_of(executions: Sequence[Followed]) -> list[tuple[tuple[str, Value], ...]]:
    found: list[tuple[tuple[str, Value], ...]] = []
    for each in executions:
        if each.options not in found:
            found.append(each.options)
    return found


def _with_optional_inputs(trials: ClassTrials) -> Iterator[Followed]:
    """Yield executions with tensors for inputs that may be None, such as an embedding, and with the width of one."""
    if not trials.optional_inputs:
        return
    widths = (option for option in trials.space.options() if not trials.space.optional_widths.isdisjoint(option))
    for option in islice(({}, *widths), _MOST_OPTIONS):
        yield from trials.with_optional_inputs(option)


def _defect(trials: ClassTrials, state: Sequence[Followed], best: Accepted, others: Sequence[Accepted]) -> LatentDefect:
    works = [each for each in state if each.outcome == "works"]
    pairs = zip(in_order(state), best.after, strict=True)
    repaired = [each for each, after in pairs if each.outcome == "fails" and after.outcome == "works"]
    fails = repaired or [each for each in state if each.outcome == "fails"]
    repair = best.repair
    by_default = [each for each in trials.with_defaults() if each in fails]
    if works and not by_default:
        fails, works = trials.smallest(fails, works, repair)
    fails = [*by_default, *(each for each in fails if each not in by_default)]
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
        fails_by_default=bool(by_default),
        alternatives=tuple(each.repair for each in others),
        repaired=tuple(each for each in fails if each in repaired or each not in state),
    )


def defects(
    project: Project, explorations: Sequence[Exploration], classes: Sequence[OpenClass]
) -> Iterator[LatentDefect]:
    """Yield the latent defects of the open ones among the classes that were explored."""
    explored = sum(path.steps for exploration in explorations for path in exploration.paths)
    search = Search(project, _SHARE * explored + _LEAST_STEPS)
    for each in classes:
        yield from search.defects(each)
