"""``SymbolicInt``, an ``int`` that records the operations it results from.

This code runs inside the constructors of models and has to be fast: operations are only recorded. ``provenance.py``
turns them into expressions afterwards.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from types import FrameType
from typing import ClassVar, Self, SupportsIndex

import torch

from convlint.runtime.code_sites import Instant
from convlint.support.dataclass import dataclass, field

_MOST_EQUALITIES = 64  # of one scope
_MOST_FRAMES = 4  # helpers between a constructor call and the line that holds the literal


@dataclass(slots=True, eq=False)
class ScopeRecord:
    """One constructor call: class, callers, parameters, and the comparisons that came out equal.

    ``all`` are the constructor calls of the whole construction in call order. ``path`` and ``cls`` identify the class,
    ``given`` and ``named`` are its positional and keyword arguments (see ``arguments.snapshot``).
    """

    id: int
    all: list[ScopeRecord] = field(repr=False)
    kind: str
    parent: ScopeRecord | None
    frames: tuple[Instant, ...]
    path: str = ""
    cls: str = ""
    given: tuple[tuple[str, object], ...] = ()
    named: dict[str, object] = field(default_factory=dict)
    parameters: list[Parameter] = field(default_factory=list)
    equal: dict[object, tuple[Origin, Origin | int]] = field(default_factory=dict)
    overflowed: bool = False  # there were more comparisons than _MOST_EQUALITIES

    def __deepcopy__(self, memo: object) -> ScopeRecord:
        return self  # a copied module has the scope of its original

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()  # a pickled module has no scope


@dataclass(slots=True, eq=False)
class Argument:
    """An argument of a call by keyword, and by position if it was passed by position."""

    keyword: str
    position: int | None = None
    default: bool = False


@dataclass(slots=True, eq=False)
class Parameter:
    """An integer argument of a constructor, or the integer at ``path`` in a list or tuple argument.

    ``outer`` is the origin of the caller's integer, None if that was a plain ``int``.
    """

    scope: ScopeRecord
    argument: Argument
    path: tuple[int, ...]
    value: int
    outer: Origin | None

    @property
    def name(self) -> str:
        return self.argument.keyword + "".join(f"[{index}]" for index in self.path)


@dataclass(slots=True, eq=False)
class Operation:
    """``left op right``, computed at ``instant``; one operand may be a plain ``int``. ``neg`` ignores ``right``."""

    op: str
    left: Origin | int
    right: Origin | int
    instant: Instant


Origin = Parameter | Operation
_new = int.__new__


class SymbolicInt(int):
    """An ``int`` with an ``origin``. Arithmetic with it returns a ``SymbolicInt`` while a model is built."""

    origin: Origin
    __torch_function__ = torch._C._disabled_torch_function_impl  # torch treats it as a plain int

    def __new__(cls, value: int, origin: Origin) -> Self:
        symbolic = int.__new__(cls, value)
        symbolic.origin = origin
        return symbolic

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)  # pickled models contain plain integers

    def __deepcopy__(self, memo: object) -> SymbolicInt:
        return self

    __hash__ = int.__hash__

    def __eq__(self, other: object) -> bool:
        same = int.__eq__(self, other)
        if same is True:
            _found_equal(self, other, sys._getframe(1))
        return same

    def __ne__(self, other: object) -> bool:
        differs = int.__ne__(self, other)
        if differs is False:
            _found_equal(self, other, sys._getframe(1))
        return differs

    # max(a, b) of equal a and b gives the first, and max(b, a) the other: a tie is a comparison too.

    def __lt__(self, other: int) -> bool:
        if type(other) is SymbolicInt and int.__eq__(self, other):
            _found_equal(self, other, sys._getframe(1))
        return int.__lt__(self, other)

    def __gt__(self, other: int) -> bool:
        if type(other) is SymbolicInt and int.__eq__(self, other):
            _found_equal(self, other, sys._getframe(1))
        return int.__gt__(self, other)

    def __bool__(self) -> bool:
        true = int.__bool__(self)
        if not true:
            _found_equal(self, 0, sys._getframe(1))
        return true

    def __neg__(self) -> int:
        if Tracker.active is None:
            return int.__neg__(self)
        return _symbolic("neg", int.__neg__(self), self.origin, 0, sys._getframe(1))

    def __truediv__(self, other: float) -> float:
        quotient = int.__truediv__(self, other)  # type: ignore[operator]
        if quotient == 1 and type(other) is SymbolicInt:
            _found_equal(self, other, sys._getframe(1))
        return quotient

    def __divmod__(self, other: int) -> tuple[int, int]:
        integers = type(other) in (int, SymbolicInt)
        return (self // other, self % other) if integers else int.__divmod__(self, other)

    def __round__(self, digits: SupportsIndex | None = None) -> int:
        whole = digits is None or operator.index(digits) >= 0
        return self if whole else int.__round__(self, digits or 0)

    def __abs__(self) -> int:
        return self if self >= 0 else -self

    def __pos__(self) -> SymbolicInt:
        return self

    __copy__ = __floor__ = __ceil__ = __trunc__ = __pos__


def _symbolic(op: str, value: int, left: Origin | int, right: Origin | int, frame: FrameType) -> SymbolicInt:
    symbolic = _new(SymbolicInt, value)  # SymbolicInt.__new__ would double the time
    symbolic.origin = Operation(op, left, right, (frame.f_code, frame.f_lasti))
    return symbolic


def _define_operator(name: str, op: str) -> None:
    forward: Callable[[int, int], int] = getattr(int, f"__{name}__")
    backward: Callable[[int, int], int] = getattr(int, f"__r{name}__")

    def method(self: SymbolicInt, other: int) -> int:
        value = forward(self, other)
        kind = type(other)
        if Tracker.active is None or (kind is not int and kind is not SymbolicInt):
            return value
        right = other.origin if isinstance(other, SymbolicInt) else other
        return _symbolic(op, value, self.origin, right, sys._getframe(1))

    def reflected(self: SymbolicInt, other: int) -> int:
        value = backward(self, other)
        if Tracker.active is None or type(other) is not int:
            return value
        if op == "+" and other == 0:  # where sum() starts
            return self
        return _symbolic(op, value, other, self.origin, sys._getframe(1))

    setattr(SymbolicInt, f"__{name}__", method)
    setattr(SymbolicInt, f"__r{name}__", reflected)


SymbolicInt.__name__ = "int"  # Python's error messages name the operand type, and the user wrote an int

for _name, _op in (("add", "+"), ("sub", "-"), ("mul", "*"), ("floordiv", "//"), ("mod", "%")):
    _define_operator(_name, _op)


class Tracker:
    """Constructor calls so far and those in progress. At most one tracker is active in a process."""

    active: ClassVar[Tracker | None] = None

    def __init__(self) -> None:
        self.scopes: list[ScopeRecord] = []
        self._running: list[ScopeRecord] = []

    @property
    def current(self) -> ScopeRecord | None:
        return self._running[-1] if self._running else None

    def open(self, kind: str, frame: FrameType) -> ScopeRecord:
        scope = ScopeRecord(len(self.scopes), self.scopes, kind, self.current, _callers(frame))
        self.scopes.append(scope)
        self._running.append(scope)
        return scope

    def close(self) -> None:
        self._running.pop()


def _found_equal(left: SymbolicInt, right: object, frame: FrameType) -> None:
    """Record a comparison that came out equal, except for comparisons in torch's own code.

    In a forward only comparisons of two symbolic integers count, because plain integers there are tensor sizes.
    """
    building = Tracker.active
    if type(right) is SymbolicInt:
        other: Origin | int = right.origin
    elif building is not None and type(right) is int:
        other = right
    else:
        return
    if other is left.origin or _is_torch(frame):
        return
    scope = (building and building.current) or _scope_of(left.origin)
    if len(scope.equal) < _MOST_EQUALITIES:
        scope.equal[id(left.origin), other if type(other) is int else id(other)] = (left.origin, other)
    else:
        scope.overflowed = True


def _scope_of(origin: Origin) -> ScopeRecord:
    while isinstance(origin, Operation):
        origin = origin.right if isinstance(origin.left, int) else origin.left  # type: ignore[assignment]
    return origin.scope


def _is_torch(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return isinstance(name, str) and name.split(".", 1)[0] == "torch"


def _callers(frame: FrameType | None) -> tuple[Instant, ...]:
    found: list[Instant] = []
    while frame is not None and len(found) < _MOST_FRAMES:
        found.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return tuple(found)
