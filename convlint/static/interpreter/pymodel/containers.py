"""Things that hold others: what is in them, by a subscript or in a loop, and what is put there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convlint import symbolic
from convlint.static.domain.facts import FRESH
from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import (
    LONGEST,
    UNKNOWN,
    Library,
    Real,
    Sizes,
    Tensor,
    Value,
    is_small,
)
from convlint.static.interpreter.pymodel import module_containers
from convlint.static.interpreter.truth import only_symbol
from convlint.static.torch_shapes import iterate as rows_of
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


# --- subscripts


def get(value: Value, key: Value) -> Value:
    """``value[key]``."""
    kind = type(value)
    if kind is list or kind is tuple:
        if type(key) is int or type(key) is bool:
            if UNKNOWN in value and (key < 0 or UNKNOWN in value[: key + 1]):
                return UNKNOWN
            return value[key] if -len(value) <= key < len(value) else UNKNOWN
        if type(key) is slice and _is_plain(key):
            return value[key]
        return UNKNOWN
    if kind is dict:
        if UNKNOWN in value or not _hashable(key):
            return UNKNOWN
        return value.get(key, UNKNOWN)
    if kind is str and (type(key) is int or (type(key) is slice and _is_plain(key))):
        return value[key] if type(key) is slice or -len(value) <= key < len(value) else UNKNOWN
    if kind is range and type(key) is int:
        return value[key] if -len(value) <= key < len(value) else UNKNOWN
    if kind is Instance and value.is_module:
        return _module_at(value, key)
    if kind is Dim and (type(key) is str or (type(key) is int and key >= 0)):
        return part(value, f"[{key!r}]")  # from the end it may be any of these
    return UNKNOWN


def _is_plain(key: slice) -> bool:
    return all(part is None or type(part) is int for part in (key.start, key.stop, key.step)) and (
        key.step != 0
    )


def _module_at(instance: Instance, key: Value) -> Value:
    if instance.incomplete or module_containers.MORE in instance.attrs:
        return UNKNOWN
    if type(key) is str:
        return instance.attrs.get(key, UNKNOWN)
    held = module_containers.items(instance)
    if type(key) is int:
        return held[key] if -len(held) <= key < len(held) else UNKNOWN
    if type(key) is slice and _is_plain(key):
        part = Instance(instance.cls, instance.site, instance.frames)
        part.kind = instance.kind
        module_containers.extend(part, held[key])
        return part
    return UNKNOWN


def part(value: Dim, suffix: str) -> Value:
    """A part of a parameter of which nothing is known but its name: a symbol of its own."""
    symbol = only_symbol(value)
    if symbol is None or symbol.scope == FRESH or suffix.startswith("._"):
        return UNKNOWN
    return symbolic.symbol(symbol.name + suffix, symbol.scope)


def set_item(owner: Value, key: Value, value: Value) -> None:
    """``owner[key] = value``."""
    if type(owner) is list:
        if type(key) is int and -len(owner) <= key < len(owner):
            owner[key] = value
        else:
            taint(owner)
    elif type(owner) is dict:
        put(owner, key, value)
    elif type(owner) is Instance and owner.is_module:
        if type(key) is int:
            name = str(key if key >= 0 else key + len(module_containers.items(owner)))
        else:
            name = key if type(key) is str else module_containers.MORE
        owner.attrs[name] = value


def put(owner: dict[Value, Value], key: Value, value: Value) -> None:
    """Put an item into a dict of the program."""
    if key is UNKNOWN or not _hashable(key):
        owner[UNKNOWN] = UNKNOWN
    else:
        owner[key] = value


def _hashable(key: Value) -> bool:
    if type(key) is tuple:
        return is_small(key) and all(_hashable(item) for item in key)
    return type(key) in (int, str, float, bool, type(None), bytes, Class, Function, Library)


def delete(owner: Value, key: Value) -> None:
    """``del owner[key]``."""
    if type(owner) is list and type(key) is int and -len(owner) <= key < len(owner):
        del owner[key]
    elif type(owner) is dict and _hashable(key):
        owner.pop(key, None)
    else:
        taint(owner)


def taint(owner: Value) -> None:
    """Something unknown may have been put into a container."""
    if type(owner) is list:
        owner.append(UNKNOWN)
    elif type(owner) is dict:
        owner[UNKNOWN] = UNKNOWN
    elif type(owner) is Instance and owner.is_module:
        owner.attrs[module_containers.MORE] = UNKNOWN


def contains(item: Value, owner: Value) -> Value:
    """``item in owner``: True, False or UNKNOWN."""
    if item is UNKNOWN or isinstance(item, Dim | Real | Tensor) or owner is UNKNOWN:
        return UNKNOWN
    if type(owner) is str:
        return item in owner if type(item) is str else UNKNOWN
    if type(owner) is range:
        return item in owner if type(item) in (int, bool) else UNKNOWN
    if type(owner) in (list, tuple, dict):
        if type(owner) is dict and not _hashable(item):
            return UNKNOWN
        if not is_small(owner) or not is_small(item):
            return UNKNOWN
        if any(other is item for other in owner):
            return True
        if any(other is UNKNOWN or isinstance(other, Dim | Real) for other in owner):
            return UNKNOWN
        return bool(item in owner)
    if type(owner) is Instance and owner.is_module and type(item) is str:
        return (
            UNKNOWN
            if owner.incomplete or module_containers.MORE in owner.attrs
            else item in owner.attrs
        )
    return UNKNOWN


def length(value: Value) -> Value:
    """``len(value)``."""
    kind = type(value)
    if kind in (list, tuple, dict, str, range):
        return UNKNOWN if kind in (list, tuple, dict) and UNKNOWN in value else len(value)
    if kind is Tensor and value.shape:
        return value.shape[0]
    if kind is Instance and value.is_module:
        found = module_containers.iterated(value)
        return UNKNOWN if found is None else len(found)
    return UNKNOWN


# --- loops


def iterate(interpreter: Interpreter, value: Value, count: int | None = None) -> list[Value] | None:
    """The items of a value, None if they are not known. ``count`` is how many are asked for."""
    kind = type(value)
    if kind is list or kind is tuple:
        return list(value)
    if kind is dict:
        return list(value)
    if kind is range:
        return list(value) if len(value) <= LONGEST else None
    if kind is str:
        return list(value) if len(value) <= LONGEST else None
    if kind is Tensor:
        rows: list[Value] | None = rows_of(interpreter.execution, value)
        return rows
    if kind is Instance and value.is_module:
        return module_containers.iterated(value)
    if kind is Sizes:
        return None if count is None else sizes(interpreter, value, count)
    if kind is Dim and count is not None and count < 16:
        return parts(value, count)
    return None


def items_of(interpreter: Interpreter, value: Value) -> list[Value]:
    """The items of a value; raises TypeError where they are not known."""
    items = iterate(interpreter, value)
    if items is None:
        raise TypeError
    return items


def parts(value: Dim, count: int) -> list[Value] | None:
    """The items of such a parameter that is taken apart into ``count`` ones."""
    found = [part(value, f"[{position}]") for position in range(count)]
    return None if UNKNOWN in found else found


def sizes(interpreter: Interpreter, value: Sizes, count: int) -> list[Any] | None:
    """The sizes of a tensor of which only their number is known."""
    shape = interpreter.execution.of_rank(value.tensor, count)
    return None if shape is None else list(shape)


# --- numbers


def as_number(value: Value) -> int | Dim | None:
    """An integer of the program, None if it is anything else."""
    if type(value) is bool:
        return int(value)
    return value if type(value) is int or type(value) is Dim else None


def total(values: Sequence[Value]) -> Value:
    """``sum(values)`` of integers."""
    result: int | Dim = 0
    for value in values:
        number = as_number(value)
        if number is None:
            return UNKNOWN
        result = result + number
    return (
        result
        if type(result) is int or symbolic.as_dim(result).value is None
        else symbolic.as_dim(result).value
    )
