"""What Python's own functions do, as far as models use them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from convlint import symbolic
from convlint.static.domain.objects import Scope
from convlint.static.domain.values import (
    LONGEST,
    UNKNOWN,
    Builtin,
    Library,
    Real,
    Sizes,
    Value,
    as_real,
    has_more,
    is_small,
)
from convlint.static.interpreter import truth
from convlint.static.interpreter.pymodel import containers, introspection
from convlint.static.interpreter.pymodel.native import (
    Own,
    concrete,
    guarded,
    real_value,
    whole_value,
)
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def call(
    interpreter: Interpreter,
    name: str,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
) -> Value:
    """Call a function of Python itself."""
    own = FUNCTIONS.get(name)
    if own is not None:
        return guarded(own, interpreter, args, kwargs, node, scope)
    return interpreter.call_unknown(args, kwargs, node, scope)


def _len(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return containers.length(args[0])


def _range(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found = range(*[concrete(interpreter, value) for value in args])
    len(found)  # raises OverflowError where no list could be as long
    return found


def _enumerate(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    start = args[1] if len(args) > 1 else kwargs.get("start", 0)
    found = enumerate(containers.items_of(interpreter, args[0]), concrete(interpreter, start))
    return [UNKNOWN if has_more(args[0]) and pair[1] is UNKNOWN else pair for pair in found]


def _zip(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found = [containers.items_of(interpreter, value) for value in args]
    size = len(found) * min(map(len, found), default=0)
    if size > LONGEST:
        return UNKNOWN
    more = any(map(has_more, args))
    rows = zip(*found, strict=False)
    return [UNKNOWN if more and any(v is UNKNOWN for v in row) else row for row in rows]


def _map(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    rows = zip(*[containers.items_of(interpreter, value) for value in args[1:]], strict=False)
    found = [interpreter.call(args[0], list(row), {}, node, scope) for row in rows]
    return [*found, UNKNOWN] if any(map(has_more, args[1:])) else found


def _list(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return list(containers.items_of(interpreter, args[0])) if args else []


def _tuple(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    if args and has_more(args[0]):
        return UNKNOWN
    return tuple(containers.items_of(interpreter, args[0])) if args else ()


def _reversed(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return containers.items_of(interpreter, args[0])[::-1]


def _sorted(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found = containers.items_of(interpreter, args[0])
    plain = all(type(value) in (int, str, float) for value in found) and not kwargs.get("key")
    return sorted(found, reverse=bool(kwargs.get("reverse"))) if plain else UNKNOWN


def _set(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found: list[Value] = []
    for value in containers.items_of(interpreter, args[0]) if args else []:
        if not is_small(value):
            return UNKNOWN
        if value not in found:
            found.append(value)
    return found


def _dict(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    made: dict[Value, Value] = {}
    if args:
        given = args[0]
        if type(given) is dict:
            made.update(given)
        else:
            made.update(dict(containers.items_of(interpreter, given)))
    return made | kwargs


def _sum(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found = [*containers.items_of(interpreter, args[0]), *args[1:], *kwargs.values()]
    if all(type(value) in (int, float) for value in found):
        return sum(found)
    return containers.total(found)


def _extreme(largest: bool) -> Own:
    def own(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
        found = containers.items_of(interpreter, args[0]) if len(args) == 1 else list(args)
        if kwargs or not found:
            return UNKNOWN
        if all(type(value) in (int, float, str) for value in found):
            return max(found) if largest else min(found)
        if all(type(value) in (int, Dim) for value in found):
            made = symbolic.maximum(*found) if largest else symbolic.minimum(*found)
            return whole_value(made)
        if all(type(value) in (int, float, Dim, Real) for value in found):
            parts = sorted((as_real(value) for value in found), key=lambda dim: dim.key)
            return real_value(symbolic.apply("max" if largest else "min", *parts))
        return UNKNOWN

    return own


def whole(name: str, compute: Callable[[Any], Any]) -> Own:
    """``int``, ``round``, ``math.floor`` ...: an integer from a number."""

    def own(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
        if not args:
            return 0
        value = args[0]
        if type(value) is Dim:
            return value
        if type(value) is Real:
            return UNKNOWN if len(args) > 1 else whole_value(symbolic.apply(name, value.dim))
        if type(value) in (int, float, str, bool):
            found = compute(*args)
            return found if abs(found) < 2**63 else UNKNOWN
        return UNKNOWN

    return own


def _float(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    value = args[0] if args else 0.0
    if type(value) is Dim:
        return Real(value)
    return float(value) if type(value) in (int, float, str, bool) else UNKNOWN


def _abs(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return abs(args[0]) if type(args[0]) in (int, float) else UNKNOWN


def _bool(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found = truth.known(interpreter, args[0]) if args else False
    return args[0] if found is None else found


def _any_all(wanted: bool) -> Own:
    def own(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
        found = [
            truth.known(interpreter, value) for value in containers.items_of(interpreter, args[0])
        ]
        if wanted in found:
            return wanted
        return UNKNOWN if None in found else not wanted

    return own


def _str(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    value = args[0] if args else ""
    return str(value) if type(value) in (int, float, str, bool) else UNKNOWN


def _nothing(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return None


def _unknown(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return UNKNOWN


def _first(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return args[0] if args else UNKNOWN


def _tensor_size(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return Sizes(args[0]) if len(args) == 1 and not kwargs else UNKNOWN


def _next(interpreter: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found = containers.items_of(interpreter, args[0])
    return found[0] if found else UNKNOWN


FUNCTIONS: dict[str, Own] = {
    **introspection.FUNCTIONS,
    "len": _len,
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "map": _map,
    "list": _list,
    "tuple": _tuple,
    "reversed": _reversed,
    "sorted": _sorted,
    "set": _set,
    "dict": _dict,
    "sum": _sum,
    "max": _extreme(largest=True),
    "min": _extreme(largest=False),
    "int": whole("int", int),
    "round": whole("round", round),
    "float": _float,
    "abs": _abs,
    "bool": _bool,
    "any": _any_all(wanted=True),
    "all": _any_all(wanted=False),
    "str": _str,
    "super.nothing": _nothing,
    "tensor.size": _tensor_size,
    "print": _nothing,
    "iter": _first,
    "next": _next,
    "id": _unknown,
    "repr": _unknown,
    "hash": _unknown,
}
NAMES: dict[str, Value] = {
    name: Builtin(name)
    for name in (*FUNCTIONS, "object", "filter", "bytes", "complex", "slice")
    if "." not in name
}
NAMES["object"] = Library("object")
NAMES["NotImplementedError"] = Library("NotImplementedError")
