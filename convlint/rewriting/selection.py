"""Which of the verified rewrites are proposed together, and in which order all are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convlint.ir import Costs, LayerChange, Suggestion


@dataclass(frozen=True, slots=True)
class Goal:
    """Totals that the rewritten model is not to exceed; None where there is no such wish."""

    params: int | None = None
    macs: int | None = None

    def lacks(self, totals: Costs) -> tuple[int, int]:
        """How many parameters and MACs the totals are above the goal."""
        return (
            0 if self.params is None else max(0, totals.params - self.params),
            0 if self.macs is None else max(0, totals.macs - self.macs),
        )

    def reached(self, totals: Costs) -> bool:
        return self.lacks(totals) == (0, 0)

    def __bool__(self) -> bool:
        return self.params is not None or self.macs is not None


def worth(changes: Sequence[LayerChange], totals: Costs) -> float:
    """What the rewrite of some layers is worth: the share of all parameters that it saves plus that of all MACs,
    less as far as trained weights cannot be kept (the mean error of its layers).
    """
    saved = sum((change.before - change.after for change in changes), Costs())
    share = saved.params / max(totals.params, 1) + saved.macs / max(totals.macs, 1)
    errors = [change.weight_error for change in changes if change.weight_error is not None]
    return share * (1 - sum(errors) / len(errors)) if errors else share


def ranked(suggestions: Sequence[Suggestion], totals: Costs) -> list[Suggestion]:
    """The most worthwhile first."""
    return sorted(suggestions, key=lambda one: -worth(one.changes, totals))


def together(suggestions: Sequence[Suggestion], totals: Costs, goal: Goal) -> list[Suggestion]:
    """The best of the suggestions for every call; with a goal, the cheapest set that reaches it.

    Cheapest: as few calls as possible are edited, and then each is changed as little as possible.
    """
    ways = _by_call(suggestions, totals)
    if not goal:
        return [options[0] for options in ways]
    chosen = _fewest(ways, totals, goal)
    for position, one in enumerate(chosen):
        for milder in sorted(_same_call(one, ways), key=lambda other: worth(other.changes, totals)):
            trial = [*chosen[:position], milder, *chosen[position + 1 :]]
            if goal.reached(totals_of(trial, totals)):
                chosen = trial
                break
    return chosen


def totals_of(chosen: Sequence[Suggestion], totals: Costs) -> Costs:
    """The totals of the model with these rewrites, as estimated."""
    return totals - sum((one.saved for one in chosen), Costs())


def _by_call(suggestions: Sequence[Suggestion], totals: Costs) -> list[list[Suggestion]]:
    """The suggestions that are for the same layers, the best first; no layer is in two of the lists."""
    lists: list[list[Suggestion]] = []
    taken: dict[str, int] = {}
    for one in ranked(suggestions, totals):
        places = {taken[name] for name in one.instances if name in taken}
        if not places:
            taken.update(dict.fromkeys(one.instances, len(lists)))
            lists.append([one])
        elif len(places) == 1 and set(lists[next(iter(places))][0].instances) == set(one.instances):
            lists[next(iter(places))].append(one)
    return lists


def _fewest(ways: list[list[Suggestion]], totals: Costs, goal: Goal) -> list[Suggestion]:
    """One rewrite after the other, each the one that brings the totals nearest to the goal; those that
    turn out not to be needed are left out again.
    """
    chosen: list[Suggestion] = []
    left = [option for options in ways for option in options]
    while left and not goal.reached(now := totals_of(chosen, totals)):
        best = min(left, key=lambda one: _distance(goal, now - one.saved, totals))
        if _distance(goal, now - best.saved, totals)[0] >= _distance(goal, now, totals)[0]:
            break  # none that is left brings it nearer
        chosen.append(best)
        left = [one for one in left if not set(one.instances) & set(best.instances)]
    for one in sorted(chosen, key=lambda one: worth(one.changes, totals)):
        without = [other for other in chosen if other is not one]
        if goal.reached(totals_of(without, totals)):
            chosen = without
    return chosen


def _distance(goal: Goal, now: Costs, totals: Costs) -> tuple[float, float]:
    params, macs = goal.lacks(now)
    left = params / max(totals.params, 1) + macs / max(totals.macs, 1)
    return left, now.params / max(totals.params, 1) + now.macs / max(totals.macs, 1)


def _same_call(one: Suggestion, ways: list[list[Suggestion]]) -> list[Suggestion]:
    return next((options for options in ways if one in options), [])
