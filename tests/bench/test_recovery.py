"""How many planted mistakes one run finds: the score, and a reduced form of bench/mutate.py."""

from __future__ import annotations

from itertools import islice

import pytest

from bench import mutate, mutator
from bench.mutate import Found, Score


def edit(line: int) -> mutator.Edit:
    return mutator.Edit("Conv2d", "in_channels", line, line, 0, 1, "3", "6")


def score(*found: Found) -> Score:
    return Score("net", (edit(1), edit(2), edit(3)), found)


def test_score_of_three_findings_at_the_three_lines() -> None:
    found = score(*(Found("CVL102", ("net.py", line), ()) for line in (1, 2, 3)))
    assert (found.reported, found.first, found.named) == (3, 3, 3)


def test_score_of_a_finding_that_names_the_edit_as_the_other_end() -> None:
    found = score(Found("CVL102", ("net.py", 9), (("net.py", 1),)))
    assert (found.reported, found.first, found.named) == (1, 0, 1)


def test_one_finding_reports_one_edit_however_many_lines_it_names() -> None:
    everything = Found("CVL102", ("net.py", 1), (("net.py", 2), ("net.py", 3)))
    assert (score(everything).reported, score(everything).named) == (1, 3)
    assert score(everything, everything, everything).reported == 3


def test_score_finds_the_largest_matching() -> None:
    both = Found("CVL102", ("net.py", 1), (("net.py", 2),))
    first = Found("CVL103", ("net.py", 1), ())
    assert score(both, first).reported == 2  # the first finding must be given to the second edit


def test_a_line_of_another_file_is_another_line() -> None:
    assert score(Found("CVL102", ("misc.py", 1), ())).named == 0


@pytest.mark.slow
@pytest.mark.parametrize("family", mutator.FAMILIES[1:7:5], ids=lambda family: family.file)
def test_mutants_change_three_calls_and_each_change_alone_fails(family: mutator.Family) -> None:
    for edits in islice(mutate.mutants(family, 1, seed=1), 1):
        assert len({e.call_line for e in edits}) == 3
        assert all(mutate.fails(family, e) for e in edits)


@pytest.mark.slow
def test_planted_mistakes_are_found() -> None:
    scores = list(mutate.measure(1, seed=1, families=mutator.FAMILIES[:7:3]))
    edits = sum(len(s.edits) for s in scores)
    assert not [s.crash for s in scores if s.crash]
    assert sum(s.reported == len(s.edits) for s in scores) >= 0.9 * len(scores)
    assert sum(s.first for s in scores) >= 0.8 * edits
    assert sum(s.named for s in scores) >= 0.95 * edits


@pytest.mark.sweep
def test_planted_mistakes_are_found_as_often_as_the_page_says() -> None:
    scores = list(mutate.measure(24, seed=0))
    edits = sum(len(s.edits) for s in scores)
    assert len(scores) >= 300
    assert not [s.crash for s in scores if s.crash]
    assert sum(s.reported == len(s.edits) for s in scores) >= 0.97 * len(scores)
    assert sum(s.first for s in scores) >= 0.85 * edits
    assert sum(s.named for s in scores) >= 0.99 * edits
