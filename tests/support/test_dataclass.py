"""``convlint.support.dataclass`` does what the standard library's ``dataclasses`` does; that one is the oracle."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from functools import partial
from itertools import product
from types import ModuleType
from typing import Any

import pytest

from convlint.support import dataclass as ours

OPTIONS = [
    dict(zip(("frozen", "slots", "eq", "repr"), values, strict=True)) for values in product((False, True), repeat=4)
]


def point(library: ModuleType, **options: bool) -> type[Any]:
    """A class with every form of field."""

    class Point:
        kind = "no field"
        x: int
        y: int = 2
        tags: list[str] = library.field(default_factory=list)
        hidden: str = library.field(default="h", repr=False, compare=False)
        total: int = library.field(init=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "total", self.x + self.y)

        def moved(self) -> Any:
            return library.replace(self, x=self.x + 1)

    made: type[Any] = library.dataclass(**options)(Point)
    return made


@pytest.fixture(params=OPTIONS, ids=lambda options: "-".join([name for name, on in options.items() if on]) or "none")
def pair(request: pytest.FixtureRequest) -> tuple[type[Any], type[Any]]:
    return point(ours, **request.param), point(dataclasses, **request.param)


def outcome(action: Any) -> object:
    try:
        return action()
    except Exception as error:  # noqa: BLE001 - whatever the library raises
        return type(error)


def is_refused(record: object, name: str) -> bool:
    """Whether a new attribute is refused; a frozen class with slots of the library does so with a TypeError."""
    return outcome(lambda: setattr(record, name, 3)) is not None


def test_objects_show_compare_hash_and_copy_alike(pair: tuple[type[Any], type[Any]]) -> None:
    actions = {
        "values": lambda made: [getattr(made(1), name) for name in ("x", "y", "tags", "hidden", "total", "kind")],
        "keywords": lambda made: [getattr(made(y=5, x=4, hidden="z"), name) for name in ("x", "y", "total")],
        "lists of their own": lambda made: made(1).tags is made(1).tags,
        "equal": lambda made: made(1) == made(1, hidden="other"),
        "unequal": lambda made: made(1) == made(2),
        "of another class": lambda made: made(1) == (1, 2),
        "hash": lambda made: hash(made(1)) == hash(made(1)),
        "hash of a tuple": lambda made: hash(made(1, tags=())) == hash(made(1, tags=())),
        "assignment": lambda made: setattr(made(1), "x", 3),
        "a new attribute": lambda made: is_refused(made(1), "new"),
        "deletion": lambda made: delattr(made(1), "x"),
        "replace": lambda made: made(1).moved().total,
        "copy": lambda made: copy.copy(made(1, 7)).total,
        "deepcopy": lambda made: copy.deepcopy(made(1, tags=["a"])).tags,
        "the functions of dataclasses": lambda made: (
            dataclasses.asdict(made(1)),
            [each.name for each in dataclasses.fields(made)],
            dataclasses.replace(made(1), y=5).total,
            dataclasses.is_dataclass(made),
        ),
        "missing argument": lambda made: made(),
        "unknown argument": lambda made: made(1, z=2),
        "too many arguments": lambda made: made(1, 2, [], "h", 5),
        "match": lambda made: made.__match_args__,
        "dict": lambda made: sorted(vars(made(1))),
    }
    mine, standard = pair
    for name, action in actions.items():
        assert (name, outcome(partial(action, mine))) == (name, outcome(partial(action, standard)))
    if "__repr__" in vars(standard):
        assert repr(mine(1)) == repr(standard(1))


def family(library: ModuleType, frozen: bool, slots: bool) -> list[type[Any]]:
    class Base:
        name: str
        size: int = 1

        def __hash__(self) -> int:
            return 7

    class Derived:
        deep: bool = False
        size: int = 3

    base = library.dataclass(frozen=frozen, slots=slots)(Base)
    derived = library.dataclass(frozen=frozen, slots=slots)(type("Derived", (base,), dict(vars(Derived))))
    return [base, derived, type("Plain", (derived,), {})]


@pytest.mark.parametrize(("frozen", "slots"), list(product((False, True), repeat=2)))
def test_subclasses_inherit_fields_in_their_order(frozen: bool, slots: bool) -> None:
    def facts(library: ModuleType) -> list[object]:
        classes = family(library, frozen, slots)
        objects = [each("n") for each in classes]
        return [
            [each.__match_args__ for each in classes],
            [repr(each).rpartition(".")[2] for each in objects],
            [[one == two for one in objects] for two in objects],
            [outcome(lambda each=each: hash(each)) == 7 for each in objects],
            [is_refused(each, "deep") for each in objects],
            [is_refused(each, "free") for each in objects[:2]],
        ]

    assert facts(ours) == facts(dataclasses)


def test_a_field_may_have_any_name() -> None:
    names = ("self", "cls", "values", "default")
    made = ours.dataclass(type("Odd", (), {"__annotations__": dict.fromkeys(names, "int")}))
    assert [getattr(made(1, 2, 3, 4), name) for name in names] == [1, 2, 3, 4]


@ours.dataclass(frozen=True, slots=True)
class Sent:
    numbers: tuple[int, ...]
    name: str = "x"


def test_a_frozen_object_with_slots_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Sent((1, 2)))) == Sent((1, 2))  # noqa: S301
