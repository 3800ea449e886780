"""The search for a size: forms of different sizes for each call, and the choice of those with the least error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from convlint.ir import Costs, Graph, LayerChange, Replacement, StudiedCall, StudiedForm
from convlint.rewriting.base import KindOptions
from convlint.rewriting.candidates import Candidate, drafts_of
from convlint.rewriting.selection import Goal
from convlint.support.dataclass import dataclass

_STEPS = 60  # of the bisection for the price of a parameter


@dataclass(frozen=True, slots=True)
class Sized:
    """A candidate with the error of its form, see ``StudiedForm``."""

    candidate: Candidate
    error: float
    largest: float

    @property
    def saved(self) -> Costs:
        return sum((change.before - change.after for change in self.candidate.changes), Costs())


def studied_calls(found: Iterable[Candidate], kind_options: KindOptions, graph: Graph) -> tuple[StudiedCall, ...]:
    """The forms of all kinds to judge for each set of layers that a call builds."""
    forms: dict[tuple[str, ...], list[Replacement]] = {}
    for candidate in found:
        if candidate.place is None:
            continue
        names = tuple(change.layer for change in candidate.changes)
        uses = candidate.place.uses
        for form in candidate.kind.alternatives(uses, kind_options, graph):
            if all(candidate.kind.fits(use.arguments, form, kind_options) for use in uses):
                forms.setdefault(names, []).append(form)
    return tuple(StudiedCall(names, tuple(dict.fromkeys(each))) for names, each in forms.items())


def sized(found: Iterable[Candidate], studied: Iterable[StudiedForm], kind_options: KindOptions) -> Iterator[Sized]:
    """A candidate for each form that was judged."""
    by_layers = {(tuple(c.layer for c in each.changes), each.kind): each for each in found}
    for result in studied:
        for (names, kind), candidate in by_layers.items():
            if names == result.layers and result.form.code in (kind.code, *kind.variant_codes):
                changed = with_form(candidate, result.form, kind_options)
                one = Sized(changed, result.error, result.largest)
                if min(one.saved.params, one.saved.macs) >= 0:
                    yield one


def with_form(candidate: Candidate, form: Replacement, kind_options: KindOptions) -> Candidate:
    """A candidate with another form of the same kind."""
    kind, place = candidate.kind, candidate.place
    assert place is not None
    all_fit = all(kind.fits(other, form, kind_options) for other in place.others)
    drafts = tuple(drafts_of(kind, place, form, all_fit=all_fit))
    if place.uses[0].layer.kind != place.uses[0].layer.base:  # a helper would replace the subclass
        drafts = tuple(draft for draft in drafts if not draft.helpers)
    changes = tuple(LayerChange(use.layer.name, form, use.before, kind.costs(use, form)) for use in place.uses)
    return Candidate(kind, place, form, changes, drafts, candidate.otherwise)


def within_error(options: Sequence[Sized], limit: float, totals: Costs) -> list[Sized]:
    """For each call the form that saves most and whose layers have at most this error."""
    chosen: list[Sized] = []
    for forms in _by_call(options):
        fitting = [each for each in forms if each.largest <= limit]
        if fitting:
            chosen.append(max(fitting, key=lambda each: _share(each.saved, totals, Goal(1, 1))))
    return chosen


def beyond_error(options: Sequence[Sized], limit: float) -> list[Sized]:
    """The form with the smallest error of each call of which no form has at most this error."""
    best = [min(forms, key=lambda each: each.largest) for forms in _by_call(options)]
    return [each for each in best if each.largest > limit]


def smallest_error(options: Sequence[Sized], totals: Costs, goal: Goal) -> list[Sized]:
    """The forms with the smallest sum of errors that reach a goal, at most one for each call.

    A price for each saved share is bisected; what is left is spent on the calls where it removes most of the error. If
    the goal is out of reach, the forms that save most.
    """
    calls = _by_call(options)
    low, high = 0.0, 1e9
    best = _at_price(calls, high, totals, goal)
    for _ in range(_STEPS):
        price = (low * high) ** 0.5 if low else high / 1e3
        chosen = _at_price(calls, price, totals, goal)
        if goal.reached(_rest(chosen, totals)):
            best, high = chosen, price
        else:
            low = price
    return _refined(best, calls, totals, goal)


def _refined(best: list[Sized], calls: Sequence[Sequence[Sized]], totals: Costs, goal: Goal) -> list[Sized]:
    """Replace forms by those with a smaller error as long as the goal stays reached."""
    chosen = {_key(each): each for each in best}
    while True:
        moves: list[tuple[float, str, Sized | None]] = []
        for forms in calls:
            key = _key(forms[0])
            now = chosen.get(key)
            if now is None:
                continue
            for other in (*forms, None):
                gain = now.error - (other.error if other else 0.0)
                trial = [each for each in chosen.values() if each is not now] + ([other] if other else [])
                if gain > 0 and goal.reached(_rest(trial, totals)):
                    moves.append((gain, key, other))
        if not moves:
            return list(chosen.values())
        _, key, other = max(moves, key=lambda move: move[0])
        if other is None:
            del chosen[key]
        else:
            chosen[key] = other


def _at_price(calls: Sequence[Sequence[Sized]], price: float, totals: Costs, goal: Goal) -> list[Sized]:
    """For each call the form with the smallest error less the price of what it saves; none if that is positive."""
    chosen = []
    for forms in calls:
        costs = {id(each): each.error - price * _share(each.saved, totals, goal) for each in forms}
        best = min(forms, key=lambda each: costs[id(each)])
        if costs[id(best)] < 0:
            chosen.append(best)
    return chosen


def _share(saved: Costs, totals: Costs, goal: Goal) -> float:
    share = 0.0
    if goal.params is not None:
        share += saved.params / max(totals.params, 1)
    if goal.macs is not None:
        share += saved.macs / max(totals.macs, 1)
    return share


def _rest(chosen: Iterable[Sized], totals: Costs) -> Costs:
    return totals - sum((each.saved for each in chosen), Costs())


def _key(each: Sized) -> str:
    return "\n".join(change.layer for change in each.candidate.changes)


def _by_call(options: Iterable[Sized]) -> list[list[Sized]]:
    """The forms for each set of layers, without sets that share a layer with an earlier one."""
    found: dict[str, list[Sized]] = {}
    owner: dict[str, str] = {}
    for each in options:
        key = _key(each)
        names = [change.layer for change in each.candidate.changes]
        if all(owner.get(name, key) == key for name in names):
            owner.update(dict.fromkeys(names, key))
            found.setdefault(key, []).append(each)
    return list(found.values())
