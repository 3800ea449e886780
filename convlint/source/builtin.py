"""What Python's own functions and its standard library do, as far as models use them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from convlint import dims
from convlint.dims import Dim
from convlint.source import containers
from convlint.source.values import (
    LONGEST,
    UNKNOWN,
    Bound,
    Builtin,
    Class,
    Function,
    Instance,
    Library,
    Partial,
    Real,
    Scope,
    Sizes,
    Super,
    Tensor,
    Value,
    as_real,
    is_small,
)

if TYPE_CHECKING:
    from convlint.source.interpreter import Interpreter

Own = Callable[[Any, Sequence[Value], dict[str, Value], ast.expr, Scope], Value]


def call(
    it: Interpreter,
    name: str,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
) -> Value:
    """Call a function of Python itself."""
    own = FUNCTIONS.get(name)
    if own is not None:
        return guarded(own, it, args, kwargs, node, scope)
    return it.call_unknown(args, kwargs, node, scope)


def guarded(
    own: Own,
    it: Interpreter,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
) -> Value:
    """The result of ``own``; UNKNOWN where the program passes what it cannot take."""
    try:
        return own(it, args, kwargs, node, scope)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError, AttributeError):
        return UNKNOWN


def concrete(it: Interpreter, value: Value) -> int:
    """A plain integer: a parameter with a default is taken at its default from here on."""
    if type(value) is bool or type(value) is int:
        return int(value)
    if type(value) is Dim:
        found = it.run.settled(value)
        if found is not None:
            return found
    raise TypeError


# --- functions


def _len(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return containers.length(args[0])


def _range(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found = range(*[concrete(it, value) for value in args])
    len(found)  # raises OverflowError where no list could be as long
    return found


def _enumerate(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    start = args[1] if len(args) > 1 else kwargs.get("start", 0)
    return list(enumerate(containers.items_of(it, args[0]), concrete(it, start)))


def _zip(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found = [containers.items_of(it, value) for value in args]
    size = len(found) * min(map(len, found), default=0)
    return list(zip(*found, strict=False)) if size <= LONGEST else UNKNOWN


def _map(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    rows = zip(*[containers.items_of(it, value) for value in args[1:]], strict=False)
    return [it.call(args[0], list(row), {}, node, scope) for row in rows]


def _list(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return list(containers.items_of(it, args[0])) if args else []


def _tuple(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return tuple(containers.items_of(it, args[0])) if args else ()


def _reversed(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return containers.items_of(it, args[0])[::-1]


def _sorted(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found = containers.items_of(it, args[0])
    plain = all(type(value) in (int, str, float) for value in found) and not kwargs.get("key")
    return sorted(found, reverse=bool(kwargs.get("reverse"))) if plain else UNKNOWN


def _set(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found: list[Value] = []
    for value in containers.items_of(it, args[0]) if args else []:
        if not is_small(value):
            return UNKNOWN
        if value not in found:
            found.append(value)
    return found


def _dict(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    made: dict[Value, Value] = {}
    if args:
        given = args[0]
        if type(given) is dict:
            made.update(given)
        else:
            made.update(dict(containers.items_of(it, given)))
    return made | kwargs


def _sum(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found = [*containers.items_of(it, args[0]), *args[1:], *kwargs.values()]
    if all(type(value) in (int, float) for value in found):
        return sum(found)
    return containers.total(found)


def _extreme(largest: bool) -> Own:
    def own(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
        found = containers.items_of(it, args[0]) if len(args) == 1 else list(args)
        if kwargs or not found:
            return UNKNOWN
        if all(type(value) in (int, float, str) for value in found):
            return max(found) if largest else min(found)
        if all(type(value) in (int, Dim) for value in found):
            made = dims.maximum(*found) if largest else dims.minimum(*found)
            return whole_value(made)
        if all(type(value) in (int, float, Dim, Real) for value in found):
            parts = sorted((as_real(value) for value in found), key=lambda dim: dim.key)
            return real_value(dims.apply("max" if largest else "min", *parts))
        return UNKNOWN

    return own


def whole_value(dim: Dim) -> Value:
    if dim.is_unknown:
        return UNKNOWN
    return dim if dim.value is None else dim.value


def real_value(dim: Dim) -> Value:
    return UNKNOWN if dim.is_unknown else Real(dim)


def whole(name: str, compute: Callable[[Any], Any]) -> Own:
    """``int``, ``round``, ``math.floor`` ...: an integer from a number."""

    def own(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
        if not args:
            return 0
        value = args[0]
        if type(value) is Dim:
            return value
        if type(value) is Real:
            return UNKNOWN if len(args) > 1 else whole_value(dims.apply(name, value.dim))
        if type(value) in (int, float, str, bool):
            found = compute(*args)
            return found if abs(found) < 2**63 else UNKNOWN
        return UNKNOWN

    return own


def _float(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    value = args[0] if args else 0.0
    if type(value) is Dim:
        return Real(value)
    return float(value) if type(value) in (int, float, str, bool) else UNKNOWN


def _abs(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return abs(args[0]) if type(args[0]) in (int, float) else UNKNOWN


def _bool(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    from convlint.source import truth  # noqa: PLC0415 - it imports this module

    found = truth.known(it, args[0]) if args else False
    return args[0] if found is None else found


def _any_all(wanted: bool) -> Own:
    def own(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
        from convlint.source import truth  # noqa: PLC0415 - it imports this module

        found = [truth.known(it, value) for value in containers.items_of(it, args[0])]
        if wanted in found:
            return wanted
        return UNKNOWN if None in found else not wanted

    return own


def _str(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    value = args[0] if args else ""
    return str(value) if type(value) in (int, float, str, bool) else UNKNOWN


def _isinstance(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    value, kinds = args
    answers = [_is_of(value, kind) for kind in (kinds if type(kinds) is tuple else (kinds,))]
    if True in answers:
        return True
    return UNKNOWN if UNKNOWN in answers else False


def _is_of(value: Value, kind: Value) -> Value:
    if value is UNKNOWN or kind is UNKNOWN:
        return UNKNOWN
    if type(kind) is Builtin:
        name = kind.name
        if type(value) is Dim:
            return name == "int"
        if type(value) is Real:
            return name == "float"
        if type(value) in (Class, Function, Instance, Library, Tensor, Bound, Partial):
            return name == "type" and type(value) is Class
        return type(value).__name__ == name or (name == "int" and type(value) is bool)
    if type(kind) is Class:
        if type(value) is Instance:
            if kind in (value.cls.mro):
                return True
            return UNKNOWN if value.incomplete else False
        if type(value) is Tensor:
            return kind.name == "torch.Tensor"
        return UNKNOWN if type(value) is Library else False
    if type(kind) is Library:
        last = kind.name.rsplit(".", 1)[-1]
        if last in ("Iterable", "Sequence", "Collection"):
            return type(value) in (list, tuple, dict, str, range)
        if last == "Tensor":
            return type(value) is Tensor
        if type(value) in (int, str, float, bool, type(None), Dim):
            return UNKNOWN if last in ("Number", "Integral") else False
    return UNKNOWN


def _issubclass(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    cls, kind = args
    if type(cls) is Class and type(kind) is Class:
        return kind in (cls.mro)
    return UNKNOWN


def _callable(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    value = args[0]
    if type(value) in (Class, Function, Bound, Partial, Builtin):
        return True
    return (
        False if type(value) in (int, str, float, list, tuple, dict, type(None), Dim) else UNKNOWN
    )


def _getattr(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    from convlint.source import attributes  # noqa: PLC0415 - it imports this module

    if type(args[1]) is not str:
        return it.lose("a name that is only known at run time", node, scope)
    found = attributes.get(it, args[0], args[1], node, scope)
    if found is UNKNOWN and len(args) > 2 and _lacks(args[0], args[1]):
        return args[2]
    return found


def _lacks(value: Value, name: str) -> bool:
    return (
        type(value) is Instance
        and not value.incomplete
        and value.cls.node is not None
        and name not in value.attrs
    )


def _setattr(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    owner, name, value = args
    if type(owner) is Instance:
        if type(name) is str:
            owner.attrs[name] = value
        else:
            owner.incomplete = True
    return None


def _hasattr(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    value, name = args
    if type(value) is Instance and type(name) is str:
        from convlint.source import classes  # noqa: PLC0415 - it imports this module

        if name in value.attrs or classes.lookup(value.cls, name) is not None:
            return True
        return False if _lacks(value, name) else UNKNOWN
    return UNKNOWN


def _type(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return args[0].cls if len(args) == 1 and type(args[0]) is Instance else UNKNOWN


def _super(it: Any, args: Any, kwargs: Any, node: Any, scope: Scope) -> Value:
    inner: Scope | None = scope
    while inner is not None and "__class__" not in inner.names:
        inner = inner.outer
    if inner is None:
        return UNKNOWN
    owner = args[0] if args and type(args[0]) is Class else inner.names["__class__"]
    first = next(iter(inner.names.values()), None)
    instance = args[1] if len(args) > 1 else first
    if type(owner) is Class and type(instance) is Instance:
        return Super(owner, instance)
    return UNKNOWN


def _super_init(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    from convlint.source import classes  # noqa: PLC0415 - it imports this module

    cls, instance, *rest = args
    classes.super_init(it, cls, instance, rest, kwargs, node, scope)
    return None


def _class_init(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    """``Base.__init__(self, ...)`` of a class of torch."""
    from convlint.source import classes  # noqa: PLC0415 - it imports this module

    cls, instance, *rest = args
    if type(instance) is Instance:
        library = next((one for one in cls.mro if one.is_library), cls)
        classes.super_init(it, library, instance, rest, kwargs, node, scope)
    return None


def _class_forward(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    _, instance, *rest = args
    if type(instance) is Instance:
        return it.forward_layer(instance, rest, kwargs, node, scope)
    return UNKNOWN


def _nothing(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return None


def _unknown(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return UNKNOWN


def _first(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return args[0] if args else UNKNOWN


def _tensor_size(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    return Sizes(args[0]) if len(args) == 1 and not kwargs else UNKNOWN


def _next(it: Any, args: Any, kwargs: Any, node: Any, scope: Any) -> Value:
    found = containers.items_of(it, args[0])
    return found[0] if found else UNKNOWN


FUNCTIONS: dict[str, Own] = {
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
    "isinstance": _isinstance,
    "issubclass": _issubclass,
    "callable": _callable,
    "getattr": _getattr,
    "setattr": _setattr,
    "hasattr": _hasattr,
    "type": _type,
    "super": _super,
    "super.init": _super_init,
    "super.nothing": _nothing,
    "class.init": _class_init,
    "class.forward": _class_forward,
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
