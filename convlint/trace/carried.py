"""An ``int`` that remembers the expression it came from, and the constructor calls whose symbols it
speaks of.

Everything here is cheap, for it runs inside the real constructors: an operation is written down,
not understood. What an expression says is worked out later, in ``provenance.py``.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import ClassVar, SupportsIndex

from convlint.trace.sites import Instant

_MOST_EQUALITIES = 64  # of one scope
_MOST_FRAMES = 4  # helpers between a constructor call and the line that holds the literal


@dataclass(slots=True, eq=False)
class ScopeRecord:
    """One constructor call: class, callers, parameters, and the conditions it went through."""

    id: int
    kind: str
    parent: ScopeRecord | None
    frames: tuple[Instant, ...]
    parameters: list[Parameter] = field(default_factory=list)
    equal: list[tuple[Origin, Origin | int]] = field(default_factory=list)

    def __deepcopy__(self, memo: object) -> ScopeRecord:
        return self  # a copied module came from the same call


@dataclass(slots=True, eq=False)
class Argument:
    """Which argument of a call: its keyword, its position where it was passed by position."""

    keyword: str
    position: int | None = None
    default: bool = False


@dataclass(slots=True, eq=False)
class Parameter:
    """An integer that a constructor received, or the one at ``path`` in a list or tuple that it
    received.

    ``outer`` is what the caller had, None if that was a plain int.
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
    """``left op right``, computed at ``instant``; one of the two may be plain. ``neg`` has no
    right.
    """

    op: str
    left: Origin | int
    right: Origin | int
    instant: Instant


Origin = Parameter | Operation


class Carried(int):
    """An ``int`` with an ``origin``. While a model is built, arithmetic with it gives such
    integers.
    """

    origin: Origin

    def __new__(cls, value: int, origin: Origin) -> Carried:
        carried = int.__new__(cls, value)
        carried.origin = origin
        return carried

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)  # a pickled model is a plain one

    def __copy__(self) -> Carried:
        return self

    def __deepcopy__(self, memo: object) -> Carried:
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

    def __bool__(self) -> bool:
        true = int.__bool__(self)
        if not true:
            _found_equal(self, 0, sys._getframe(1))
        return true

    def __neg__(self) -> int:
        if Tracking.active is None:
            return int.__neg__(self)
        return _carried("neg", int.__neg__(self), self.origin, 0, sys._getframe(1))

    def __divmod__(self, other: int) -> tuple[int, int]:
        return self // other, self % other

    def __pos__(self) -> Carried:
        return self

    def __round__(self, digits: SupportsIndex | None = None) -> int:
        whole = digits is None or operator.index(digits) >= 0
        return self if whole else int.__round__(self, digits or 0)

    def __abs__(self) -> int:
        return self if self >= 0 else -self

    def __floor__(self) -> Carried:
        return self

    __ceil__ = __trunc__ = __floor__


def _carried(
    op: str, value: int, left: Origin | int, right: Origin | int, frame: FrameType
) -> Carried:
    return Carried(value, Operation(op, left, right, (frame.f_code, frame.f_lasti)))


def _define_operator(name: str, op: str) -> None:
    forward: Callable[[int, int], int] = getattr(int, f"__{name}__")
    backward: Callable[[int, int], int] = getattr(int, f"__r{name}__")

    def method(self: Carried, other: int) -> int:
        value = forward(self, other)
        kind = type(other)
        if Tracking.active is None or (kind is not int and kind is not Carried):
            return value
        right = other.origin if isinstance(other, Carried) else other
        return _carried(op, value, self.origin, right, sys._getframe(1))

    def reflected(self: Carried, other: int) -> int:
        value = backward(self, other)
        if Tracking.active is None or type(other) is not int:
            return value
        if op == "+" and other == 0:  # where sum() starts
            return self
        return _carried(op, value, other, self.origin, sys._getframe(1))

    setattr(Carried, f"__{name}__", method)
    setattr(Carried, f"__r{name}__", reflected)


for _name, _op in (("add", "+"), ("sub", "-"), ("mul", "*"), ("floordiv", "//"), ("mod", "%")):
    _define_operator(_name, _op)


class Tracking:
    """The constructor calls seen so far, and those that are running. One at a time is active."""

    active: ClassVar[Tracking | None] = None

    def __init__(self) -> None:
        self.scopes: list[ScopeRecord] = []
        self._running: list[ScopeRecord] = []

    @property
    def current(self) -> ScopeRecord | None:
        return self._running[-1] if self._running else None

    def open(self, kind: str, frame: FrameType) -> ScopeRecord:
        scope = ScopeRecord(len(self.scopes), kind, self.current, _callers(frame))
        self.scopes.append(scope)
        self._running.append(scope)
        return scope

    def close(self) -> None:
        self._running.pop()


def _found_equal(left: Carried, right: object, frame: FrameType) -> None:
    """Keep a comparison that came out equal, unless torch made it: it is not the user's."""
    scope = Tracking.active and Tracking.active.current
    if not scope or len(scope.equal) >= _MOST_EQUALITIES or _is_torch(frame):
        return
    if isinstance(right, Carried):
        if right.origin is not left.origin:
            scope.equal.append((left.origin, right.origin))
    elif type(right) is int:
        scope.equal.append((left.origin, right))


def _is_torch(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return isinstance(name, str) and name.split(".", 1)[0] == "torch"


def _callers(frame: FrameType | None) -> tuple[Instant, ...]:
    found: list[Instant] = []
    while frame is not None and len(found) < _MOST_FRAMES:
        found.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return tuple(found)
