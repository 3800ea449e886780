"""Methods of Python's own objects: lists, dicts, strings and tuples."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from convlint.static.domain.objects import Instance
from convlint.static.domain.values import ANY_KEY, LONGEST, UNKNOWN, Value, has_more, is_small
from convlint.static.interpreter import module_calls, special_methods
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.operators import is_short_format
from convlint.static.interpreter.pymodel import containers, module_containers
from convlint.static.interpreter.pymodel.native import NativeFunction, call_native, concrete

OWNERS = ("list.", "dict.", "str.", "tuple.", "module.", "match.")  # how the name of a method begins


def call_method(name: str, call: Call) -> Value:
    """Call a method by its full name (``list.append``); its object is the first argument."""
    if call.args and type(call.args[0]) is Instance and call.args[0].items is not None:
        if name.endswith("__setattr__"):
            return special_methods.set_attribute(call)
        call = call.with_args([call.args[0].items, *call.args[1:]])
    native = _OF_CONTAINERS.get(name)
    if native is not None:
        return call_native(native, call)
    owner = call.args[0]
    kind, _, method = name.partition(".")
    if kind == "module":
        if method == "forward":
            return module_calls.forward_layer(owner, call.with_args(call.args[1:], open_ended=False))
        return module_containers.call_method(method, owner, call.with_args(call.args[1:]))
    if kind == "str" and not all(type(value) in (str, int, float, bool) for value in call.args):
        return UNKNOWN
    if kind not in ("str", "tuple", "match"):
        return call.interpreter.call_unknown(call)
    if not all(map(is_small, call.args)) or (method == "format" and not is_short_format(owner)):
        return UNKNOWN
    try:
        result = getattr(owner, method)(*call.args[1:], **call.kwargs)
    except Exception:  # noqa: BLE001 - the program would raise here, so the value is unknown
        return UNKNOWN
    if type(result) in (str, list, tuple, dict):
        return result if len(result) <= LONGEST else UNKNOWN
    return result if type(result) in (int, bool, type(None)) else UNKNOWN


def _extend(call: Call) -> Value:
    owner, values = call.args
    try:
        items = containers.items_of(call.interpreter, values)
    except TypeError:
        items = [UNKNOWN]
    owner.extend(items if len(owner) + len(items) <= LONGEST else [UNKNOWN])
    return None


def _pop(call: Call) -> Value:
    owner, *rest = call.args
    if has_more(owner):
        return UNKNOWN
    if type(owner) is list:
        return owner.pop(*[concrete(call.interpreter, value) for value in rest])
    if UNKNOWN in owner:
        if rest and type(rest[0]) is str:
            owner.pop(rest[0], None)
        return UNKNOWN
    return owner.pop(*rest) if rest and type(rest[0]) is str else UNKNOWN


def _index(call: Call) -> Value:
    owner, value, *_ = call.args
    return owner.index(value) if is_small([owner, value]) and UNKNOWN not in owner else UNKNOWN


def _get(call: Call) -> Value:
    owner, key, *rest = call.args
    if UNKNOWN in owner or type(key) not in (str, int, bool, float, type(None), tuple):
        return UNKNOWN
    return owner.get(key, rest[0] if rest else None)


def _setdefault(call: Call) -> Value:
    owner, key, *rest = call.args
    if UNKNOWN in owner or type(key) is not str:
        return UNKNOWN
    return owner.setdefault(key, rest[0] if rest else None)


def _update(call: Call) -> Value:
    owner, *others = call.args
    for other in others:
        content = containers.mapping(other)
        if content is None and type(other) in (list, tuple) and not has_more(other):
            content = dict(other)
        owner.update({UNKNOWN: UNKNOWN} if content is None else content)
    owner.update(call.kwargs)
    return None


def _listed(view: Callable[[dict[Value, Value]], Iterable[Value]]) -> NativeFunction:
    def listed(call: Call) -> Value:
        owner = call.args[0]
        if UNKNOWN in owner:
            return UNKNOWN
        return [*view(owner), UNKNOWN] if ANY_KEY in owner else list(view(owner))

    return listed


_OF_CONTAINERS: dict[str, NativeFunction] = {
    "list.append": lambda call: call.args[0].append(call.args[1]),
    "list.extend": _extend,
    "list.insert": lambda call: call.args[0].insert(concrete(call.interpreter, call.args[1]), call.args[2]),
    "list.pop": _pop,
    "list.index": _index,
    "list.copy": lambda call: call.args[0].copy(),
    "list.clear": lambda call: call.args[0].clear(),
    "list.reverse": lambda call: call.args[0].reverse(),
    "dict.get": _get,
    "dict.pop": _pop,
    "dict.setdefault": _setdefault,
    "dict.update": _update,
    "dict.keys": _listed(dict.keys),
    "dict.values": _listed(dict.values),
    "dict.items": _listed(dict.items),
    "dict.copy": lambda call: call.args[0].copy(),
    "dict.clear": lambda call: call.args[0].clear(),
    "dict.fromkeys": lambda call: dict.fromkeys(
        containers.items_of(call.interpreter, call.args[0]), call.argument(1, "value")
    ),
    "dict.__init__": _update,
    "dict.__getitem__": lambda call: containers.get(*call.args),
    "dict.__setitem__": lambda call: containers.set_item(*call.args),
    "dict.__delitem__": lambda call: containers.delete(*call.args),
    "dict.__contains__": lambda call: containers.contains(call.args[1], call.args[0]),
    "dict.__len__": lambda call: containers.length(call.args[0]),
    "dict.__iter__": lambda call: containers.items_of(call.interpreter, call.args[0]),
    "list.__init__": _extend,
    "list.__getitem__": lambda call: containers.get(*call.args),
    "list.__len__": lambda call: containers.length(call.args[0]),
}
METHODS: dict[type, frozenset[str]] = {
    list: frozenset({"append", "extend", "insert", "pop", "index", "copy", "clear", "reverse", "sort", "remove"}),
    dict: frozenset({"get", "pop", "setdefault", "update", "keys", "values", "items", "copy", "clear"}),
    str: frozenset(
        {"lower", "upper", "strip", "split", "join", "format", "startswith", "endswith", "replace"}
        | {"lstrip", "rstrip", "partition", "rpartition", "rsplit", "isdigit", "count", "title"}
    ),
    tuple: frozenset({"index", "count"}),
}
