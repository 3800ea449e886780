"""What the interpreter computes with.

Numbers, strings, tuples, lists and dicts of the program are Python's own; lists and dicts hold
values. An integer that depends on a constructor parameter is a ``Dim``. Whatever could not be
followed is ``UNKNOWN``: every operation accepts it, gives ``UNKNOWN`` again, and nothing is ever
reported of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from convlint import symbolic
from convlint.symbolic import Dim, Symbol

Num = int | Dim
Shape = tuple[Num, ...]
Value = Any  # one of the classes below, or a plain Python value


class _Unknown:
    """The one value of which nothing is known."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True, slots=True)
class Real:
    """A float that depends on parameters: equal expressions have equal values."""

    dim: Dim


@dataclass(slots=True, eq=False)
class Condition:
    """A truth that depends on parameters: ``left op right`` with ``op`` one of ``== < <=``,
    ``truth`` (of ``left``), ``none`` (``left is None``), ``not``, ``and``, ``or``.
    """

    op: str
    left: Value
    right: Value = None
    weight: int = 1  # how many conditions it is made of


def joined(op: str, left: Value, right: Value = None) -> Value:
    """A condition made of conditions; UNKNOWN if they are too many to look at again and again."""
    weight = left.weight + (0 if right is None else right.weight)
    return Condition(op, left, right, weight) if weight <= _HEAVIEST else UNKNOWN


_HEAVIEST = 64


class Cell:
    """A shape that is not known yet, or known; tensors that are elementwise functions of each other
    share one, and the first layer that asks for a rank fills it.
    """

    __slots__ = ("is_guess", "shape")

    def __init__(self, shape: Shape | None = None) -> None:
        self.shape = shape
        self.is_guess = False  # the rank is the usual one, and nobody has asked for it


class Tensor:
    """A tensor of the program. ``id`` is that of the recorded value, None where none was recorded:
    a parameter, or a constant.
    """

    __slots__ = ("cell", "dtype", "id")

    def __init__(self, cell: Cell, id: int | None = None, dtype: str = "float32") -> None:
        self.cell = cell
        self.id = id
        self.dtype = dtype

    @property
    def shape(self) -> Shape | None:
        return self.cell.shape

    def __repr__(self) -> str:
        return f"Tensor({self.id}, {self.shape})"


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A function with its first argument: a method of an object, of a tensor, of a list."""

    function: Value
    self: Value


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """``functools.partial(function, *args, **kwargs)``."""

    function: Value
    args: tuple[Value, ...]
    kwargs: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Library:
    """Something of a library, by its qualified name: ``torch.nn.functional.relu``."""

    name: str


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function of Python itself, by its name; ``str.format``-like methods are ``Bound`` to it."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """The shape of a tensor that has none yet: taking it apart tells the rank."""

    tensor: Tensor


Handler = Callable[..., Value]


LONGEST: Final = 4096  # items of a sequence that is computed; a longer one is UNKNOWN
LARGEST: Final = 2**63  # of a number: more than any size or count
_DEEPEST = 8


def is_small(value: Value) -> bool:
    """Whether a list, tuple or dict holds few enough items to look at each, those of its items
    counted wherever they stand: one that holds itself, or another twice over and over, has no end.
    """
    left, level = LONGEST, [value]
    for _ in range(_DEEPEST):
        holders = [one for one in level if isinstance(one, list | tuple | dict) and one]
        left -= sum(map(len, holders))
        if not holders or left < 0:
            return left >= 0
        level = [item for one in holders for item in one]
        level += [item for one in holders if isinstance(one, dict) for item in one.values()]
    return False


def has_more(value: Value) -> bool:
    """Whether a list may have more items than are known: something unknown in it stands for any number of them."""
    return type(value) is list and any(item is UNKNOWN for item in value)


def as_number(value: Value) -> Num | None:
    """An integer of the program, None for anything else."""
    if type(value) is bool:
        return int(value)
    return value if type(value) is int or type(value) is Dim else None


def is_number(value: Value) -> bool:
    """Whether a value can be a size or a count."""
    return type(value) is int or type(value) is Dim or type(value) is bool


def as_real(value: float | Dim | Real) -> Dim:
    """The expression of a number that stands in one with floats."""
    if isinstance(value, Real):
        return value.dim
    if isinstance(value, float):
        return symbolic.apply(repr(value))
    return symbolic.as_dim(value)


def symbols_of(number: Any) -> Iterable[Symbol]:
    """The symbols of a number, or of a tuple of numbers."""
    if type(number) is Dim:
        return number.symbols()
    if type(number) is tuple:
        return [symbol for item in number for symbol in symbols_of(item)]
    return ()
