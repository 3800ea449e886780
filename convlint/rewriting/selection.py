"""Order of the verified rewrites, and choice of the set that is proposed together."""

from __future__ import annotations

from collections.abc import Sequence

from convlint.ir import Costs, LayerChange, SetEstimate, Suggestion
from convlint.support.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """Upper limits for the totals of the rewritten model; None for no limit."""

    params: int | None = None
    macs: int | None = None

    def excess(self, totals: Costs) -> tuple[int, int]:
        return (
            0 if self.params is None else max(0, totals.params - self.params),
            0 if self.macs is None else max(0, totals.macs - self.macs),
        )

    def reached(self, totals: Costs) -> bool:
        return self.excess(totals) == (0, 0)

    def __bool__(self) -> bool:
        return self.params is not None or self.macs is not None

    @property
    def in_words(self) -> str:
        """The limits: ``1,000 parameters and 10 MACs``."""
        limits = ((self.params, "parameters"), (self.macs, "MACs"))
        return " and ".join(f"{limit:,} {unit}" for limit, unit in limits if limit is not None)


def score(changes: Sequence[LayerChange], totals: Costs) -> float:
    """Score of a rewrite: the sum of its saved shares of parameters and MACs, times 1 - mean error of the weights."""
    saved = sum((change.before - change.after for change in changes), Costs())
    share = saved.params / max(totals.params, 1) + saved.macs / max(totals.macs, 1)
    errors = [change.weight_error for change in changes if change.weight_error is not None]
    return share * (1 - sum(errors) / len(errors)) if errors else share


def ranked(suggestions: Sequence[Suggestion], totals: Costs) -> list[Suggestion]:
    """Suggestions by score, the best first."""
    return sorted(suggestions, key=lambda suggestion: -score(suggestion.changes, totals))


def best_set(suggestions: Sequence[Suggestion], totals: Costs, goal: Goal) -> list[Suggestion]:
    """The best suggestion per call; with a goal, for as few calls as possible the mildest one that reaches it."""
    by_call = _by_call(suggestions, totals)
    if not goal:
        return [alternatives[0] for alternatives in by_call]
    chosen = _fewest(by_call, totals, goal)
    for position, suggestion in enumerate(chosen):
        same_call = next((alternatives for alternatives in by_call if suggestion in alternatives), [])
        for milder in sorted(same_call, key=lambda other: score(other.changes, totals)):
            trial = [*chosen[:position], milder, *chosen[position + 1 :]]
            if goal.reached(estimated_totals(trial, totals)):
                chosen = trial
                break
    return _needed(chosen, totals, goal)  # a milder one may save more of the other cost


def front(suggestions: Sequence[Suggestion], chosen: Sequence[Suggestion], totals: Costs) -> tuple[SetEstimate, ...]:
    """The chosen set, and the best set of every single kind, by their number of parameters."""
    by_code: dict[str, list[Suggestion]] = {}
    for suggestion in suggestions:
        by_code.setdefault(suggestion.code, []).append(suggestion)
    sets = [_estimate(best_set(some, totals, Goal()), totals, chosen_set=False) for some in by_code.values()]
    taken = _estimate(chosen, totals, chosen_set=True)
    others = [each for each in sets if (each.codes, each.layers) != (taken.codes, taken.layers)]
    return tuple(sorted([taken, *others], key=lambda each: (each.totals.params, each.totals.macs)))


def _estimate(chosen: Sequence[Suggestion], totals: Costs, *, chosen_set: bool) -> SetEstimate:
    changes = [change for suggestion in chosen for change in suggestion.changes]
    errors = [change.weight_error for change in changes if change.weight_error is not None]
    kinds = dict.fromkeys((each.code, each.name + " pairs" * (each.code == "CVL505")) for each in chosen)
    return SetEstimate(
        " + ".join(name for _, name in kinds),
        tuple(code for code, _ in kinds),
        len(changes),
        estimated_totals(chosen, totals),
        sum(errors) / len(errors) if errors else None,
        chosen_set,
    )


def estimated_totals(chosen: Sequence[Suggestion], totals: Costs) -> Costs:
    return totals - sum((suggestion.saved for suggestion in chosen), Costs())


def _by_call(suggestions: Sequence[Suggestion], totals: Costs) -> list[list[Suggestion]]:
    """Lists of alternatives for the same layers, the best first; no layer is in two lists."""
    lists: list[list[Suggestion]] = []
    taken: dict[str, int] = {}
    for suggestion in ranked(suggestions, totals):
        places = {taken[name] for name in suggestion.instances if name in taken}
        if not places:
            taken.update(dict.fromkeys(suggestion.instances, len(lists)))
            lists.append([suggestion])
        elif len(places) == 1 and set(lists[next(iter(places))][0].instances) == set(suggestion.instances):
            lists[next(iter(places))].append(suggestion)
    return lists


def _fewest(by_call: list[list[Suggestion]], totals: Costs, goal: Goal) -> list[Suggestion]:
    """Choose greedily the rewrite that brings the totals nearest to the goal, then drop those that are not needed."""
    chosen: list[Suggestion] = []
    left = [option for alternatives in by_call for option in alternatives]
    while left and not goal.reached(now := estimated_totals(chosen, totals)):
        best = min(left, key=lambda suggestion: _distance(goal, now - suggestion.saved, totals))
        if _distance(goal, now - best.saved, totals)[0] >= _distance(goal, now, totals)[0]:
            break  # no remaining one brings it nearer
        chosen.append(best)
        left = [suggestion for suggestion in left if not set(suggestion.instances) & set(best.instances)]
    return _needed(chosen, totals, goal)


def _needed(chosen: list[Suggestion], totals: Costs, goal: Goal) -> list[Suggestion]:
    """Drop the rewrites without which the goal is reached, the least useful first."""
    for suggestion in sorted(chosen, key=lambda suggestion: score(suggestion.changes, totals)):
        without = [other for other in chosen if other is not suggestion]
        if goal.reached(estimated_totals(without, totals)):
            chosen = without
    return chosen


def _distance(goal: Goal, now: Costs, totals: Costs) -> tuple[float, float]:
    params, macs = goal.excess(now)
    left = params / max(totals.params, 1) + macs / max(totals.macs, 1)
    return left, now.params / max(totals.params, 1) + now.macs / max(totals.macs, 1)
