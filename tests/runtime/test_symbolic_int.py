"""Integers that carry their expression: to the model that is built they are integers and nothing else."""

from __future__ import annotations

import copy
import io
import json
import math
import operator
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench.zoo_models import import_torchvision
from convlint import symbolic
from convlint.runtime.build import construction_sites
from convlint.runtime.build.symbolic_build import scope_of, symbolic_arguments
from convlint.runtime.build.symbolic_int import Argument, Parameter, ScopeRecord, SymbolicInt
from convlint.runtime.record import provenance
from convlint.runtime.record.record import record
from convlint.symbolic import Symbol

INTS = st.integers(-(2**70), 2**70) | st.integers(-9, 9)
SMALL = st.integers(-9, 9)


def symbolic_int(value: int, name: str = "n") -> SymbolicInt:
    """What a constructor receives for a plain integer."""
    scope = ScopeRecord(0, [], "Net", None, ())
    return SymbolicInt(value, Parameter(scope, Argument(name), (), value, None))


def outcome(function: Callable[..., Any], *args: Any) -> tuple[Any, str]:
    """What a call gives and its type as a reader sees it, or what it raises."""
    try:
        value = function(*args)
    except (ArithmeticError, TypeError, ValueError) as error:
        return type(error), str(error)
    return value, repr(value)


# --- an int like any other


BINARY = (
    *(operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod),
    *(operator.truediv, operator.and_, operator.or_, operator.xor, divmod),
    *(operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge, max, min),
)


@pytest.mark.parametrize("active", [True, False], ids=["while building", "afterwards"])
@settings(max_examples=40)
@given(left=INTS, right=INTS | st.booleans() | st.floats() | st.none() | st.just(""))
def test_two_operands(active: bool, left: int, right: Any) -> None:
    with symbolic_arguments() if active else nullcontext():
        for function in BINARY:
            expected, reflected = outcome(function, left, right), outcome(function, right, left)
            assert repr(outcome(function, symbolic_int(left), right)) == repr(expected), function
            assert repr(outcome(function, right, symbolic_int(left))) == repr(reflected), function
            if type(right) is int:
                assert outcome(function, symbolic_int(left), symbolic_int(right)) == expected, function


@settings(max_examples=40)
@given(left=INTS, right=SMALL)
def test_powers_shifts_and_digits(left: int, right: int) -> None:
    with symbolic_arguments():
        for function in (operator.pow, operator.lshift, operator.rshift, round):
            assert outcome(function, symbolic_int(left), right) == outcome(function, left, right), function
            assert outcome(function, left, symbolic_int(right)) == outcome(function, left, right), function


UNARY = (
    *(operator.neg, operator.pos, operator.abs, operator.invert, operator.index, operator.not_),
    *(hash, repr, str, bool, int, float, complex, hex, round, math.floor, math.ceil, math.trunc),
    *(int.bit_length, int.as_integer_ratio, "{:,}".format, "%05d".__mod__, json.dumps),
    *(copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n)), lambda n: n.real),  # noqa: S301
    *(lambda n: isinstance(n, int), lambda n: sum([n, n]), lambda n: sum([n], 0)),
    *(lambda n: {n: 1}[int(n)], lambda n: {int(n): 1}[n], lambda n: [int(n)].index(n)),
)


@pytest.mark.parametrize("active", [True, False], ids=["while building", "afterwards"])
@settings(max_examples=40)
@given(value=INTS)
def test_one_operand(active: bool, value: int) -> None:
    with symbolic_arguments() if active else nullcontext():
        for number, function in enumerate(UNARY):
            assert outcome(function, symbolic_int(value)) == outcome(function, value), number


@settings(max_examples=40)
@given(value=st.integers(0, 9), other=st.integers(1, 9))
def test_as_a_size_an_index_and_a_count(value: int, other: int) -> None:
    n, letters = symbolic_int(value), "abcdefghij"
    assert list(range(n)) == list(range(value))
    assert list(range(0, 10, symbolic_int(other))) == list(range(0, 10, other))
    assert letters[n] == letters[value]
    assert letters[:n] * n == letters[:value] * value
    assert torch.empty(n, symbolic_int(other)).shape == torch.Size([value, other])
    assert torch.zeros(other, 4).new_empty((n, 2)).shape == (value, 2)
    assert torch.full((2,), n).equal(torch.full((2,), value))
    assert torch.zeros(12).view(symbolic_int(3), -1).shape == (3, 4)
    assert math.gcd(n, other) == math.gcd(value, other)


