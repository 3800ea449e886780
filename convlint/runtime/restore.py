"""Restore a live model after a run, and the process; see ``process_state`` for the latter."""

from __future__ import annotations

import array
import operator
import random
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import MemberDescriptorType
from typing import Any

import torch
from torch import Tensor, nn

from convlint.runtime.held_values import HeldValues, dict_of, items, pairs
from convlint.runtime.process_state import process_as_found
from convlint.runtime.saved_tensors import saved, versions_kept


@contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Context that undoes on exit what a forward may change, also if it raises.

    This covers the class and the attributes of every module, also of those that are not registered, and of objects of
    other classes, and the attributes of the classes; the contents of lists and dicts in them, also nested ones
    (including hooks, submodules and training flags); values, memory layout, gradients and ``requires_grad`` of
    parameters, buffers and other tensors in attributes; arrays and random generators in attributes; and what
    ``process_as_found`` restores. Version counters of tensors do not change, so a pending backward still works. A copy
    of all tensors is kept in main memory meanwhile.
    """
    with ExitStack() as stack:
        stack.enter_context(process_as_found())
        held = HeldValues(model, kinds := _kinds_with_state())
        stack.enter_context(versions_kept(held.tensors))
        stack.callback(_values(held.tensors))
        stack.callback(_attributes(held, kinds))
        stack.callback(_shards(model))
        yield


def _attributes(held: HeldValues, kinds: dict[type, Callable[[Any], Restore]]) -> Callable[[], None]:
    """Save the attributes of objects and classes and the items of containers; return a function that restores them."""
    objects = [(each, type(each), dict_of(each)) for each in held.objects]
    all_slots = [
        (slot, each, slot.__get__(each) if _is_set(slot, each) else _UNSET)
        for each in held.objects
        for slot in held.slots_of(each)
    ]
    classes = [(each, dict(vars(each))) for each in held.classes]
    tables = [(each, pairs(each)) for each in held.containers if isinstance(each, dict)]
    lists = [(each, items(each)) for each in held.containers if not isinstance(each, dict)]
    states = [kinds[type(value)](value) for value in held.others]

    def restore() -> None:
        for each, kind, attributes in objects:
            if type(each) is not kind:
                object.__setattr__(each, "__class__", kind)
            if dict_of(each) is not attributes:
                object.__setattr__(each, "__dict__", attributes)
        for table, before in tables:
            _restore_table(table, before)
        for container, values in lists:
            _restore_items(container, values)
        for restore_state in states:
            restore_state()
        for slot, each, value in all_slots:
            if value is not _UNSET:
                slot.__set__(each, value)
            elif _is_set(slot, each):
                slot.__delete__(each)
        for kind, attributes in classes:
            _restore_class(kind, attributes)

    return restore


def _restore_table(table: dict[Any, Any], before: list[tuple[Any, Any]]) -> None:
    now = pairs(table)
    if len(now) == len(before) and all(a is c and b is d for (a, b), (c, d) in zip(now, before, strict=True)):
        return  # nothing is written that has not changed, because another thread may read it
    base: Any = OrderedDict if isinstance(table, OrderedDict) else dict
    base.clear(table)
    for key, value in before:
        base.__setitem__(table, key, value)


def _restore_items(container: Any, before: list[Any]) -> None:
    now = items(container)
    if len(now) == len(before) and all(map(operator.is_, now, before)):
        return
    if isinstance(container, list):
        list.__setitem__(container, slice(None), before)
    elif isinstance(container, set):
        set.clear(container)
        set.update(container, before)
    else:
        deque.clear(container)
        deque.extend(container, before)


def _restore_class(kind: type, before: dict[str, Any]) -> None:
    for name in vars(kind).keys() - before.keys():
        type.__delattr__(kind, name)
    for name, value in before.items():
        if vars(kind).get(name, _UNSET) is not value:
            type.__setattr__(kind, name, value)


_UNSET = object()
Restore = Callable[[], object]


def _kinds_with_state() -> dict[type, Callable[[Any], Restore]]:
    """Functions that save the state of values of these types; what they return restores it."""
    kinds: dict[type, Callable[[Any], Restore]] = {
        torch.Generator: lambda value: partial(value.set_state, value.get_state()),
        bytearray: _sliced,
        array.array: _sliced,
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


def _sliced(value: Any) -> Restore:
    copy = value[:]

    def restore() -> None:
        if value != copy:
            value[:] = copy

    return restore


def _array(value: Any) -> Restore:
    copy = value.copy() if value.flags.writeable else value

    def restore() -> None:
        if copy is not value and value.flags.writeable and value.shape == copy.shape:
            value[...] = copy

    return restore


def _is_set(slot: MemberDescriptorType, owner: object) -> bool:
    try:
        slot.__get__(owner)
    except AttributeError:
        return False
    return True


def _shards(model: nn.Module) -> Callable[[], None]:
    """Save which modules of FSDP have sharded parameters: one that a forward begins with keeps the whole ones."""
    kind = getattr(sys.modules.get("torch.distributed.fsdp"), "FSDPModule", ())
    sharded: list[Any] = [
        module
        for module in model.modules()
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
        with ExitStack() as stack:  # an error with one tensor does not keep the others from being restored
            for each in kept:
                stack.callback(_restore_tensor, *each)

    return restore


def _restore_tensor(
    tensor: Tensor, restore_values: Restore, requires_grad: bool, grad: Tensor | None, restore_grad: Restore
) -> None:
    restore_values()
    if tensor.is_leaf:
        if tensor.requires_grad is not requires_grad:
            tensor.requires_grad_(requires_grad)
        restore_grad()
        tensor.grad = grad
