"""The values that the interpreter computes with.

Numbers, strings, tuples, lists and dicts of the program are those of Python; lists and dicts hold values. An integer
that depends on a constructor parameter is a ``Dim``. A value that the analysis cannot determine is ``UNKNOWN``: every
operation accepts it and returns ``UNKNOWN``, and the rules report nothing about it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from convlint import symbolic
from convlint.support.dataclass import dataclass
from convlint.symbolic import Dim, Symbol

if TYPE_CHECKING:
    from convlint.static.program.source_module import SourceModule

Num = int | Dim
Shape = tuple[Num, ...]
Value = Any  # one of the classes below, or a plain Python value


class Unknown:
    """A value of which nothing is known; all are equal.

    ``node`` is the expression or statement that first gave it, in ``module``; None where that is not recorded.
    """

    __slots__ = ("module", "node")

    def __init__(self, node: ast.AST | None = None, module: SourceModule | None = None) -> None:
        self.node = node
        self.module = module

    def __eq__(self, other: object) -> bool:
        return type(other) is Unknown

    def __hash__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


def has_unknown(items: Iterable[Value]) -> bool:
    """Return whether an item is unknown."""
    return Unknown in map(type, items)


@dataclass(frozen=True, slots=True)
class Real:
    """A float that depends on parameters: equal expressions have equal values."""

    dim: Dim


@dataclass(slots=True, eq=False)
class Condition:
    """``left op right`` that depends on parameters; ``not`` and ``truth`` have no ``right``."""

    op: str
    left: Value
    right: Value = None
    weight: int = 1  # the number of conditions in it


def joined(op: str, left: Value, right: Value = None) -> Value:
    """Return a condition made of conditions; UNKNOWN if it would be too large to evaluate repeatedly."""
    weight = left.weight + (0 if right is None else right.weight)
    return Condition(op, left, right, weight) if weight <= _HEAVIEST else UNKNOWN


_HEAVIEST = 64


@dataclass(slots=True, eq=False)
class Cell:
    """A shape, None while it is not known; tensors that are elementwise functions of each other share it."""

    shape: Shape | None = None
    is_guess: bool = False  # whether the rank is only the usual one
    last: Num | None = None  # the size of the last dimension, if that is all that is known
    named: dict[int, Num] | None = None  # the sizes that the program reads before the rank is known, by index
    is_input: bool = False  # whether it is that of an input, of which a caller chooses the rank
    rank: Symbol | None = None  # that rank, where the program asks for it before it is known


@dataclass(slots=True, eq=False)
class Tensor:
    """A tensor of the program. ``id`` is None for parameters and constants: no recorded call created these."""

    cell: Cell
    id: int | None = None
    dtype: str = "float32"
    values: tuple[int, ...] | None = None  # of a short constant vector: the order of dimensions

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


@dataclass(frozen=True, slots=True, eq=False)
class Either:
    """One of two modules or functions; ``unknown`` is the condition that decides."""

    first: Value
    second: Value
    unknown: Unknown


@dataclass(frozen=True, slots=True)
class Library:
    """Anything in a library, by its qualified name: ``torch.nn.functional.relu``."""

    name: str


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function of Python itself, by its name; a method such as ``list.append`` is ``Bound`` to it."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """The shape of a tensor whose rank is not known, from dimension ``start`` on; unpacking it determines the rank."""

    tensor: Tensor
    start: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """An iterable of unknown length whose items are alike, such as the numbers below a size of the input."""

    item: Value


@dataclass(slots=True, eq=False)
class Vector:
    """A one-dimensional array of numpy: arithmetic acts on its items."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class AnyKey:
    """A key of a dict that stands for all keys that a caller may pass."""

    def __str__(self) -> str:
        return "*"


ANY_KEY: Final = AnyKey()


@dataclass(frozen=True, slots=True, eq=False)
class InputMapping:
    """An input that is a dict of tensors; ``parts`` has those that were used so far."""

    parts: dict[Value, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class InputItems:
    """The "items", "keys" or "values" of an input."""

    mapping: InputMapping
    of: str


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path of ``pathlib``, which takes long to load and is loaded with the first of them."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class OpenFile:
    """``open(path)``."""

    path: str


LONGEST: Final = 4096  # items of a sequence that is computed; a longer one is UNKNOWN
LARGEST: Final = 2**63  # of a number: more than any size or count
_DEEPEST = 8


def is_small(value: Value) -> bool:
    """Return whether a container has few enough nested items to visit each; one that holds itself has not."""
    if not isinstance(value, list | tuple | dict):
        return True
    budget, level = LONGEST, [value]
    for _ in range(_DEEPEST):
        budget -= sum(map(len, level))
        if not level or budget < 0:
            return budget >= 0
        items: list[Value] = []
        for holder in level:
            items += holder
            if isinstance(holder, dict):
                items += holder.values()
        holders = tuple([kind for kind in set(map(type, items)) if issubclass(kind, list | tuple | dict)])
        level = [item for item in items if type(item) in holders and item] if holders else []
    return False


def has_more(value: Value) -> bool:
    """Return whether a list may have more items than are known: UNKNOWN stands for any number of items."""
    return type(value) is list and has_unknown(value)


def as_number(value: Value) -> Num | None:
    """Return an integer of the program, None for anything else."""
    if type(value) is bool:
        return int(value)
    return value if type(value) is int or type(value) is Dim else None


def as_real(value: float | Dim | Real) -> Dim:
    """Return the expression of a number, for arithmetic with floats."""
    if isinstance(value, Real):
        return value.dim
    if isinstance(value, float):
        return symbolic.apply(repr(value))
    return symbolic.as_dim(value)


def symbols_of(number: Value) -> Iterable[Symbol]:
    """Return the symbols of a number, or of a tuple of numbers."""
    if type(number) is Dim:
        return number.symbols()
    if type(number) is tuple:
        return [symbol for item in number for symbol in symbols_of(item)]
    return ()
