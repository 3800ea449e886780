"""What the methods of Python's own objects do: of lists, dicts, strings and tuples."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convlint.static.domain.objects import Scope
from convlint.static.domain.values import LONGEST, UNKNOWN, Value, has_more, is_small
from convlint.static.interpreter import module_calls
from convlint.static.interpreter.operators import is_short_format
from convlint.static.interpreter.pymodel import containers, module_containers
from convlint.static.interpreter.pymodel.native import Own, concrete, guarded

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

OWNERS = ("list.", "dict.", "str.", "tuple.", "module.")  # how the name of a method begins


def call(
    interpreter: Interpreter,
    name: str,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
) -> Value:
    """Call a method by its full name (``list.append``); its object is the first argument."""
    own = _OF_CONTAINERS.get(name)
    if own is not None:
        return guarded(own, interpreter, args, kwargs, node, scope)
    kind, _, method = name.partition(".")
    if kind == "module":
        if method == "forward":
            return module_calls.forward_layer(interpreter, args[0], args[1:], kwargs, node, scope)
        return module_containers.method(method, args[0], args[1:], kwargs)
    if kind == "str" and not all(type(value) in (str, int, float, bool) for value in args):
        return UNKNOWN
    if kind in ("str", "tuple"):
        if not all(is_small(value) for value in args) or not _is_short_format(method, args[0]):
            return UNKNOWN
        try:
            found = getattr(args[0], method)(*args[1:], **kwargs)
        except Exception:  # noqa: BLE001 - the program would raise; nothing is known then
            return UNKNOWN
        return (
            found if type(found) in (str, int, bool, list, tuple) and _is_short(found) else UNKNOWN
        )
    return interpreter.call_unknown(args, kwargs, node, scope)


def _is_short(value: Any) -> bool:
    return type(value) not in (str, list, tuple) or len(value) <= LONGEST


def _is_short_format(method: str, template: Any) -> bool:
    return method != "format" or is_short_format(template)


def _append(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    args[0].append(args[1])
    return None


def _extend(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    owner, given = args
    try:
        items = containers.items_of(interpreter, given)
    except TypeError:
        items = [UNKNOWN]
    owner.extend(items if len(owner) + len(items) <= LONGEST else [UNKNOWN])
    return None


def _insert(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    args[0].insert(concrete(interpreter, args[1]), args[2])
    return None


def _pop(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    owner, *rest = args
    if has_more(owner):
        return UNKNOWN
    if type(owner) is list:
        return owner.pop(*[concrete(interpreter, value) for value in rest])
    if UNKNOWN in owner:
        if rest and type(rest[0]) is str:
            owner.pop(rest[0], None)
        return UNKNOWN
    return owner.pop(*rest) if rest and type(rest[0]) is str else UNKNOWN


def _index(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    owner, value, *_ = args
    return owner.index(value) if is_small([owner, value]) and UNKNOWN not in owner else UNKNOWN


def _copy(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return args[0].copy()


def _get(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    owner, key, *rest = args
    if UNKNOWN in owner or type(key) not in (str, int, bool, float, type(None), tuple):
        return UNKNOWN
    return owner.get(key, rest[0] if rest else None)


def _setdefault(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    owner, key, *rest = args
    if UNKNOWN in owner or type(key) is not str:
        return UNKNOWN
    return owner.setdefault(key, rest[0] if rest else None)


def _update(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    owner, *rest = args
    for other in rest:
        owner.update(other if type(other) is dict else {UNKNOWN: UNKNOWN})
    owner.update(kwargs)
    return None


def _keys(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return UNKNOWN if UNKNOWN in args[0] else list(args[0])


def _values(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return UNKNOWN if UNKNOWN in args[0] else list(args[0].values())


def _pairs(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return UNKNOWN if UNKNOWN in args[0] else list(args[0].items())


def _clear(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    args[0].clear()
    return None


_OF_CONTAINERS: dict[str, Own] = {
    "list.append": _append,
    "list.extend": _extend,
    "list.insert": _insert,
    "list.pop": _pop,
    "list.index": _index,
    "list.copy": _copy,
    "list.clear": _clear,
    "list.reverse": lambda interpreter, args, kwargs, node, scope: args[0].reverse(),
    "dict.get": _get,
    "dict.pop": _pop,
    "dict.setdefault": _setdefault,
    "dict.update": _update,
    "dict.keys": _keys,
    "dict.values": _values,
    "dict.items": _pairs,
    "dict.copy": _copy,
    "dict.clear": _clear,
}
METHODS: dict[type, frozenset[str]] = {
    list: frozenset(
        {"append", "extend", "insert", "pop", "index", "copy", "clear", "reverse", "sort", "remove"}
    ),
    dict: frozenset(
        {"get", "pop", "setdefault", "update", "keys", "values", "items", "copy", "clear"}
    ),
    str: frozenset(
        {"lower", "upper", "strip", "split", "join", "format", "startswith", "endswith", "replace"}
        | {"lstrip", "rstrip", "partition", "rpartition", "rsplit", "isdigit", "count", "title"}
    ),
    tuple: frozenset({"index", "count"}),
}
