"""Symbolic integers: normal forms agree with Python's own arithmetic, and proofs with exhaustive
search.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, pairwise, permutations, product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convlint import symbolic
from convlint.symbolic import Dim, Facts, Symbol, constant, provably_divisible, provably_equal, symbol

NAMES = ("a", "b", "c")
A, B, C = (symbol(name) for name in NAMES)


@dataclass(frozen=True)
class Program:
    """An expression as Python source and as the normal form that its operations produced."""

    source: str
    dim: Dim

    def run(self, values: dict[str, int]) -> int | None:
        """The value that Python computes; None if it divides by zero."""
        try:
            return int(eval(self.source, {"min": min, "max": max}, values))  # noqa: S307  written above
        except ZeroDivisionError:
            return None


def _binary(op: str, apply: Callable[[Dim, Dim], Dim]) -> Callable[[tuple[Program, Program]], Program]:
    def build(pair: tuple[Program, Program]) -> Program:
        left, right = pair
        call = f"{op}({left.source}, {right.source})"
        infix = f"({left.source} {op} {right.source})"
        return Program(call if op.isalpha() else infix, apply(left.dim, right.dim))

    return build


OPERATORS = (
    _binary("+", lambda x, y: x + y),
    _binary("-", lambda x, y: x - y),
    _binary("*", lambda x, y: x * y),
    _binary("//", lambda x, y: x // y),
    _binary("%", lambda x, y: x % y),
    _binary("min", symbolic.minimum),
    _binary("max", symbolic.maximum),
)


def programs(
    names: tuple[str, ...] = NAMES, smallest: int = -6, largest: int = 12, leaves: int = 8
) -> st.SearchStrategy[Program]:
    return st.recursive(
        st.sampled_from([Program(name, symbol(name)) for name in names])
        | st.integers(smallest, largest).map(lambda n: Program(f"({n})", constant(n))),
        lambda inner: st.tuples(inner, inner).flatmap(
            lambda pair: st.sampled_from(OPERATORS).map(lambda build: build(pair))
        ),
        max_leaves=leaves,
    )


def crowds(size: int) -> st.SearchStrategy[list[Program]]:
    """Many small programs over few symbols, so that some compute the same function."""
    return st.lists(programs(("a", "b"), 1, 3, 4), min_size=size, max_size=2 * size)


BINDINGS = st.fixed_dictionaries({name: st.integers(-4, 20) for name in NAMES})


def value(dim: Dim, values: dict[str, int]) -> int:
    return dim.evaluate({Symbol(name): number for name, number in values.items()})


@given(programs(), BINDINGS)
def test_a_normal_form_has_the_value_that_python_computes(program: Program, values: dict[str, int]) -> None:
    expected = program.run(values)
    assume(expected is not None and not program.dim.is_unknown)
    assert value(program.dim, values) == expected


def values_everywhere(program: Program) -> list[int | None]:
    """The values that Python computes for all small numbers."""
    grid = product(range(-2, 5), range(1, 5))
    return [program.run({"a": a, "b": b}) for a, b in grid]


@pytest.mark.slow
@given(crowds(20))
def test_equal_normal_forms_never_differ_in_value(crowd: list[Program]) -> None:
    groups: dict[Dim, list[Program]] = {}
    for program in crowd:
        groups.setdefault(program.dim, []).append(program)
    for group in groups.values():
        for numbers in zip(*map(values_everywhere, group), strict=True):
            assert len(set(numbers) - {None}) <= 1, [program.source for program in group]


@given(programs(), BINDINGS)
def test_the_text_is_python_for_the_same_number(program: Program, values: dict[str, int]) -> None:
    expected = program.run(values)
    assume(expected is not None and not program.dim.is_unknown)
    assert Program(str(program.dim), program.dim).run(values) == expected


@given(programs())
def test_json_and_back(program: Program) -> None:
    assert symbolic.from_json(json.loads(json.dumps(symbolic.to_json(program.dim)))) == program.dim


@given(programs(), programs(), BINDINGS)
def test_substitution_is_the_value_of_the_replacement(program: Program, inner: Program, values: dict[str, int]) -> None:
    replaced = inner.run(values)
    assume(replaced is not None)
    expected = program.run(values | {"a": replaced})
    substituted = program.dim.substitute({Symbol("a"): inner.dim})
    assume(expected is not None and not substituted.is_unknown)
    try:
        assert value(substituted, values) == expected
    except ZeroDivisionError:  # what Python did not reach in the original may divide by zero in the normal form
        pytest.fail("the normal form divides by zero where Python does not")


@given(crowds(5), programs(("a", "b"), 1, 3, 3), programs(("a", "b"), 1, 3, 3))
def test_a_proof_from_a_fact_holds_wherever_the_fact_does(crowd: list[Program], left: Program, right: Program) -> None:
    facts = Facts([(left.dim, right.dim)])
    here = [x == y for x, y in zip(values_everywhere(left), values_everywhere(right), strict=True)]
    for first, second in combinations(crowd, 2):
        if facts.equal(first.dim, second.dim):
            results = zip(here, values_everywhere(first), values_everywhere(second), strict=True)
            for holds, x, y in results:
                assert not holds or x == y or None in (x, y), (first.source, second.source)


@given(crowds(5))
def test_divisibility_that_is_proved_holds(crowd: list[Program]) -> None:
    for dividend, divisor in permutations(crowd, 2):
        if provably_divisible(dividend.dim, divisor.dim):
            numbers = zip(values_everywhere(dividend), values_everywhere(divisor), strict=True)
            assert all(x is None or not y or x % y == 0 for x, y in numbers)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (2 * (A + B), 2 * A + 2 * B),
        (C // 1, C),
        (4 * C // 2, 2 * C),
        ((3 * C) // 2, C + C // 2),
        ((2 * C + 1) // 4, C // 2),
        (C // 2 // 3, C // 6),
        ((C // 2 + 1) // 3, (C + 2) // 6),
        (A * B // B, A),
        ((A + B) * 4 // (A + B), constant(4)),
        (C % 2 + C // 2 * 2, C),
        (6 * C % 3, constant(0)),
        (symbolic.maximum(C + 1, C), C + 1),
        (symbolic.minimum(A, B, A), symbolic.minimum(B, A)),
        (-(-C // 2), -((-1 * C) // 2)),
        (symbolic.apply("make_divisible", 2 * A, 8), symbolic.apply("make_divisible", A + A, 8)),
    ],
    ids=str,
)
def test_one_normal_form_for_one_function(left: Dim, right: Dim) -> None:
    assert left == right
    assert provably_equal(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (2 * (C // 2), C),
        (A, B),
        (A, constant(64)),
        ((C + 1) // 2, C // 2),
        (symbolic.maximum(A, B), A),
        (symbolic.UNKNOWN, symbolic.UNKNOWN),
        (symbolic.apply("f", A), symbolic.apply("f", B)),
    ],
    ids=str,
)
def test_different_functions_are_not_proved_equal(left: Dim, right: Dim) -> None:
    assert not provably_equal(left, right)


@pytest.mark.parametrize(
    ("goal", "facts"),
    [
        ((A, B), [(A, B)]),
        ((A, C), [(A, B), (B, C)]),
        ((A * C, B * C), [(A, B)]),
        ((A // 2, B // 2), [(A, B)]),
        ((A // 2 + C, B // 2 + C), [(2 * A, 2 * B)]),
        ((2 * (C // 2), C), [(C % 2, constant(0))]),
        ((2 * (C // 2) * A, C * A), [(C % 2, constant(0))]),
        ((B // A * A, B), [(B % A, constant(0))]),
        ((A, constant(8)), [(A, B), (B, constant(8))]),
        ((2 * A + 2 * B, 6 * C), [(A + B, 3 * C)]),
        ((A * B, C * C), [(A * B, C * C)]),
    ],
    ids=str,
)
def test_proofs_under_facts(goal: tuple[Dim, Dim], facts: list[tuple[Dim, Dim]]) -> None:
    assert not provably_equal(*goal)
    assert provably_equal(*goal, assume=facts)


def test_divisibility() -> None:
    assert provably_divisible(4 * A, A)
    assert provably_divisible(4 * A, 2)
    assert provably_divisible(A * B, A)
    assert not provably_divisible(B, A)
    assert provably_divisible(B, A, assume=[(B % A, constant(0))])
    assert provably_divisible(B, A, assume=[(B, 3 * A)])
    assert provably_divisible(C, 8, assume=[(C, 16 * A)])


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (C // 2, "c // 2"),
        (2 * (C // 2), "2 * (c // 2)"),
        (A + 2 * B, "a + 2 * b"),
        (B - A, "b - a"),
        (constant(-3), "-3"),
        (A % 8, "a % 8"),
        (3 * (A % 8) + B, "b + 3 * (a % 8)"),
        ((A + B) // C, "(a + b) // c"),
        (A * A * 2, "2 * a**2"),
        (symbolic.maximum(8, A // 4), "max(a // 4, 8)"),
        (symbolic.UNKNOWN, "?"),
    ],
    ids=str,
)
def test_text_reads_like_source(dim: Dim, text: str) -> None:
    assert str(dim) == text


def test_instances_keep_the_facts_and_change_the_expressions() -> None:
    a, b, c = Symbol("a"), Symbol("b"), Symbol("c")
    facts = Facts([(B, 2 * A), (C % A, constant(0))])
    found = list(facts.instances([A, B, C], {a: 4, b: 8, c: 12}))
    assert found
    assert all(v[b] == 2 * v[a] and v[c] % v[a] == 0 for v in found)
    assert any(v[a] != 4 for v in found)
    assert any(v[c] != 12 for v in found)


def test_an_expression_that_is_too_large_is_unknown() -> None:
    total = symbol("x0")
    for i in range(1, 60):
        total = total * (symbol(f"x{i}") + i)
    assert total.is_unknown
    assert (total - total).is_unknown
    assert str(total) == "?"
    with pytest.raises(ValueError, match="no value"):
        total.evaluate({})


@pytest.mark.parametrize("broken", [["s"], ["x", 1], "text", ["+", 3], ["f", "//", [1]], {"a": 1}])
def test_invalid_json_raises(broken: object) -> None:
    with pytest.raises(ValueError, match="expression"):
        symbolic.from_json(broken)


def test_opaque_symbols_are_equal_to_themselves_but_not_determined() -> None:
    lost = symbol("4", opaque=True)
    assert provably_equal(A * lost, lost * A)
    assert not (A * lost).determined
    assert A.determined


def test_a_chain_of_divisors_takes_little_memory() -> None:
    chain = [symbol(f"n{i}", 1) for i in range(40)]
    facts = Facts([(after % before, constant(0)) for before, after in pairwise(chain)])
    assert facts.divisible(chain[1], chain[0])
    assert max(len(quotient.name) for quotient in facts.quotients) <= 1_000
