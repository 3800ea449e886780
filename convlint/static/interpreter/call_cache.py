"""Keys of constructor calls and calls of modules that can only repeat an earlier result.

A deep network is a few blocks in many copies. A block that one line builds in a loop with the same
arguments is therefore built once, and a call of it on a shape that it had before is one step.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import Builtin, Library, Partial, Real, Tensor, Value, is_small
from convlint.static.interpreter.call import Call
from convlint.symbolic import Dim

_COMPARABLE = frozenset({int, str, bool, float, type(None), Dim, Real, Class, Function, Library, Builtin, Partial})


class BuiltInstance:
    """A module as its constructor left it: only one that has not changed since stands for an equal call."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._attributes = list(_attributes(instance))

    @property
    def modules(self) -> int:
        """The number of modules in it, itself included."""
        return len(self._attributes)

    @property
    def is_unchanged(self) -> bool:
        """Return whether it and the modules in it have the attributes that they had."""
        now = list(_attributes(self.instance))
        return len(now) == len(self._attributes) and all(
            one.keys() == other.keys() and all(value is other[name] for name, value in one.items())
            for one, other in zip(now, self._attributes, strict=True)
        )


def _attributes(instance: Instance) -> Iterator[dict[str, Value]]:
    """Yield copies of the attributes of a module and of the modules in it, each once."""
    seen = {instance}
    pending = [instance]
    while pending:
        module = pending.pop()
        yield dict(module.attrs)
        new = [child for _, child in module.children() if child not in seen]
        seen.update(new)
        pending += new


def constructor_key(cls: Class, call: Call) -> Hashable | None:
    """Return a key that is equal for equal constructor calls; None if the arguments cannot be compared.

    Drop-out and drop-path rates differ from block to block, and no shape depends on them.
    """
    args = call.args
    kwargs = [(name, value) for name, value in call.kwargs.items() if "drop" not in name]
    if not all(_is_comparable(value) for value in (*args, *[value for _, value in kwargs])):
        return None
    # The types are part of the key: True equals 1, but isinstance distinguishes them.
    place = call.node if call.scope.called_from is None else call.scope.called_from[0]
    return cls, call.node, place, *[(type(v), v) for v in args], *[(n, type(v), v) for n, v in kwargs]


def call_key(instance: Instance, args: Sequence[Value]) -> Hashable | None:
    """Return a key that is equal for calls of a module on equal shapes; None if a shape is not known."""
    shapes = [value.shape if type(value) is Tensor and not value.cell.is_guess else None for value in args]
    return None if None in shapes or not shapes else (instance, *shapes)


def _is_comparable(value: Value) -> bool:
    if type(value) is tuple:
        return is_small(value) and all(_is_comparable(item) for item in value)
    return type(value) in _COMPARABLE
