"""What a command is asked to check, taken apart: targets, inputs and quantities."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlint.settings.input_shapes import InputSpec, nested, parse_input
from convlint.settings.targets import Target, parse_target
from convlint.support.errors import UsageError
from convlint.support.quantities import parse_bytes, parse_count

LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("net.py", Target("net.py", path="net.py")),
        ("net.py:Net", Target("net.py:Net", path="net.py", name="Net")),
        ("a/net.py:Net.Inner", Target("a/net.py:Net.Inner", path="a/net.py", name="Net.Inner")),
        ("pkg.mod:Net", Target("pkg.mod:Net", module="pkg.mod", name="Net")),
        (
            "pkg:Net( 64, groups = 8 )",
            Target("pkg:Net( 64, groups = 8 )", module="pkg", name="Net", args=("64",), kwargs=(("groups", "8"),)),
        ),
        ("net.py:Net()", Target("net.py:Net()", path="net.py", name="Net")),
    ],
)
def test_targets(text: str, expected: Target) -> None:
    assert parse_target(text) == expected


@given(args=st.lists(LITERALS, max_size=3), named=LITERALS)
def test_arguments_arrive_as_they_were_written(args: list[object], named: object) -> None:
    text = ", ".join([*map(repr, args), f"key={named!r}"])
    assert parse_target(f"net.py:Net({text})").arguments() == (tuple(args), {"key": named})
    assert ast.literal_eval(repr(named)) == named


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the target is empty"),
        ("net.py:", "has no name after the colon"),
        ("net.py:1", "neither a name nor a call"),
        ("net.py:Net(*a)", "not a literal"),
        ("net.py:Net(**a)", "not a literal"),
        ("net.py:Net(a=1, a=2)", "do not parse|given twice"),
        ("net.py:Net(1))", "do not parse|one call"),
        ("net.py:Net(1)(2)", "do not parse|one call"),
        ("net.py:Net(__import__('os'))", "not a literal"),
    ],
)
def test_targets_that_are_none(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_target(text)


@given(
    shape=st.lists(st.integers(1, 4096), min_size=1, max_size=4).map(tuple),
    name=st.none() | st.sampled_from(["x", "mask_1", "batch.image", "maps.0"]),
    dtype=st.none() | st.sampled_from(["int64", "float16", "bool"]),
)
def test_inputs_are_read_as_they_are_written(shape: tuple[int, ...], name: str | None, dtype: str | None) -> None:
    spec = InputSpec(shape, name, dtype)
    assert parse_input(str(spec)) == spec
    if dtype is not None:
        for more in (replace(spec, shape=()), replace(spec, range=(-2, 1_000_000))):
            assert parse_input(str(more)) == more


@pytest.mark.parametrize("text", ["3,64,64", "3x64x64", "(3, 64, 64)", " 3, 64,64, "])
def test_a_shape_can_be_written_in_several_forms(text: str) -> None:
    assert parse_input(text).shape == (3, 64, 64)


def test_dotted_names_are_parts_of_dicts_and_lists() -> None:
    values = {"batch.image": 1, "batch.extra.depth": 2, "maps.0": 3, "maps.1": 4, "mask": 5}
    assert nested(values) == {"batch": {"image": 1, "extra": {"depth": 2}}, "maps": [3, 4], "mask": 5}
    for clash in ({"batch": 1, "batch.image": 2}, {"batch.image": 1, "batch": 2}):
        with pytest.raises(UsageError, match="given twice"):
            nested(clash)
    with pytest.raises(UsageError, match="have no 1"):
        nested({"maps.0": 1, "maps.2": 2})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3,,4",
        "a,b",
        "3,4:",
        "3;4",
        "=3",
        "3,0",
        "3,-4",
        "3.5",
        "x=y=3",
        "t=",
        "3:int64[0,",
        "3:int64[4,4)",
        "3:int64[a,b)",
        "x.=3",
    ],
)
def test_inputs_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse_input(text)


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), (7, 7), ("1_500", 1500), ("1.5M", 1_500_000), ("4g", 4 * 10**9), ("2 k", 2000)]
)
def test_counts(text: str | int, number: int) -> None:
    assert parse_count(text, "n") == number


@pytest.mark.parametrize(
    ("text", "number"), [("512", 512), ("4GB", 4 * 10**9), ("4GiB", 4 * 2**30), ("1.5 MiB", 3 * 2**19), ("2k", 2000)]
)
def test_bytes(text: str, number: int) -> None:
    assert parse_bytes(text, "n") == number


@pytest.mark.parametrize("text", ["", "many", "-1", "4 parsecs", "1e3", True])
def test_quantities_that_are_none(text: str | int) -> None:
    for parse in (parse_count, parse_bytes):
        with pytest.raises(UsageError):
            parse(text, "n")
