"""Things that hold others: lists and dicts of the program, ``Sequential``, ``ModuleList`` and
``ModuleDict``.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convlint import dims
from convlint.dims import Dim
from convlint.source.values import (
    UNKNOWN,
    Class,
    Function,
    Instance,
    Library,
    Real,
    Scope,
    Sizes,
    Tensor,
    Value,
    is_small,
)

if TYPE_CHECKING:
    from convlint.source.interpreter import Interpreter

_MORE = "?"  # the name under which a container holds what is not known of it


# --- modules that hold modules


def construct(
    it: Interpreter,
    instance: Instance,
    name: str,
    args: Sequence[Value],
    kwargs: dict[str, Value],
) -> bool:
    """Fill a container of ``torch.nn``; False if ``name`` is none."""
    if name not in ("Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"):
        return False
    given: Sequence[Value] = [*args, *kwargs.values()]
    it.steps -= len(given)  # each of them is looked at later
    if name == "Sequential" and not (len(given) == 1 and type(given[0]) is dict):
        extend(instance, given)
        return True
    for value in given:
        if type(value) is dict:
            for key, item in value.items():
                _put(instance, key, item)
        elif type(value) in (list, tuple) or (type(value) is Instance and value.is_module):
            pairs = _pairs(value) if name == "ModuleDict" else None
            if pairs is not None:
                for key, item in pairs:
                    _put(instance, key, item)
            else:
                extend(
                    instance, (iterated(value) or [UNKNOWN]) if type(value) is Instance else value
                )
        else:
            instance.attrs[_MORE] = UNKNOWN
    return True


def _pairs(value: Value) -> list[tuple[Value, Value]] | None:
    if type(value) not in (list, tuple):
        return None
    return list(value) if all(type(v) in (tuple, list) and len(v) == 2 for v in value) else None


def _put(instance: Instance, key: Value, item: Value) -> None:
    instance.attrs[key if type(key) is str else _MORE] = item


def extend(instance: Instance, values: Sequence[Value]) -> None:
    """Append modules under the next numbers."""
    number = len(items(instance))
    for value in values:
        instance.attrs[str(number)] = value
        number += 1


def items(instance: Instance) -> list[Value]:
    """What a container holds, in order; UNKNOWN among it where that is not known."""
    return [
        value
        for name, value in instance.attrs.items()
        if (type(value) is Instance and value.is_module) or name.isdigit() or name == _MORE
    ]


def iterated(instance: Instance) -> list[Value] | None:
    """What a loop over a module gives; None if it cannot be told."""
    if instance.incomplete or _MORE in instance.attrs:
        return None
    if instance.kind in ("Sequential", "ModuleList"):
        return items(instance)
    if instance.kind == "ModuleDict":
        return [name for name, _ in instance.children()]
    return None


def module_method(
    it: Interpreter,
    name: str,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
) -> Value:
    """A method that ``nn.Module`` or a container of torch gives to a module."""
    if name == "forward":
        return it.forward_layer(instance, args, kwargs, node, scope)
    if name in ("add_module", "register_module", "register_buffer", "register_parameter"):
        key = args[0] if args else kwargs.get("name", UNKNOWN)
        value = (
            args[1]
            if len(args) > 1
            else next(
                (kwargs[word] for word in ("module", "tensor", "param") if word in kwargs), UNKNOWN
            )
        )
        if type(key) is str:
            instance.attrs[key] = value
        else:
            instance.attrs[_MORE] = UNKNOWN
        return None
    if name in ("children", "named_children", "values", "items", "keys"):
        if instance.incomplete or _MORE in instance.attrs:
            return UNKNOWN
        found = list(instance.children())
        if name in ("children", "values"):
            return [value for _, value in found]
        return [key for key, _ in found] if name == "keys" else found
    if name in ("append", "extend", "insert"):
        if name == "append" and args:
            extend(instance, args[:1])
        elif name == "extend" and args and type(args[0]) in (list, tuple):
            extend(instance, args[0])
        else:
            instance.attrs[_MORE] = UNKNOWN
        return instance
    if name == "update":
        if args and type(args[0]) is dict:
            for key, value in args[0].items():
                _put(instance, key, value)
        else:
            instance.attrs[_MORE] = UNKNOWN
        return None
    if name in ("modules", "named_modules", "parameters", "named_parameters", "buffers"):
        return []  # loops over these set weights, which no shape depends on
    if name == "get_submodule" and args and type(args[0]) is str:
        found_module: Value = instance
        for part in args[0].split("."):
            attrs = found_module.attrs if type(found_module) is Instance else {}
            found_module = attrs.get(part, UNKNOWN)
        return found_module
    if name in _GIVING_ITSELF:
        return instance
    return UNKNOWN


_GIVING_ITSELF = frozenset(
    {"to", "cuda", "cpu", "train", "eval", "half", "float", "double", "bfloat16", "apply", "type"}
    | {"requires_grad_", "share_memory", "to_empty"}
)
METHODS = _GIVING_ITSELF | {
    *("add_module", "register_module", "register_buffer", "register_parameter", "children"),
    *("named_children", "values", "items", "keys", "append", "extend", "insert", "update"),
    *("modules", "named_modules", "parameters", "named_parameters", "buffers", "get_submodule"),
    *("state_dict", "load_state_dict", "zero_grad", "extra_repr", "__init__"),
    *("register_forward_hook", "register_forward_pre_hook", "named_buffers", "_get_name"),
}


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
    if kind is Dim and type(key) in (int, str):
        from convlint.source.attributes import part  # noqa: PLC0415 - it imports this module

        return part(value, f"[{key!r}]")
    return UNKNOWN


def _is_plain(key: slice) -> bool:
    return all(part is None or type(part) is int for part in (key.start, key.stop, key.step)) and (
        key.step != 0
    )


def _module_at(instance: Instance, key: Value) -> Value:
    if instance.incomplete or _MORE in instance.attrs:
        return UNKNOWN
    if type(key) is str:
        return instance.attrs.get(key, UNKNOWN)
    held = items(instance)
    if type(key) is int:
        return held[key] if -len(held) <= key < len(held) else UNKNOWN
    if type(key) is slice and _is_plain(key):
        part = Instance(instance.cls, instance.site, instance.frames)
        part.kind = instance.kind
        extend(part, held[key])
        return part
    return UNKNOWN


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
            name = str(key if key >= 0 else key + len(items(owner)))
        else:
            name = key if type(key) is str else _MORE
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
        owner.attrs[_MORE] = UNKNOWN


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
        return UNKNOWN if owner.incomplete or _MORE in owner.attrs else item in owner.attrs
    return UNKNOWN


def length(value: Value) -> Value:
    """``len(value)``."""
    kind = type(value)
    if kind in (list, tuple, dict, str, range):
        return UNKNOWN if kind in (list, tuple, dict) and UNKNOWN in value else len(value)
    if kind is Tensor and value.shape:
        return value.shape[0]
    if kind is Instance and value.is_module:
        found = iterated(value)
        return UNKNOWN if found is None else len(found)
    return UNKNOWN


def sizes(it: Interpreter, value: Sizes, count: int) -> list[Any] | None:
    """The sizes of a tensor of which only their number is known."""
    shape = it.run.of_rank(value.tensor, count)
    return None if shape is None else list(shape)


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
        if type(result) is int or dims.as_dim(result).value is None
        else dims.as_dim(result).value
    )
