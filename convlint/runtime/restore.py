"""Restore a live model after a run, and the process; see ``process_state`` for the latter."""

from __future__ import annotations

import random
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from types import MemberDescriptorType
from typing import Any

import torch
from torch import Tensor, nn

from convlint.runtime.process_state import process_as_found
from convlint.runtime.saved_tensors import saved, versions_kept

_CONTAINERS = (dict, OrderedDict, defaultdict, Counter, list, set, deque)
_MOST_ITEMS = 1_000_000  # in the containers of a module that are looked into


@contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Context that undoes on exit what a forward may change, also if it raises.

    This covers the class and the attributes of every module and the contents of lists and dicts in them, also nested
    ones (including hooks, submodules and training flags); values, memory layout, gradients and ``requires_grad`` of
    parameters, buffers and other tensors in attributes; arrays and random generators in attributes; and what
    ``process_as_found`` restores. Version counters of tensors do not change, so a pending backward still works. A copy
    of all tensors is kept in main memory meanwhile.
    """
    with ExitStack() as stack:
        stack.enter_context(process_as_found())
        modules = list(model.modules())
        tensors = list(_tensors(modules))
        stack.enter_context(versions_kept(tensors))
        stack.callback(_values(tensors))
        stack.callback(_attributes(modules))
        stack.callback(_shards(modules))
        yield


def _attributes(modules: list[nn.Module]) -> Callable[[], None]:
    """Save the attributes of modules and the items of containers in them; return a function that restores them."""
    kept = [(module, type(module), dict(vars(module))) for module in modules]
    slots = [
        (slot, module, slot.__get__(module) if _is_set(slot, module) else _UNSET)
        for module in modules
        for slot in _slots(type(module))
    ]
    values = (value for _, _, attributes in kept for value in attributes.values())
    inside = list(_reached(chain(values, (value for _, _, value in slots))))
    contents = [(value, value.copy()) for value in inside if type(value) in _CONTAINERS]
    kinds = _kinds_with_state()
    states = [kinds[type(value)](value) for value in inside if type(value) in kinds]

    def restore() -> None:
        for module, kind, attributes in kept:
            if type(module) is not kind:
                object.__setattr__(module, "__class__", kind)
            vars(module).clear()
            vars(module).update(attributes)
        for container, items in contents:
            if type(container) is list:
                container[:] = items
            else:
                container.clear()
                container.extend(items) if type(container) is deque else container.update(items)
        for restore_state in states:
            restore_state()
        for slot, module, value in slots:
            if value is not _UNSET:
                slot.__set__(module, value)
            elif _is_set(slot, module):
                slot.__delete__(module)

    return restore


_UNSET = object()
Restore = Callable[[], object]


def _kinds_with_state() -> dict[type, Callable[[Any], Restore]]:
    """Functions that save the state of values of these types; what they return restores it."""
    kinds: dict[type, Callable[[Any], Restore]] = {
        torch.Generator: lambda value: partial(value.set_state, value.get_state()),
        random.Random: lambda value: partial(value.setstate, value.getstate()),
    }
    if numpy := sys.modules.get("numpy"):
        kinds |= {
            numpy.ndarray: _array,
            numpy.random.RandomState: lambda value: partial(value.set_state, value.get_state()),
            numpy.random.Generator: lambda value: partial(
                setattr, value.bit_generator, "state", value.bit_generator.state
            ),
        }
    return kinds


def _array(value: Any) -> Restore:
    copy = value.copy() if value.flags.writeable else value

    def restore() -> None:
        if copy is not value and value.flags.writeable and value.shape == copy.shape:
            value[...] = copy

    return restore


def _slots(kind: type) -> Iterator[MemberDescriptorType]:
    """The attributes of a class that are not in the ``__dict__`` of its objects."""
    for each in kind.__mro__:
        if "__slots__" in vars(each):
            yield from (value for value in vars(each).values() if type(value) is MemberDescriptorType)


def _is_set(slot: MemberDescriptorType, module: nn.Module) -> bool:
    try:
        slot.__get__(module)
    except AttributeError:
        return False
    return True


def _reached(values: Iterable[Any]) -> Iterator[Any]:
    """Values, and those in their containers, each container once."""
    seen: set[int] = set()
    pending, left = [iter(values)], _MOST_ITEMS
    while pending:
        for value in pending[-1]:
            yield value
            if (type(value) in _CONTAINERS or type(value) is tuple) and id(value) not in seen and len(value) <= left:
                seen.add(id(value))
                left -= len(value)
                pending.append(iter(list(value.values() if isinstance(value, dict) else value)))
                break
        else:
            pending.pop()


def _tensors(modules: list[nn.Module]) -> Iterator[Tensor]:
    """Parameters, buffers and other tensors in attributes, each once."""
    seen: set[int] = set()
    for module in modules:
        for value in _reached((*module._parameters.values(), *module._buffers.values(), *vars(module).values())):
            if isinstance(value, Tensor) and id(value) not in seen:
                seen.add(id(value))
                yield value


def _shards(modules: list[nn.Module]) -> Callable[[], None]:
    """Save which modules of FSDP have sharded parameters: one that a forward begins with keeps the whole ones."""
    kind = getattr(sys.modules.get("torch.distributed.fsdp"), "FSDPModule", ())
    sharded: list[Any] = [
        module
        for module in modules
        if isinstance(module, kind) and any(type(each).__name__ == "DTensor" for each in module.parameters())
    ]

    def restore() -> None:
        for module in sharded:
            module.reshard()

    return restore


def _values(tensors: list[Tensor]) -> Callable[[], None]:
    kept = [
        (t, saved(t), t.requires_grad, t.grad if t.is_leaf else None, saved(t.grad if t.is_leaf else None))
        for t in tensors
    ]

    def restore() -> None:
        for tensor, restore_values, requires_grad, grad, restore_grad in kept:
            restore_values()
            if tensor.is_leaf:
                if tensor.requires_grad is not requires_grad:
                    tensor.requires_grad_(requires_grad)
                restore_grad()
                tensor.grad = grad

    return restore
