"""Records as JSON and back, for the pipe between the command line and the worker.

Pickle is not safe here because the worker ran user code.

Each frozen record of ``ir`` and ``settings`` is sent as the list of its fields; decoding reads the types from the
annotations.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from convlint import ir
from convlint.support.dataclass import fields


def encode(value: Any) -> Any:
    """Convert a record, or a tuple, list, mapping or scalar, to a JSON value.

    Raises TypeError for anything else.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if fields(value) and not isinstance(value, type):
        return [encode(getattr(value, name)) for name in _NAMES(type(value))]
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    raise TypeError(f"cannot send a {type(value).__name__}")


def decode(kind: Any, value: Any) -> Any:
    """Rebuild a value of type ``kind`` from the result of ``encode``. Raises TypeError or ValueError if it cannot."""
    if kind is Any:
        return _frozen(value)
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        choices = [choice for choice in arguments if choice is not type(None)]
        if len(choices) == 1:
            return decode(choices[0], value)
        return _frozen(value)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple([decode(arguments[0], item) for item in value])
        return tuple([decode(of, item) for of, item in zip(arguments, value, strict=True)])
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise TypeError(f"expected a mapping, not {type(value).__name__}")
        return {key: decode(arguments[1], item) for key, item in value.items()}
    if fields(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: decode(hints[name], item) for name, item in zip(_NAMES(kind), value, strict=True)})
    return value


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple([_frozen(item) for item in value])
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value


def _names(kind: type) -> tuple[str, ...]:
    """The fields that are sent: all but those that only have a meaning where they were made."""
    return tuple(f.name for f in fields(kind) if not f.metadata.get("local"))


_NAMES: Callable[[type], tuple[str, ...]] = cache(_names)


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The types of a record's fields. A module of ``ir`` may name records of others without importing them."""
    everywhere = {name: getattr(ir, name) for name in ir.__all__}
    return typing.get_type_hints(kind, localns={**everywhere, **vars(sys.modules[kind.__module__])})
