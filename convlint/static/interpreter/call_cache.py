"""Keys of constructor calls and calls of modules that can only repeat an earlier result.

A deep network is a few blocks in many copies. A block that one line builds in a loop with the same
arguments is therefore built once, and a call of it on a shape that it had before is one step.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Hashable, Iterator, Mapping
from itertools import repeat
from typing import Final

from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import Builtin, Library, Partial, Real, Tensor, Value
from convlint.static.interpreter.call import Call, tensors_in
from convlint.static.program.parse import positional
from convlint.symbolic import Dim

_COMPARABLE = frozenset({int, str, bool, float, type(None), Dim, Real, Class, Function, Library, Builtin})
_RATES = ("drop", "prob", "stochastic")
_DEEPEST = 4  # values in values


class BuiltInstance:
    """A module as its constructor left it: only one that has not changed since stands for an equal call."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._attributes = [dict(module.attrs) for module in modules_in(instance)]

    @property
    def modules(self) -> int:
        """The number of modules in it, itself included."""
        return len(self._attributes)

    @property
    def is_unchanged(self) -> bool:
        """Return whether it and the modules in it have the attributes that they had."""
        now = [module.attrs for module in modules_in(self.instance)]
        return len(now) == len(self._attributes) and all(
            one.keys() == other.keys() and all(value is other[name] for name, value in one.items())
            for one, other in zip(now, self._attributes, strict=True)
        )


def modules_in(instance: Instance) -> Iterator[Instance]:
    """Yield a module and the modules in it, each once."""
    seen = {instance}
    pending = [instance]
    while pending:
        module = pending.pop()
        yield module
        new = [child for _, child in module.children() if child not in seen]
        seen.update(new)
        pending += new


class State:
    """The attributes that a call of a module changed, with their values before and after it.

    A module that one line built several times stands for all of them, and each of these was as before its first call.
    """

    def __init__(self, before: Mapping[str, Value], instance: Instance) -> None:
        self._changed = {
            name: (before.get(name, _MISSING), value)
            for name, value in instance.attrs.items()
            if before.get(name, _MISSING) is not value
        }

    def undo(self, instance: Instance) -> None:
        """Give the attributes their values before the call, unless they have changed since."""
        for name, (before, after) in self._changed.items():
            if instance.attrs.get(name, _MISSING) is not after:
                continue
            if before is _MISSING:
                del instance.attrs[name]
            else:
                instance.attrs[name] = before


_MISSING: Final = object()


def constructor_key(cls: Class, call: Call) -> Hashable | None:
    """Return a key that is equal for equal constructor calls; None if the arguments cannot be compared.

    Drop-out and drop-path rates differ from block to block, and no shape depends on them.
    """
    kwargs = [(name, value) for name, value in call.kwargs.items() if not _is_rate(name, value)]
    args = call.args
    if float in map(type, args):
        args = [None if _is_rate(name, value) else value for name, value in zip(_parameters(cls), args, strict=False)]
    key = _frozen((*args, *[value for _, value in kwargs]), _DEEPEST)
    if key is None:
        return None
    place = call.node if call.scope.called_from is None else call.scope.called_from[0]
    return cls, call.node, place, *_calls_of_helpers(call), len(call.args), *[name for name, _ in kwargs], key


def _calls_of_helpers(call: Call) -> Iterator[ast.expr]:
    """Yield the calls around one in a function, up to the one that a constructor contains: it builds another layer."""
    scope = call.scope
    for frame in reversed(call.interpreter.frames):
        if scope.qualname.endswith("__init__"):
            return
        yield frame.node
        scope = frame.scope


def _is_rate(name: str, value: Value) -> bool:
    return "drop" in name or (type(value) is float and any(word in name for word in _RATES))


def _parameters(cls: Class) -> Iterator[str]:
    """Yield the names of the positional parameters of a constructor, then "" forever."""
    init = cls.lookup("__init__")
    if type(init) is Function:
        yield from [parameter.arg for parameter in positional(init.node.args)[1:]]
    yield from repeat("")


def call_key(instance: Instance, call: Call) -> Hashable | None:
    """Return a key that is equal for calls of a module on equal shapes; None if a shape is not known."""
    if not call.args and not call.kwargs:
        return None
    values = _frozen(tuple(call.args), _DEEPEST)
    named = _frozen(tuple(call.kwargs.values()), _DEEPEST)
    return None if values is None or named is None else (instance, values, *call.kwargs, named)


def _frozen(value: Value, depth: int) -> Hashable | None:
    """Return a key that is equal for equal values, tensors compared by their shapes; None if there is none.

    The types are part of it: True equals 1, but isinstance distinguishes them.
    """
    kind = type(value)
    if kind in _COMPARABLE:
        return kind, value
    if kind is Tensor:
        return None if value.shape is None or value.cell.is_guess else (kind, value.shape)
    if not depth:
        return None
    if kind is tuple or kind is list:
        return _frozen_items((kind,), value, depth)
    if kind is dict:
        return _frozen_items((kind, *value), value.values(), depth) if str in map(type, value) or not value else None
    if kind is Partial:
        return _frozen_items((kind, *value.kwargs), (value.function, *value.args, *value.kwargs.values()), depth)
    if kind is Instance and not value.is_module and value.items is None and not value.incomplete:
        return _frozen_items((value.cls, *value.attrs), value.attrs.values(), depth)
    return None


def _frozen_items(head: Hashable, items: Collection[Value], depth: int) -> Hashable | None:
    if len(items) > _LONGEST:
        return None
    parts = [_frozen(item, depth - 1) for item in items]
    return None if None in parts else (head, *parts)


_LONGEST = 64


class Returned:
    """The result of a call: the shapes of its tensors, and other values as they are."""

    def __init__(self, value: Value) -> None:
        self._value = value
        self._tensors = tensors_in(value)

    @property
    def is_repeatable(self) -> bool:
        """Return whether another call may return the same: tensors of known shapes, and numbers."""
        return bool(self._tensors) and _frozen(self._value, 2) is not None and type(self._value) is not dict

    def again(self, call: Call) -> Value:
        """Record a call that returns tensors of the same shapes, and return them."""
        execution = call.interpreter.execution
        execution.site = call.site
        shapes = [tensor.shape for tensor in self._tensors]
        inputs = call.tensors()
        new = iter(execution.emit("unseen", inputs, shapes, {"known": True}))
        if type(self._value) is Tensor:
            return next(new)
        return type(self._value)([next(new) if type(item) is Tensor else item for item in self._value])
