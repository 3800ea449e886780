"""Trials of a repair of a class: what its executions come to, and whether it holds for further arguments."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

from convlint.analysis import ops
from convlint.latent.arguments import DIFFERENT, LAST_PATTERNS, ArgumentSpace
from convlint.latent.contracts import breaks_contract, is_indivisible
from convlint.latent.following import Followed, Operation, layer_of
from convlint.latent.substitution import position
from convlint.latent.trials import ClassTrials
from convlint.support.dataclass import dataclass, replace

if TYPE_CHECKING:
    from convlint.ir import Site
    from convlint.latent.candidates import ClassRepair
    from convlint.static.domain.execution import Step


@dataclass(frozen=True, eq=False)
class Accepted:
    """A repair after which nothing new fails, and the executions with it."""

    repair: ClassRepair
    after: tuple[Followed, ...]


class RepairTrials:
    """Trials of repairs of a class in one state. Repairs that give a call equal numbers are one trial."""

    def __init__(self, trials: ClassTrials, state: Sequence[Followed]) -> None:
        self._trials = trials
        self._state = state
        self._known: dict[Hashable, tuple[tuple[Followed, ...] | None, int]] = {}

    def after(self, repair: ClassRepair) -> tuple[Followed, ...] | None:
        """The executions after a repair, as ``tried_with`` returns them. Each repair counts with all its steps."""
        from convlint.latent.candidates import numbers_given

        numbers = numbers_given(repair, self._state)
        key = repair.written.place.path, position(repair.written.node), numbers
        if numbers is not None and key in self._known:
            executions, steps = self._known[key]
            self._trials.steps += steps
            return executions
        before = self._trials.steps
        executions = tried_with(self._trials, repair, self._state)
        self._known[key] = executions, self._trials.steps - before
        return executions


def tried_with(trials: ClassTrials, repair: ClassRepair, state: Sequence[Followed]) -> tuple[Followed, ...] | None:
    """The executions after a repair; None if one of them fails where it did not before, or as it did before.

    One that then only breaks a contract of the class, as its arguments are, counts as refused.
    """
    after: list[Followed] = []
    is_settled = False  # a failure that only becomes a broken contract is none
    with trials.edited(repair) as is_possible:
        if not is_possible:
            return None
        for each in in_order(state):
            again = _accepted(each, trials.repeated(each), trials.space)
            if again is None:
                trials.stopped_by_options |= is_settled and each.outcome == "fails" and bool(each.options)
                return None
            is_settled = is_settled or (each.outcome == "fails" and again.outcome != "refused")
            after.append(again)
    return tuple(after) if is_settled else None


def _accepted(before: Followed, again: Followed, space: ArgumentSpace) -> Followed | None:
    """An execution after a repair; None if the repair is wrong for it."""
    if before.outcome == "works":
        return again if again.outcome == "works" else None
    if again.outcome == "fails":
        if before.operation in again.failing or not _reaches(again, before):
            return None
        if breaks_contract(again) or is_indivisible(again):
            return replace(again, outcome="refused")
        return again if again.failing <= before.failing else None
    if again.outcome == "undecided" and again.path.complete:
        return replace(again, outcome="refused")  # an optional input that was left out
    if again.outcome == "refused" or (_reaches(again, before) and _is_seen(again, space)):
        return again  # if it is refused, by arguments that the class does not accept
    return None


def refused_after(trials: ClassTrials, accepted: Accepted) -> int | None:
    """Return for how many further arguments groups do not divide channels with a repair; None if it brings another
    failure for one of them.

    It may work for those tried by coincidence, or for one value of a count or ratio that only one of the two
    expressions reads; a new number may be that of a count.
    """
    repair = accepted.repair
    options = trials.space.doubled(repair.changed_names)
    factors = trials.space.doubled_factors if repair.has_new_number else {}
    known = frozenset[Operation]().union(*(each.failing for each in accepted.after))
    with trials.edited(repair):
        if factors and repair.failed.operation in trials.follow(DIFFERENT, factors).failing:
            return None
        refused = 0
        more = [(DIFFERENT, options)] if options else []
        for pattern, given in [*((pattern, {}) for pattern in LAST_PATTERNS), *more]:
            each = trials.follow(pattern, given)
            is_refused = is_indivisible(each)
            if not (each.outcome == "undecided" or breaks_contract(each) or is_refused or each.failing <= known):
                return None
            refused += is_refused
    return refused


def same_values(one: ClassRepair, other: ClassRepair, state: Sequence[Followed]) -> bool:
    """Return whether two repairs replace the same numbers by the same."""
    from convlint.latent.candidates import evaluated

    return all(set(evaluated(each, one)) == set(evaluated(each, other)) for each in state)


def in_order(state: Sequence[Followed]) -> list[Followed]:
    """Executions that fail, then those that work; of each those without options first."""
    return sorted(state, key=lambda each: (each.outcome, bool(each.options)))


def representatives(state: Sequence[Followed]) -> list[Followed]:
    """Two executions that fail, in different operations if there are such."""
    fails = [each for each in state if each.outcome == "fails"]
    others = [each for each in fails if each.operation != fails[0].operation]
    return [fails[0], *others[:1]]


def failing(executions: Sequence[Followed]) -> int:
    return sum(each.outcome == "fails" for each in executions)


def _reaches(again: Followed, before: Followed) -> bool:
    """Return whether an execution came to the operation that failed before, with shapes that are known."""
    if before.step is None:
        return True
    place = _place(before, before.step)
    known = (step for step in again.path.execution.steps if step.site == place[1] and _place(again, step) == place)
    return any(all(tensor.shape is not None for tensor in step.inputs) for step in known)


def _is_seen(again: Followed, space: ArgumentSpace) -> bool:
    """Return whether no sum reads what a layer gives for an input that is not followed, and no layer that a list of
    widths sizes is left out: another input may be needed for it.
    """
    steps = again.path.execution.steps
    producers = {output.id: step for step in steps for output in step.outputs}
    if any(step.op in ("add", "sub") and _is_half_known(step, producers) for step in steps):
        return False
    called = {layer_of(step) for step in steps}
    sites = {layer.site for layer in called if layer is not None} if space.width_lists else set()
    layers = again.path.interpreter.creators
    return all(layer in called for layer in layers if layer.site in sites and layer.site is not None)


def _is_half_known(step: Step, producers: Mapping[int | None, Step]) -> bool:
    unknown = [tensor for tensor in step.inputs if tensor.shape is None]
    return 0 < len(unknown) < len(step.inputs) and any(_comes_from_layer(t.id, producers) for t in unknown)


def _comes_from_layer(tensor: int | None, producers: Mapping[int | None, Step]) -> bool:
    while (step := producers.get(tensor)) is not None and step.op not in ops.PROJECTIONS and len(step.inputs) == 1:
        tensor = step.inputs[0].id
    return step is not None and step.op in ops.PROJECTIONS


def _place(followed: Followed, step: Step) -> tuple[str, Site | None, tuple[Site | None, ...]]:
    """The called operation, its line, and the calls that build its module, the innermost first."""
    built: list[Site | None] = []
    owner = layer_of(step) or step.owner
    while owner is not None:
        built.append(owner.site)
        owner = followed.path.interpreter.creators.get(owner)
    return step.op, step.site, tuple(built)
