"""Modules that hold others: ``Sequential``, ``ModuleList`` and ``ModuleDict``, and the methods that
every module has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Instance
from convlint.static.domain.values import UNKNOWN, Value

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

MORE = "?"  # the name under which a container holds what is not known of it


def construct(
    interpreter: Interpreter,
    instance: Instance,
    name: str,
    args: Sequence[Value],
    kwargs: dict[str, Value],
) -> bool:
    """Fill a container of ``torch.nn``; False if ``name`` is none."""
    if name not in ("Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"):
        return False
    given: Sequence[Value] = [*args, *kwargs.values()]
    interpreter.steps -= len(given)  # each of them is looked at later
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
            instance.attrs[MORE] = UNKNOWN
    return True


def _pairs(value: Value) -> list[tuple[Value, Value]] | None:
    if type(value) not in (list, tuple):
        return None
    return list(value) if all(type(v) in (tuple, list) and len(v) == 2 for v in value) else None


def _put(instance: Instance, key: Value, item: Value) -> None:
    instance.attrs[key if type(key) is str else MORE] = item


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
        if (type(value) is Instance and value.is_module) or name.isdigit() or name == MORE
    ]


def iterated(instance: Instance) -> list[Value] | None:
    """What a loop over a module gives; None if it cannot be told."""
    if instance.incomplete or MORE in instance.attrs:
        return None
    if instance.kind in ("Sequential", "ModuleList"):
        return items(instance)
    if instance.kind == "ModuleDict":
        return [name for name, _ in instance.children()]
    return None


def method(name: str, instance: Instance, args: Sequence[Value], kwargs: dict[str, Value]) -> Value:
    """A method other than ``forward`` that ``nn.Module`` or a container of torch gives to a module."""
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
            instance.attrs[MORE] = UNKNOWN
        return None
    if name == "__setattr__" and len(args) == 2:
        instance.attrs[args[0] if type(args[0]) is str else MORE] = args[1]
        return None
    if name in ("children", "named_children", "values", "items", "keys"):
        if instance.incomplete or MORE in instance.attrs:
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
            instance.attrs[MORE] = UNKNOWN
        return instance
    if name == "update":
        if args and type(args[0]) is dict:
            for key, value in args[0].items():
                _put(instance, key, value)
        else:
            instance.attrs[MORE] = UNKNOWN
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
    *("__setattr__", "state_dict", "load_state_dict", "zero_grad", "extra_repr", "__init__"),
    *("register_forward_hook", "register_forward_pre_hook", "named_buffers", "_get_name"),
}
