"""What the recorder notes while a forward runs: cheap, and without a hold on any tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from convlint.trace.sites import Instant

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
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif hasattr(type(value), "__dataclass_fields__"):
        for name in type(value).__dataclass_fields__:
            yield from tensors_in(getattr(value, name, None))
