"""Which rewrites are proposed together: the best of every call, or the cheapest set that reaches a goal."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from convlint.ir import Costs, LayerChange, Replacement, Suggestion, Verification
from convlint.rewriting.selection import Goal, best_set, estimated_totals, ranked, score

TOTALS = Costs(1000, 1000)
FORM = Replacement("CVL502")


def suggestion(layers: str, *saved: int, error: float | None = None, name: str = "") -> Suggestion:
    """A rewrite of layers of a letter each, that saves so many parameters and MACs in the first of them."""
    before, after = Costs(500, 500), Costs(500 - saved[0], 500 - saved[-1])
    changes = [
        LayerChange(layer, FORM, before, before if number else after, error) for number, layer in enumerate(layers)
    ]
    verified = Verification(ran=True, output_shapes_equal=True, params_equal=True, macs_equal=True)
    return Suggestion("CVL502", name, "", None, tuple(changes), (), "", verified, "")


def test_without_a_goal_the_best_of_every_call_is_chosen() -> None:
    a, b, c = suggestion("ab", 100), suggestion("ab", 200), suggestion("c", 50)
    assert best_set([a, b, c], TOTALS, Goal()) == [b, c]


def test_parameters_and_macs_count_alike_and_trained_weights_that_are_lost_against_it() -> None:
    macs = suggestion("a", 0, 100)
    assert score(macs.changes, TOTALS) == score(suggestion("a", 100, 0).changes, TOTALS) == 0.1
    assert score(suggestion("a", 100, error=0.25).changes, TOTALS) == 0.75 * 0.2
    lossy, near = suggestion("a", 200, error=0.9), suggestion("a", 100, error=0.1)
    assert best_set([lossy, near], TOTALS, Goal()) == [near]
    assert ranked([lossy, macs, near], TOTALS) == [near, macs, lossy]


def test_a_goal_is_reached_with_few_edits_and_these_as_mild_as_can_be() -> None:
    small, middle, large = (suggestion("a", n) for n in (100, 200, 300))
    other = suggestion("b", 150)
    every = [small, middle, large, other]
    assert best_set(every, TOTALS, Goal(params=900)) == [small]
    assert best_set(every, TOTALS, Goal(params=850)) in ([middle], [other])
    assert best_set(every, TOTALS, Goal(params=750)) == [large]
    assert set(best_set(every, TOTALS, Goal(params=650))) == {middle, other}
    assert best_set(every, TOTALS, Goal(params=1000)) == []


def test_a_rewrite_that_others_make_superfluous_is_left_out() -> None:
    both, params, macs = suggestion("a", 60, 60), suggestion("b", 100, 0), suggestion("c", 0, 100)
    every = [both, params, macs]
    assert set(best_set(every, TOTALS, Goal(900, 900))) == {params, macs}
    assert best_set(every, TOTALS, Goal(940, 940)) == [both]


def test_a_goal_that_cannot_be_reached_takes_nothing_that_leads_away_from_it() -> None:
    good, bad = suggestion("a", 10, 100), suggestion("b", 400, -50)
    assert best_set([good, bad], TOTALS, Goal(macs=1)) == [good]
    assert best_set([bad], TOTALS, Goal(macs=1)) == []


SAVED = st.integers(-20, 120)
CALLS = st.lists(st.lists(st.tuples(SAVED, SAVED), min_size=1, max_size=3), min_size=1, max_size=5)


def offered(calls_saved: list[list[tuple[int, int]]]) -> list[Suggestion]:
    return [
        suggestion("abcde"[number], *saved, name=f"{number} {way}")
        for number, options in enumerate(calls_saved)
        for way, saved in enumerate(options)
    ]


@given(CALLS, st.integers(500, 1000), st.sampled_from(["params", "macs"]))
def test_a_goal_that_can_be_reached_is_and_with_as_few_calls_as_can_be(
    calls_saved: list[list[tuple[int, int]]], most: int, what: str
) -> None:
    side = 0 if what == "params" else 1
    best = sorted((max(saved[side] for saved in options) for options in calls_saved), reverse=True)
    enough = [n for n in range(6) if sum(best[:n]) >= 1000 - most]
    goal = Goal(**{what: most})
    chosen = best_set(offered(calls_saved), TOTALS, goal)
    assert goal.reached(estimated_totals(chosen, TOTALS)) == bool(enough)
    if enough:
        assert len(chosen) == enough[0]


@given(CALLS, st.none() | st.integers(700, 1000), st.none() | st.integers(700, 1000), st.randoms())
def test_no_rewrite_of_a_set_that_reaches_its_goal_can_be_left_out(
    calls_saved: list[list[tuple[int, int]]], params: int | None, macs: int | None, random: Any
) -> None:
    suggestions, goal = offered(calls_saved), Goal(params, macs)
    random.shuffle(suggestions)
    chosen = best_set(suggestions, TOTALS, goal)
    layers = [name for one in chosen for name in one.instances]
    assert len(layers) == len(set(layers))
    if goal and goal.reached(estimated_totals(chosen, TOTALS)):
        for one in chosen:
            rest = [other for other in chosen if other is not one]
            assert not goal.reached(estimated_totals(rest, TOTALS))


def test_a_milder_rewrite_that_makes_another_one_needless_leaves_it_out() -> None:
    calls_saved = [[(1, 0)], [(29, 115)], [(37, 57)], [(100, 114)], [(45, 43), (102, -14)]]
    goal = Goal(732, 728)
    for seed in range(20):
        suggestions = offered(calls_saved)
        Random(seed).shuffle(suggestions)
        chosen = best_set(suggestions, TOTALS, goal)
        assert goal.reached(estimated_totals(chosen, TOTALS))
        for one in chosen:
            assert not goal.reached(estimated_totals([other for other in chosen if other is not one], TOTALS))


@given(st.lists(st.tuples(st.sets(st.sampled_from("abcde"), min_size=1), SAVED), max_size=8))
def test_no_layer_is_rewritten_twice(parts: list[tuple[set[str], int]]) -> None:
    suggestions = [suggestion("".join(sorted(names)), saved) for names, saved in parts]
    for goal in (Goal(), Goal(params=800)):
        layers = [name for one in best_set(suggestions, TOTALS, goal) for name in one.instances]
        assert len(layers) == len(set(layers))
