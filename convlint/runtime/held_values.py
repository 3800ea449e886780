"""Find what a model holds, directly or not: modules, registered or not, containers, objects of the project, tensors."""

from __future__ import annotations

import argparse
import sys
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from types import MemberDescriptorType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

CONTAINERS = (OrderedDict, dict, list, set, deque)
_MOST_ITEMS = 1_000_000  # of the containers that are looked into
_MOST_BYTES = 1 << 30  # of the tensors that only other objects hold
_DEFINED_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_LIBRARIES = (sys.stdlib_module_names - {"__main__"}) | {"torch", "convlint"}
_OF_LIBRARIES = (SimpleNamespace, argparse.Namespace, torch.optim.Optimizer)


class HeldValues:
    """The values that the attributes of a model lead to, each once.

    Objects other than modules are looked into last, and so are the classes of both, because one of them may lead to a
    whole training program: tensors that only these hold are left out beyond a limit. Objects of Python's and torch's
    own classes are not looked into, except optimizers and namespaces.
    """

    def __init__(self, model: nn.Module, kinds: Collection[type]) -> None:
        """Search a model; ``kinds`` are the types of ``others``."""
        self.objects: list[Any] = []
        self.classes: list[type] = []
        self.containers: list[Any] = []
        self.tensors: list[Tensor] = []
        self.others: list[Any] = []
        self._kinds = kinds
        self._slots: dict[type, tuple[MemberDescriptorType, ...]] = {}
        self._has_state: dict[type, bool] = {}
        self._seen: set[int] = set()
        self._later: deque[tuple[Any, ...]] = deque()  # what is inside an object or class
        self._items_left, self._bytes_left = _MOST_ITEMS, sys.maxsize
        self._search(list(model.modules()))
        self._bytes_left = _MOST_BYTES
        while self._later:
            self._search(self._later.popleft())

    def slots_of(self, value: Any) -> tuple[MemberDescriptorType, ...]:
        """The attributes of an object that are not in its ``__dict__``."""
        kind = type(value)
        if kind not in self._slots:
            self._slots[kind] = _slots(kind)
        return self._slots[kind]

    def _search(self, values: Iterable[Any]) -> None:
        pending = [iter(values)]
        while pending:
            for value in pending[-1]:
                inside = self._inside(value)
                if inside:
                    pending.append(iter(inside))
                    break
            else:
                pending.pop()

    def _inside(self, value: Any) -> Collection[Any]:
        """Note a value, and return those in it, if it is new and leads to any."""
        kind = type(value)
        if kind in _ATOMS or id(value) in self._seen:
            return ()
        if issubclass(kind, nn.Module):
            self._note(value, self.objects)
            self._note_classes(kind)
            return self._looked_into((*value._parameters.values(), *value._buffers.values(), *self._attributes(value)))
        if issubclass(kind, Tensor):
            size = _size(value)
            if size <= self._bytes_left:
                self._bytes_left -= size
                self._note(value, self.tensors)
            return ()
        inside: tuple[Any, ...] = ()
        if issubclass(kind, CONTAINERS):
            self._note(value, self.containers)
            inside = tuple(item for _, item in pairs(value)) if issubclass(kind, dict) else tuple(items(value))
        elif issubclass(kind, tuple):
            inside = tuple(tuple.__iter__(value))
        elif kind in self._kinds:
            self._note(value, self.others)
        if kind not in self._has_state:
            self._has_state[kind] = _has_state(kind)
        if self._has_state[kind]:
            self._note(value, self.objects)
            self._note_classes(kind)
            self._later.append(tuple(self._attributes(value)))
        return self._looked_into(inside)

    def _note(self, value: Any, values: list[Any]) -> None:
        self._seen.add(id(value))
        values.append(value)

    def _note_classes(self, kind: type) -> None:
        if id(kind) in self._seen:
            return
        for each in kind.__mro__:
            if id(each) not in self._seen and _has_state(each):
                self._note(each, self.classes)
                self._later.append(tuple(vars(each).values()))

    def _looked_into(self, inside: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(inside) > self._items_left:
            return ()
        self._items_left -= len(inside)
        return inside

    def _attributes(self, value: Any) -> Iterator[Any]:
        attributes = dict_of(value)
        if attributes is not None:
            if id(attributes) not in self._seen:
                self._note(attributes, self.containers)
            yield from list(attributes.values())
        for slot in self.slots_of(value):
            with suppress(AttributeError):
                yield slot.__get__(value)


_ATOMS = frozenset({int, float, str, bool, bytes, type(None), torch.Size, torch.dtype, torch.device, type})


def _has_state(kind: type) -> bool:
    """Return whether objects of a class, and the class itself, may be changed by the code of a project."""
    if kind in _OF_LIBRARIES or issubclass(kind, _OF_LIBRARIES) or issubclass(kind, type):
        return not issubclass(kind, type)
    library = str(getattr(kind, "__module__", "")).partition(".")[0]
    return bool(kind.__flags__ & _DEFINED_IN_PYTHON) and library not in _LIBRARIES


def _size(tensor: Tensor) -> int:
    with suppress(Exception):  # a lazy or nested tensor has no size
        return tensor.numel() * tensor.element_size()
    return 0


def dict_of(value: Any) -> dict[str, Any] | None:
    """The ``__dict__`` of an object, None if it has none."""
    with suppress(AttributeError):
        found: dict[str, Any] = object.__getattribute__(value, "__dict__")
        return found
    return None


def _slots(kind: type) -> tuple[MemberDescriptorType, ...]:
    with_slots = [vars(each) for each in kind.__mro__ if "__slots__" in vars(each)]
    return tuple(value for each in with_slots for value in each.values() if type(value) is MemberDescriptorType)


def pairs(table: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """The items of a dictionary, whatever methods its class defines."""
    if not dict.__len__(table):
        return []  # as most tables of hooks
    if type(table) is dict:
        return list(table.items())
    keys = OrderedDict.__iter__(table) if isinstance(table, OrderedDict) else dict.__iter__(table)
    return [(key, dict.__getitem__(table, key)) for key in keys]


def items(container: Any) -> list[Any]:
    """The items of a list, set or deque, whatever methods its class defines."""
    kind = next(each for each in (list, set, deque) if isinstance(container, each))
    return list(kind.__iter__(container))
