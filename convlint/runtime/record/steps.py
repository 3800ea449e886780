"""Records that the recorder makes while a forward runs. They are cheap and hold no tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from convlint.runtime.code_sites import Instant
from convlint.support.dataclass import dataclass, field

_MAX_DEPTH = 20  # of ``structure``
SCALARS = frozenset({int, float, bool, str, type(None), torch.Size, torch.dtype, torch.device})
Kind = Literal["input", "state", "constant", "call", "unseen"]


class Step:
    """One call, or a tensor that no recorded call made: an input, a parameter or buffer, or a constant.

    ``name`` is that of the input or state. ``args`` and ``kwargs`` are the arguments of ``func`` with ``Value`` for
    tensors, ``read`` the tensors among them, ``owner`` and ``module`` the innermost module and its path. ``several`` is
    True if the call returned a container of tensors.
    """

    # Class attributes, because most steps have most of these defaults and this saves time.
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})
    read: Sequence[Value] = ()
    owner: nn.Module | None = None
    module: str = ""
    frame: Instant | None = None
    several: bool = False
    error: str | None = None
    index: int
    outputs: list[tuple[torch.Size, torch.dtype]]

    def __init__(self, kind: Kind, name: str = "", func: Callable[..., Any] | None = None) -> None:
        self.kind = kind
        self.name = name
        self.func = func


@dataclass(slots=True, eq=False)
class Value:
    """A tensor: output number ``position`` of a step."""

    step: Step
    position: int

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.step.outputs[self.position][0])


@dataclass(slots=True, eq=False)
class ModuleCall:
    """One call of a module: its inputs and outputs, and the range of steps inside."""

    module: nn.Module
    name: str
    frame: Instant | None
    inputs: list[Value]
    outputs: list[Value] = field(default_factory=list)
    start: int = 0
    stop: int = 0


# The module calls in progress: modules, their paths, and where they are called.
Stack = list[tuple[nn.Module | None, str, Instant | None]]


@dataclass(slots=True, eq=False)
class Track:
    """The recording of one thread: its steps and module calls, and the module calls in progress."""

    steps: list[Step]
    calls: list[ModuleCall]
    stack: Stack

    def append_to(self, other: Track) -> None:
        """Put these steps and calls after those of another track."""
        offset = len(other.steps)
        for step in self.steps:
            step.index += offset
        for call in self.calls:
            call.start += offset
            call.stop += offset
        other.steps += self.steps
        other.calls += self.calls


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Iterate over the tensors in nested tuples, lists, dicts and dataclasses, in order."""
    return (tensor for _, tensor in named_tensors_in(value))


def named_tensors_in(value: Any) -> Iterator[tuple[str, Tensor]]:
    """Iterate over the tensors as ``tensors_in``, each with its path: ``[0].x``.

    Containers that contain themselves are entered once. No overridden methods of container subclasses are called.
    """
    if isinstance(value, Tensor):
        yield "", value
        return
    pending = [("", value, iter(_items(value)))]
    entered = {id(value)}
    while pending:
        prefix, holder, items = pending[-1]
        for key, item in items:
            if issubclass(type(item), Tensor):
                yield prefix + key, item
            elif id(item) not in entered and (inner := _items(item)):
                entered.add(id(item))
                pending.append((prefix + key, item, iter(inner)))
                break
        else:
            entered.discard(id(holder))
            pending.pop()


def structure(value: Any, of_tensor: Callable[[Tensor], Any], depth: int = 0) -> Any:
    """Copy nested containers to plain tuples, lists and dicts, with ``of_tensor(tensor)`` for tensors.

    Fields become keys. Objects that ``torch.fx`` cannot represent, and levels below ``_MAX_DEPTH``, become None.
    """
    kind = type(value)
    if issubclass(kind, Tensor):
        return of_tensor(value)
    if kind in SCALARS:
        return value
    items = _items(value)
    if depth == _MAX_DEPTH or not (items or kind in (tuple, list, dict)):
        return None
    parts = [structure(item, of_tensor, depth + 1) for _, item in items]
    if kind is list or (items and items[0][0] == "[0]"):
        return parts if issubclass(kind, list) else tuple(parts)
    return {name[1:]: part for (name, _), part in zip(items, parts, strict=True)}


def _items(value: Any) -> list[tuple[str, Any]]:
    """The items of a container, each with the text that follows the container in an expression for the item."""
    kind = type(value)
    if kind in SCALARS:
        return []
    if issubclass(kind, dict):
        return [(f".{key}", item) for key, item in dict.items(value)]
    if issubclass(kind, tuple):
        items = tuple.__iter__(value)
        if hasattr(kind, "_fields"):
            return [(f".{name}", item) for name, item in zip(kind._fields, items, strict=False)]
        return [(f"[{index}]", item) for index, item in enumerate(items)]
    if issubclass(kind, list):
        return [(f"[{index}]", item) for index, item in enumerate(list.__iter__(value))]
    if hasattr(kind, "__dataclass_fields__"):
        return [(f".{name}", getattr(value, name, None)) for name in kind.__dataclass_fields__]
    return []
