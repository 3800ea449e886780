"""The choice of one form for each call: the smallest sum of errors at a size."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from convlint.ir import Costs, LayerChange, Replacement
from convlint.rewriting.alternatives import Sized, smallest_error, within_error
from convlint.rewriting.candidates import Candidate
from convlint.rewriting.kinds import kinds
from convlint.rewriting.selection import Goal

CALLS = st.lists(
    st.lists(st.tuples(st.integers(1, 100), st.floats(0.001, 1)), min_size=1, max_size=4), min_size=1, max_size=4
)


def sized(layer: str, saved: int, error: float) -> Sized:
    form = Replacement("CVL506", ranks=(saved, saved), base="Conv2d")
    change = LayerChange(layer, form, Costs(100, 100), Costs(100 - saved, 100 - saved))
    return Sized(Candidate(kinds()["tucker"], None, form, (change,), ()), error, error**0.5)


@given(CALLS, st.integers(0, 400))
def test_the_goal_is_reached_if_it_can_be_and_no_form_alone_could_have_a_smaller_error(
    calls: list[list[tuple[int, float]]], less: int
) -> None:
    options = [[sized(f"layer{n}", *each) for each in call] for n, call in enumerate(calls)]
    totals = Costs(1000, 1000)
    goal = Goal(1000 - less)
    chosen = smallest_error([each for call in options for each in call], totals, goal)
    assert len({each.candidate.changes[0].layer for each in chosen}) == len(chosen)
    sets = [[each for each in some if each is not None] for some in product(*[[None, *call] for call in options])]
    reaching = [some for some in sets if sum(each.saved.params for each in some) >= less]
    saved = sum(each.saved.params for each in chosen)
    if not reaching:
        assert saved <= less
        return
    assert saved >= less
    # No single form can be replaced by one with a smaller error.
    for each in chosen:
        layer = each.candidate.changes[0].layer
        others = [other for call in options for other in call if other.candidate.changes[0].layer == layer]
        assert not [o for o in others if o.error < each.error and saved - each.saved.params + o.saved.params >= less]


def test_an_error_bound_takes_for_each_call_what_saves_most() -> None:
    options = [sized("a", 10, 0.01), sized("a", 50, 0.04), sized("a", 90, 0.5), sized("b", 20, 0.9)]
    chosen = within_error(options, 0.25, Costs(1000, 1000))
    assert [(each.candidate.changes[0].layer, each.saved.params) for each in chosen] == [("a", 50)]
