"""Things that hold others: subscripts, assignment to items, loops and sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convlint import symbolic
from convlint.static.domain.objects import UNKNOWN_CHILD, Children, Class, Function, Instance, Names
from convlint.static.domain.values import (
    ANY_KEY,
    LONGEST,
    UNKNOWN,
    AnyKey,
    Bound,
    Builtin,
    Library,
    Real,
    Sizes,
    Tensor,
    Unknown,
    Value,
    Vector,
    as_number,
    has_unknown,
    is_small,
)
from convlint.static.interpreter import classes, parameter_lists, special_methods
from convlint.static.interpreter.pymodel import module_containers
from convlint.static.interpreter.pymodel.native import whole_value
from convlint.static.torch_shapes import function
from convlint.static.torch_shapes import iterate as rows_of
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

_MOST_PARTS = 16  # into which a parameter is unpacked


# --- subscripts


def get(value: Value, key: Value) -> Value:
    """``value[key]``."""
    kind = type(value)
    if kind is list or kind is tuple:
        if type(key) is int or type(key) is bool:
            if has_unknown(value) and (key < 0 or has_unknown(value[: key + 1])):
                return UNKNOWN
            return _at(value, key)
        return value[key] if _is_plain_slice(key) else UNKNOWN
    if kind is dict:
        if UNKNOWN in value or not _hashable(key):
            return UNKNOWN
        return value[key] if key in value else value.get(ANY_KEY, UNKNOWN)
    if kind is str and _is_plain_slice(key):
        return value[key]
    if kind in (str, range) and type(key) is int:
        return _at(value, key)
    if kind is Instance:
        if value.items is not None:
            return get(value.items, key)
        return _module_at(value, key) if value.is_module else UNKNOWN
    if kind is Children:
        return _module_at(value.module, key)
    if kind is Class:
        return classes.members(value).get(key, UNKNOWN)
    if kind is Vector:
        if isinstance(key, Vector | list):
            return Vector(tuple([get(value.items, each) for each in (key.items if isinstance(key, Vector) else key)]))
        item = get(value.items, key)
        return Vector(item) if type(item) is tuple else item
    if kind is Dim and (type(key) is str or (type(key) is int and key >= 0)):
        return parameter_lists.part(value, f"[{key!r}]")  # a negative index may be any of these
    return UNKNOWN


def _at(items: Sequence[Value], position: int) -> Value:
    return items[position] if -len(items) <= position < len(items) else UNKNOWN


def _is_plain_slice(key: Value) -> bool:
    if type(key) is not slice or key.step == 0:
        return False
    return all(end is None or type(end) is int for end in (key.start, key.stop, key.step))


def _module_at(instance: Instance, key: Value) -> Value:
    if instance.may_have_more_children:
        return UNKNOWN
    if type(key) is str:
        return instance.attrs.get(key, UNKNOWN)
    children = module_containers.items(instance)
    if type(key) is int:
        return _at(children, key)
    if _is_plain_slice(key):
        sliced = Instance(instance.cls, instance.site, instance.frames)
        sliced.kind = instance.kind
        module_containers.extend(sliced, children[key])
        return sliced
    return UNKNOWN


def set_item(owner: Value, key: Value, value: Value) -> None:
    """``owner[key] = value``."""
    if type(owner) is list:
        is_item = type(key) is int and -len(owner) <= key < len(owner)
        if is_item or (type(key) is slice and type(value) in (list, tuple) and _is_plain_range(key)):
            owner[key] = value
        elif type(key) is int:
            taint(owner)
        else:  # it may be any of the items
            owner[:] = [UNKNOWN] * len(owner)
    elif type(owner) is dict:
        put(owner, key, value)
    elif type(owner) is Vector:
        items = list(owner.items)
        set_item(items, key, list(value.items) if type(value) is Vector else value)
        owner.items = tuple(items if len(items) == len(owner.items) else [UNKNOWN] * len(owner.items))
    elif type(owner) is Tensor:
        owner.values = None
    elif type(owner) is Children:
        module_containers.put(owner.module, key, value)
    elif type(owner) is Names:
        owner.module.values[key] = value
    elif type(owner) is Instance and owner.items is not None:
        set_item(owner.items, key, value)
    elif type(owner) is Instance and owner.is_module:
        if type(key) is int:
            key = str(key if key >= 0 else key + len(module_containers.items(owner)))
        module_containers.put(owner, key, value)


def _is_plain_range(key: slice) -> bool:
    """Return whether a slice has known bounds and takes every item between them."""
    return key.step is None and all(bound is None or type(bound) is int for bound in (key.start, key.stop))


def put(owner: dict[Value, Value], key: Value, value: Value) -> None:
    """Put an item into a dict of the program."""
    if type(key) is Unknown or not _hashable(key):
        owner[UNKNOWN] = UNKNOWN
    else:
        owner[key] = value


def _hashable(key: Value) -> bool:
    if type(key) is tuple:
        return is_small(key) and all(_hashable(item) for item in key)
    return type(key) in _HASHABLE


_HASHABLE = (AnyKey, int, str, float, bool, type(None), bytes, Class, Function, Library, Builtin, Instance)


def delete(owner: Value, key: Value) -> None:
    """``del owner[key]``."""
    if type(owner) is list and type(key) is int and -len(owner) <= key < len(owner):
        del owner[key]
    elif type(owner) is dict and _hashable(key):
        owner.pop(key, None)
    elif type(owner) is Instance and owner.items is not None:
        delete(owner.items, key)
    elif type(owner) is Children:
        _delete_children(owner.module, key)
    elif type(owner) is Instance and owner.is_module:
        _delete_children(owner, key)
    else:
        taint(owner)


def _delete_children(module: Instance, key: Value) -> None:
    """Delete one module of a container, or those of a slice; any of them may be gone if the key is not known."""
    names = [name for name, _ in module.children()]
    known = not module.may_have_more_children
    if type(key) is str:
        module.attrs.pop(key, None)
    elif known and type(key) is int and -len(names) <= key < len(names):
        del module.attrs[names[key]]
    elif known and _is_plain_slice(key):
        for name in names[key]:
            del module.attrs[name]
    else:
        module.attrs.update(dict.fromkeys(names, UNKNOWN))
        taint(module)
        return
    left = [*module.children()]
    if all(name.isdigit() for name, _ in left):  # PyTorch renumbers them
        for name, _ in left:
            del module.attrs[name]
        module.attrs.update({str(number): child for number, (_, child) in enumerate(left)})


def taint(owner: Value) -> None:
    """Add something unknown to a container: the program may have changed it."""
    if type(owner) is list:
        owner.append(UNKNOWN)
    elif type(owner) is dict:
        owner[UNKNOWN] = UNKNOWN
    elif type(owner) is Children:
        taint(owner.module)
    elif type(owner) is Instance and owner.items is not None:
        taint(owner.items)
    elif type(owner) is Instance and owner.is_module:
        owner.attrs[UNKNOWN_CHILD] = UNKNOWN


def contains(item: Value, owner: Value) -> Value:
    """``item in owner``: True, False or UNKNOWN."""
    if type(item) is Unknown or isinstance(item, Dim | Real | Tensor) or type(owner) is Unknown:
        return UNKNOWN
    if type(owner) is Bound and type(owner.self) is Library:  # `"silu" in dir(torch.nn.functional)`
        return function(f"{owner.self.name}.{item}") is not None or UNKNOWN
    if type(owner) is str:
        return item in owner if type(item) is str else UNKNOWN
    if type(owner) is range:
        return item in owner if type(item) in (int, bool) else UNKNOWN
    if type(owner) in (list, tuple, dict):
        # Only the list is traversed: the keys of a dict are found by their hashes.
        if not (_hashable(item) if type(owner) is dict else is_small(owner) and is_small(item)):
            return UNKNOWN
        if not _OPEN.isdisjoint(map(type, owner)):
            return any(other is item for other in owner) or UNKNOWN
        return bool(item in owner)
    if type(owner) is Instance and owner.items is not None:
        return contains(item, owner.items)
    if type(owner) is Names and type(item) is str:
        return item in owner.module.bindings or UNKNOWN
    if type(owner) is Children:
        return contains(item, owner.module)
    if type(owner) is Instance and owner.is_module and type(item) is str:
        return UNKNOWN if owner.may_have_more_children else item in owner.attrs
    return UNKNOWN


_OPEN = frozenset({Unknown, Dim, Real, AnyKey})  # items that may equal any other


def length(value: Value) -> Value:
    """``len(value)``."""
    kind = type(value)
    if kind in (list, tuple, dict, str, range):
        return UNKNOWN if kind in (list, tuple, dict) and (UNKNOWN in value or ANY_KEY in value) else len(value)
    if kind is Tensor and value.shape:
        return value.shape[0]
    if kind is Instance and value.items is not None:
        return length(value.items)
    if kind is Instance and value.is_module:
        items = module_containers.iterated(value)
        return UNKNOWN if items is None else len(items)
    if kind is Children:
        return UNKNOWN if value.module.may_have_more_children else len(list(value.module.children()))
    return len(value.items) if kind is Vector else UNKNOWN


# --- loops


def iterate(interpreter: Interpreter, value: Value, count: int | None = None) -> list[Value] | None:
    """Return the items of a value, None if they are not known. ``count`` is how many are unpacked."""
    kind = type(value)
    if kind is list or kind is tuple:
        return list(value)
    if kind is dict:
        return [*value, UNKNOWN] if ANY_KEY in value else list(value)
    if kind is range or kind is str:
        return list(value) if len(value) <= LONGEST else None
    if kind is Tensor:
        rows: list[Value] | None = rows_of(interpreter.execution, value)
        return rows
    if kind is Instance:
        return _iterate_object(interpreter, value)
    if kind is Children:
        more = value.module.may_have_more_children
        return None if more else [name for name, _ in value.module.children()]
    if kind is Vector:
        return list(value.items)
    if kind is Class and classes.is_enum(value):
        return list(classes.members(value).values())
    if kind is Sizes and count is not None:
        shape = interpreter.execution.require_rank(value.tensor, value.start + count)
        return None if shape is None else list(shape[value.start :])
    if kind is Dim and (count is None or count < _MOST_PARTS):
        return parameter_lists.items(interpreter, value, count)
    return None


def _iterate_object(interpreter: Interpreter, value: Instance) -> list[Value] | None:
    if special_methods.defines(value, "__iter__"):
        found = special_methods.call_special(interpreter, value, "__iter__")
        return None if found is value else iterate(interpreter, found)
    if value.items is not None:
        return list(value.items)
    return module_containers.iterated(value) if value.is_module else None


def mapping(value: Value) -> dict[Value, Value] | None:
    """Return the content of a dict, or of an object derived from one; None for anything else."""
    content = value.items if type(value) is Instance else value
    return content if type(content) is dict else None


def items_of(interpreter: Interpreter, value: Value) -> list[Value]:
    """Return the items of a value; raises TypeError where they are not known."""
    items = iterate(interpreter, value)
    if items is None:
        raise TypeError
    return items


def total(values: Sequence[Value]) -> Value:
    """``sum(values)`` of integers."""
    result: int | Dim = 0
    for value in values:
        number = as_number(value)
        if number is None:
            return UNKNOWN
        result = result + number
    return whole_value(symbolic.as_dim(result))
