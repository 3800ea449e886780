"""What the recorder notes while a forward runs: cheap, and without a hold on any tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from convlint.runtime.code_sites import Instant

Kind = Literal["input", "state", "constant", "call", "unseen"]


class Step:
    """One call, or the appearance of a tensor that no recorded call made.

    ``name`` is the input's or the state's, ``func`` what was called, ``args`` and ``kwargs`` its arguments with
    ``Value`` for tensors, ``owner`` and ``module`` the innermost module call and its path. ``several`` is set where
    the call gave a tuple of tensors.
    """

    # Most steps keep most of these, and what a class has costs nothing to set up.
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})
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


class Value:
    """A tensor, as what step ``step`` gave at ``position``."""

    __slots__ = ("position", "step")

    def __init__(self, step: Step, position: int) -> None:
        self.step = step
        self.position = position


class ModuleCall:
    """One call of a module: tensors in and out, and the run of steps made inside."""

    __slots__ = ("frame", "inputs", "module", "name", "outputs", "start", "stop")

    def __init__(self, module: nn.Module, name: str, frame: Instant | None, start: int) -> None:
        self.module = module
        self.name = name
        self.frame = frame
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.start = start
        self.stop = start


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists, mappings and objects with fields, in order."""
    for _, tensor in named_tensors_in(value):
        yield tensor


def named_tensors_in(value: Any) -> Iterator[tuple[str, Tensor]]:
    """The same, each with its way there: ``out[0].x``. What holds itself is not entered again, and no code of what
    only looks like a list or a dict is run.
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
    """``value`` with ``of_tensor(tensor)`` for its tensors, in plain tuples, lists and dicts; fields become keys.

    None for anything else that ``torch.fx`` cannot hold, and below ``_DEEPEST`` levels.
    """
    kind = type(value)
    if issubclass(kind, Tensor):
        return of_tensor(value)
    if kind in _ATOMS:
        return value
    items = _items(value)
    if depth == _DEEPEST or not (items or kind in (tuple, list, dict)):
        return None
    parts = [structure(item, of_tensor, depth + 1) for _, item in items]
    if kind is list or (items and items[0][0] == "[0]"):
        return parts if issubclass(kind, list) else tuple(parts)
    return {name[1:]: part for (name, _), part in zip(items, parts, strict=True)}


def _items(value: Any) -> list[tuple[str, Any]]:
    """What a container holds, with how it is written behind the container's name."""
    kind = type(value)
    if kind in _ATOMS:
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


_DEEPEST = 20
_ATOMS = frozenset({int, float, bool, str, type(None), torch.Size, torch.dtype, torch.device})