def test_a_pickle_a_copy_and_json_are_plain() -> None:
    assert type(pickle.loads(pickle.dumps(symbolic_int(3)))) is int  # noqa: S301
    assert json.dumps({"width": symbolic_int(3)}) == '{"width": 3}'
    assert copy.deepcopy([symbolic_int(3)]) == [3]


# --- its expression


@st.composite
def computations(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Steps ``(operator, left, right)`` over a growing list of numbers, the first three given."""
    operators = st.sampled_from("+-*/%")
    return [
        (draw(operators), draw(st.integers(0, 2 + step)), draw(st.integers(0, 2 + step)))
        for step in range(draw(st.integers(1, 5)))
    ]


@settings(max_examples=40)
@given(st.lists(st.integers(1, 60), min_size=3, max_size=3), computations())
def test_an_expression_has_the_value_that_was_computed(
    given_numbers: list[int], steps: list[tuple[str, int, int]]
) -> None:
    functions = {"+": operator.add, "-": operator.sub, "*": operator.mul}
    functions |= {"/": operator.floordiv, "%": operator.mod}
    numbers: list[int] = [symbolic_int(v, name) for v, name in zip(given_numbers, "abc", strict=True)]
    with symbolic_arguments():
        for sign, left, right in steps:
            if sign in "/%" and numbers[right] == 0:
                return
            numbers.append(functions[sign](numbers[left], numbers[right]))
    values = {Symbol(name, 0): v for name, v in zip("abc", given_numbers, strict=True)}
    last = numbers[-1]
    assert isinstance(last, SymbolicInt)
    dim = provenance._Expressions().dim(last.origin)
    assert dim.is_unknown or dim.evaluate(values) == int(last)


class Block(nn.Module):
    half = 2

    def __init__(self, into: int, out: int, *more: int, scale: float = 0.5, wide: int = 8) -> None:
        super().__init__()
        self.sums = nn.Conv2d(into + 2 * out, wide, 1)
        self.lost = nn.Conv2d(int(into * scale), into // self.half, 1)
        self.more = nn.Conv2d(sum(more), more[0] - 1, 1)
        self.norm = nn.LayerNorm((4, math.floor(out)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Outer(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.block = Block(widths[0], 24, widths[1] * 2, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(x)


def test_expressions_of_a_model() -> None:
    with construction_sites.WatchedConstruction(), symbolic_arguments():
        model = Outer([16, 32])
    graph = provenance.annotate(record(model, (torch.zeros(1, 3),)).graph(), model)
    exprs = {
        f"{layer.name}.{name}": symbolic.text(symbolic.from_json(expr))
        for layer in graph.layers
        for name, expr in layer.exprs.items()
        if name != "groups"
    }
    assert exprs == {
        "block.sums.in_channels": "into + 2 * out",
        "block.sums.out_channels": "wide",
        "block.lost.in_channels": "8",
        "block.lost.out_channels": "into // 2",
        "block.more.in_channels": "more[0] + more[1]",
        "block.more.out_channels": "more[0] - 1",
        "block.norm.normalized_shape": "out",
    }
    determined = {
        layer.name: symbolic.from_json(layer.exprs["in_channels"]).determined
        for layer in graph.layers
        if layer.base == "Conv2d"
    }
    assert determined == {"block.sums": True, "block.lost": False, "block.more": True}
    outer, block = graph.scopes
    assert (outer.kind, outer.parent, block.kind, block.parent) == ("Outer", None, "Block", 0)
    passed = {name: (value, symbolic.from_json(outer)) for name, value, outer in block.symbols}
    assert passed["into"] == (16, symbolic.symbol("widths[0]", 0))
    assert passed["out"] == (24, symbolic.constant(24))
    assert passed["more[0]"] == (64, 2 * symbolic.symbol("widths[1]", 0))
    assert passed["wide"] == (8, symbolic.constant(8))


COMPARISONS: dict[str, Callable[[int, int], Any]] = {
    "equal": lambda a, b: a == b,
    "not unequal": lambda a, b: a != b,
    "a set": lambda a, b: {a, b},
    "a member": lambda a, b: a in (1, 2, b),
    "a key": lambda a, b: {a: 0}.get(b),
    "the larger": max,
    "the smaller": min,
    "a quotient": operator.truediv,
    "lists": lambda a, b: [a, 1] == [b, 1],
}


@pytest.mark.parametrize("compare", COMPARISONS.values(), ids=COMPARISONS)
@pytest.mark.parametrize("late", [False, True], ids=["in the constructor", "in the forward"])
def test_numbers_that_were_compared(compare: Callable[[int, int], Any], late: bool) -> None:
    class Comparing(nn.Module):
        def __init__(self, one: int, other: int) -> None:
            super().__init__()
            self.numbers = one, other
            self.conv = nn.Conv2d(one, other, 1)
            if not late:
                compare(one, other)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if late:
                compare(*self.numbers)
            return x

    def facts(one: int, other: int) -> tuple[Any, ...]:
        with construction_sites.WatchedConstruction(), symbolic_arguments():
            model = Comparing(one, other)
        (scope,) = provenance.annotate(record(model, (torch.zeros(1),)).graph(), model).scopes
        return scope.equal

    assert len(facts(5, 5)) == 1
    assert not facts(5, 6)


def test_too_many_comparisons_may_have_been_of_anything() -> None:
    class Comparing(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            for step in range(100):
                assert width + step == 5 + step
            self.conv = nn.Conv2d(width, width, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    with construction_sites.WatchedConstruction(), symbolic_arguments():
        model = Comparing(5)
    (scope,) = provenance.annotate(record(model, (torch.zeros(1),)).graph(), model).scopes
    assert (None, None) in scope.equal


# --- the model that is built


MODELS = ("resnet18", "mobilenet_v3_small", "densenet121", "googlenet", "shufflenet_v2_x0_5")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_the_same_as_built_plainly(name: str) -> None:
    def build() -> nn.Module:
        torch.manual_seed(0)
        options = {"init_weights": False} if name == "googlenet" else {}
        return import_torchvision().models.get_model(name, weights=None, **options)

    with torch.device("cpu"):
        plain = build()
        with construction_sites.WatchedConstruction(), symbolic_arguments():
            model = build()
    assert repr(model) == repr(plain)
    assert list(model.state_dict()) == list(plain.state_dict())
    expected = plain.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())


def test_a_model_can_be_copied_saved_and_traced() -> None:
    with symbolic_arguments():
        model = import_torchvision().models.shufflenet_v2_x0_5().eval()
    x = torch.rand(1, 3, 64, 64)
    expected = model(x)
    file = io.BytesIO()
    torch.save(copy.deepcopy(model), file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=False)(x), expected)
    assert torch.equal(torch.fx.symbolic_trace(model)(x), expected)


# --- nothing is left behind


def constructors() -> dict[type, Any]:
    found: dict[type, Any] = {}
    pending: list[type] = [nn.Module]
    while pending:
        cls = pending.pop()
        if cls not in found:
            found[cls] = (cls.__dict__.get("__init__"), cls.__dict__.get("__init_subclass__"))
            pending += type.__subclasses__(cls)
    return found


def test_torch_and_classes_are_left_as_found() -> None:
    before = constructors()
    with symbolic_arguments():
        assert constructors() != before

        class Inside(nn.Module):
            def __init__(self, n: int) -> None:
                super().__init__()
                self.n = n

        assert type(Inside(3).n) is SymbolicInt
    after = constructors()
    assert type(Inside(3).n) is int
    assert {cls: after[cls] for cls in before} == before
    assert Inside.__init__.__qualname__.endswith("Inside.__init__")


def test_torch_and_classes_are_left_as_found_after_an_error() -> None:
    before = constructors()

    def fail() -> None:
        with symbolic_arguments():
            Block(16, 24, "no number")  # type: ignore[arg-type]

    with pytest.raises(TypeError):
        fail()
    assert constructors() == before
    with symbolic_arguments():  # it can be active again
        pass


def test_it_is_active_once_at_a_time() -> None:
    with symbolic_arguments(), pytest.raises(RuntimeError, match="already active"), symbolic_arguments():
        pass


def test_a_list_that_the_constructor_changes_is_changed_for_the_caller() -> None:
    class Taking(nn.Module):
        def __init__(self, widths: list[int]) -> None:
            super().__init__()
            self.first = widths.pop(0)
            widths.append(self.first + 1)

    widths = [4, 5]
    with symbolic_arguments():
        assert Taking(widths).first == 4
    assert widths == [5, 5]
    assert all(type(width) is int for width in widths)


def test_a_list_that_the_constructor_keeps_is_the_callers_own_where_it_holds_no_number() -> None:
    class Keeping(nn.Module):
        def __init__(self, names: list[str], flags: tuple[bool, ...]) -> None:
            super().__init__()
            self.names, self.flags = names, flags

    names, flags = ["a"], (True, False)
    with symbolic_arguments():
        model = Keeping(names, flags)
    assert model.names is names
    assert model.flags is flags


def test_classes_that_ask_for_exact_integers_get_them() -> None:
    class Strict(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            assert type(n) is int

    with symbolic_arguments():
        assert scope_of(Strict(3)) is None
