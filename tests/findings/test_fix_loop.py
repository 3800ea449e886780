"""The loop of fixes: until nothing is left, whole fixes only, and never a file that does not parse."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlint.findings import fix_loop
from convlint.ir import Applicability, Edit, Finding, Fix, Site


def finding(*made: Edit, code: str = "CVL301", kind: Applicability = "safe") -> Finding:
    return Finding(code, "a-name", "warning", "m", made[0].site, fix=Fix("a title", kind, made))


def replacing(rules: dict[str, str], kind: Applicability = "safe") -> Callable[[fix_loop.Files], Sequence[Finding]]:
    """What finds words, and has a fix for each."""

    def find(texts: fix_loop.Files) -> Iterator[Finding]:
        for path, data in texts.items():
            for number, line in enumerate(data.decode().split("\n"), 1):
                for word in re.finditer(r"\w+", line):
                    if word[0] in rules:
                        span = Site(path, number, word.start() + 1, number, word.end() + 1)
                        yield finding(Edit(span, rules[word[0]]), kind=kind)

    return lambda texts: list(find(texts))


def test_fixes_go_on_until_nothing_is_found() -> None:
    done = fix_loop.fix_files({"net.py": b"a; b\na\n"}, replacing({"a": "b", "b": "c"}))
    assert done.files == {"net.py": b"c; c\nc\n"}
    assert (len(done.applied), done.remaining, done.rounds, done.converged) == (5, (), 2, True)


def test_files_that_did_not_change_are_not_returned() -> None:
    done = fix_loop.fix_files({"net.py": b"a\n", "other.py": b"x\n"}, replacing({"a": "b"}))
    assert done.files == {"net.py": b"b\n"}
    assert fix_loop.fix_files({"other.py": b"x\n"}, replacing({"a": "b"})).rounds == 0


def test_fixes_that_undo_each_other_come_to_an_end() -> None:
    done = fix_loop.fix_files({"net.py": b"a\n"}, replacing({"a": "b", "b": "a"}), max_rounds=5)
    assert (done.rounds, done.converged) == (5, False)
    assert [f.code for f in done.remaining] == ["CVL301"]


@pytest.mark.parametrize(
    ("kind", "unsafe", "made"),
    [
        ("safe", False, True),
        ("safe", True, True),
        ("unsafe", False, False),
        ("unsafe", True, True),
        ("display", True, False),
    ],
)
def test_only_what_is_allowed_is_fixed(kind: Applicability, unsafe: bool, made: bool) -> None:
    done = fix_loop.fix_files({"net.py": b"a\n"}, replacing({"a": "b"}, kind), unsafe=unsafe)
    assert (done.files == {"net.py": b"b\n"}) == made == bool(done.applied)
    assert bool(done.remaining) == (not made)
    assert done.converged


def test_a_fix_that_breaks_the_file_is_dropped_and_the_others_made() -> None:
    done = fix_loop.fix_files({"net.py": b"a\nb\nc\n"}, replacing({"a": "x", "b": "(", "c": "y"}))
    assert done.files == {"net.py": b"x\n(\ny\n".replace(b"(", b"b")}
    assert [f.site and f.site.line for f in done.dropped] == [2]
    assert done.remaining == done.dropped


def test_nothing_is_fixed_in_a_file_that_does_not_parse() -> None:
    done = fix_loop.fix_files({"net.py": b"a\nb = (\n"}, replacing({"a": "x"}))
    assert (done.files, done.applied, len(done.dropped)) == ({}, (), 1)


def test_a_character_that_the_encoding_lacks_is_not_written() -> None:
    done = fix_loop.fix_files({"net.py": b"# coding: ascii\na\n"}, replacing({"a": "\u00e9"}))
    assert (done.files, len(done.dropped)) == ({}, 1)


HERE = Edit(Site("net.py", 1, 1, 1, 2), "b")
THERE = Edit(Site("other.py", 1, 1, 1, 2), "b")


def test_a_fix_of_two_files_is_made_in_both() -> None:
    step = fix_loop.fix_once({"net.py": b"a\n", "other.py": b"a\n"}, [finding(HERE, THERE)])
    assert step.files == {"net.py": b"b\n", "other.py": b"b\n"}


def test_a_fix_that_needs_a_file_that_is_not_checked_is_not_made() -> None:
    step = fix_loop.fix_once({"net.py": b"a\n"}, [finding(HERE, THERE)])
    assert (step.files, step.applied, step.dropped) == ({"net.py": b"a\n"}, (), ())


def test_two_findings_with_one_fix_are_both_fixed() -> None:
    two = [finding(HERE), finding(HERE, code="CVL302")]
    step = fix_loop.fix_once({"net.py": b"a\n"}, two)
    assert step.files == {"net.py": b"b\n"}
    assert step.applied == tuple(two)


def test_of_two_that_overlap_one_waits_for_the_next_round() -> None:
    longer = Edit(Site("net.py", 1, 1, 1, 6), "c")
    step = fix_loop.fix_once({"net.py": b"a + b\n"}, [finding(longer), finding(HERE)])
    assert len(step.applied) == 1
    assert not step.dropped


WORDS = st.sampled_from(["a", "b", "c", "d", "e"])


@given(
    st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=5),
    st.dictionaries(WORDS, st.sampled_from(["a", "b", "c", "(", "f(a)", "x"])),
)
def test_what_is_fixed_parses_and_stays_fixed(parts: list[list[str]], rules: dict[str, str]) -> None:
    data = "\n".join("; ".join(words) for words in parts).encode()
    find = replacing(rules)
    done = fix_loop.fix_files({"net.py": data}, find)
    after = done.files.get("net.py", data)
    ast.parse(after)
    assert list(done.remaining) == find({"net.py": after})
    if done.converged:
        assert done.remaining == done.dropped
        again = fix_loop.fix_files({"net.py": after}, find)
        assert (again.files, again.applied) == ({}, ())
