"""Python's own functions, as far as models use them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable

from convlint import symbolic
from convlint.static.domain.execution import Raised
from convlint.static.domain.values import (
    LARGEST,
    LONGEST,
    UNKNOWN,
    Builtin,
    FilePath,
    InputItems,
    Library,
    OpenFile,
    Real,
    Repeated,
    Tensor,
    Unknown,
    Value,
    as_real,
    has_more,
    is_small,
)
from convlint.static.interpreter import input_mappings, libraries, parameter_lists, records, special_methods, truth
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.operators import operate
from convlint.static.interpreter.pymodel import any_item, containers, introspection, lookup, native, tensor_shape
from convlint.static.interpreter.pymodel.native import NativeFunction, concrete, counted, real_value, whole_value
from convlint.symbolic import Dim


def _items(call: Call) -> list[Value]:
    """Return the items of the first argument; raises TypeError where they are not known."""
    value = call.args[0]
    if type(value) is InputItems:
        return input_mappings.listed(call.interpreter, value)
    return containers.items_of(call.interpreter, value)


def _len(call: Call) -> Value:
    value = call.args[0]
    if special_methods.defines(value, "__len__"):
        return special_methods.call_special(call.interpreter, value, "__len__", node=call.node, scope=call.scope)
    if type(value) is Tensor and value.shape is None:
        return call.interpreter.execution.size_at(value, 0)
    return parameter_lists.length(call.interpreter, value) if type(value) is Dim else containers.length(value)


def _size(call: Call) -> Value:
    return tensor_shape.size(call.interpreter.execution, *call.args, **call.kwargs)


def _filter(call: Call) -> Value:
    """Return the items for which a function is true; UNKNOWN stands for those for which that is not known."""
    function, iterable = call.args
    kept: list[Value] = []
    for item in containers.items_of(call.interpreter, iterable):
        result = item if function is None else call.interpreter.call(function, call.with_args([item], {}))
        known = truth.known(call.interpreter, result)
        if known is not False:
            kept.append(item if known else UNKNOWN)
    return kept


def _range(call: Call) -> Value:
    if (numbers := any_item.numbers_below(call.interpreter, call.args)) is not None:
        return numbers
    result = range(*[counted(call.interpreter, value) for value in call.args])
    len(result)  # raises OverflowError where no list could be as long
    return result


def _enumerate(call: Call) -> Value:
    if (numbered := any_item.numbered(call.interpreter, call.args[0])) is not None:
        return numbered
    items = _items(call)
    more = has_more(call.args[0])
    pairs = enumerate(items, concrete(call.interpreter, call.argument(1, "start", 0)))
    return [UNKNOWN if more and type(pair[1]) is Unknown else pair for pair in pairs]


@native.of_all_arguments
def _zip(call: Call) -> Value:
    arguments = parameter_lists.zipped(call.interpreter, call.args)
    columns = [containers.items_of(call.interpreter, value) for value in arguments]
    if len(columns) * min(map(len, columns), default=0) > LONGEST:
        return UNKNOWN
    more = any(map(has_more, call.args))
    return [UNKNOWN if more and any(type(v) is Unknown for v in row) else row for row in zip(*columns, strict=False)]


def _map(call: Call) -> Value:
    function, *iterables = call.args
    columns = [containers.items_of(call.interpreter, value) for value in iterables]
    results = [call.interpreter.call(function, call.with_args(row, {})) for row in zip(*columns, strict=False)]
    return [*results, UNKNOWN] if any(map(has_more, iterables)) else results


def _tuple(call: Call) -> Value:
    if call.args and has_more(call.args[0]):
        return UNKNOWN
    return tuple(_items(call)) if call.args else ()


def _keys(call: Call, items: list[Value]) -> list[Value]:
    """Return what ``key=`` makes of each item; raises TypeError if they have no known order."""
    function = call.kwargs.get("key")
    keys = [call.interpreter.call(function, call.with_args([item], {})) for item in items] if function else items
    if has_more(items) or not all(type(key) in (int, str, float) for key in keys):
        raise TypeError
    return keys


def _sorted(call: Call) -> Value:
    items = _items(call)
    keys = _keys(call, items)
    order = sorted(range(len(items)), key=keys.__getitem__, reverse=bool(call.kwargs.get("reverse")))
    return [items[position] for position in order]


def _set(call: Call) -> Value:
    """Return the distinct items, as a list: sets of the program are kept as lists."""
    distinct: list[Value] = []
    for value in _items(call) if call.args else []:
        if not is_small(value):
            return UNKNOWN
        if value not in distinct:
            distinct.append(value)
    return distinct


def _dict(call: Call) -> Value:
    content = containers.mapping(call.args[0]) if call.args else {}
    return dict(_items(call) if content is None else content) | call.kwargs


def _sum(call: Call) -> Value:
    values = [*_items(call), *call.args[1:], *call.kwargs.values()]
    if any(type(value) is Tensor for value in values):
        return functools.reduce(lambda one, other: operate(ast.Add(), call.with_args([one, other], {})), values)
    return sum(values) if all(type(v) in (int, float) for v in values) else containers.total(values)


def _extreme(*, largest: bool) -> NativeFunction:
    def extreme(call: Call) -> Value:
        values = _items(call) if len(call.args) == 1 else list(call.args)
        if call.kwargs.keys() == {"key"} and values:
            keys = _keys(call, values)
            return values[keys.index(max(keys) if largest else min(keys))]
        if call.kwargs or not values:
            return UNKNOWN
        if all(type(value) in (int, float, str) for value in values):
            return max(values) if largest else min(values)
        if all(type(value) in (int, Dim) for value in values):
            return whole_value((symbolic.maximum if largest else symbolic.minimum)(*values))
        if all(type(value) in (int, float, Dim, Real) for value in values):
            parts = sorted((as_real(value) for value in values), key=lambda dim: dim.key)
            return real_value(symbolic.apply("max" if largest else "min", *parts))
        return UNKNOWN

    return native.of_all_arguments(extreme)


def to_integer(name: str, compute: Callable[..., int]) -> NativeFunction:
    """``int``, ``round``, ``math.floor`` ...: an integer from a number."""

    def function(call: Call) -> Value:
        if not call.args:
            return 0
        value = call.args[0]
        if type(value) is Dim:
            return value
        if type(value) is Real and len(call.args) == 1:
            return whole_value(symbolic.apply(name, value.dim))
        if type(value) is Real:  # round(x, 1) is a float
            digits = call.args[1]
            return real_value(symbolic.apply(name, value.dim, as_real(digits))) if type(digits) is int else UNKNOWN
        if type(value) in (int, float, str, bool) or type(value).__module__ == "fractions":
            result = compute(*call.args)
            return result if abs(result) < LARGEST else UNKNOWN
        return UNKNOWN

    return function


def _divmod(call: Call) -> Value:
    number, divisor = call.args
    return divmod(number, divisor) if type(number) is type(divisor) is int and divisor else UNKNOWN


def _float(call: Call) -> Value:
    value = call.args[0] if call.args else 0.0
    if type(value) in (Dim, Real):
        return Real(as_real(value))
    is_plain = type(value) in (int, float, str, bool) or type(value).__module__ == "fractions"
    return float(value) if is_plain else UNKNOWN


def _bool(call: Call) -> Value:
    known = truth.known(call.interpreter, call.args[0]) if call.args else False
    return call.args[0] if known is None else known


def _any_all(*, wanted: bool) -> NativeFunction:
    def any_all(call: Call) -> Value:
        truths = [truth.known(call.interpreter, value) for value in _items(call)]
        if wanted in truths:
            return wanted
        return UNKNOWN if None in truths else not wanted

    return any_all


def _str(call: Call) -> Value:
    text = special_methods.text_of(call.interpreter, call.args[0] if call.args else "")
    return UNKNOWN if text is None else text


def _input_view(of: str) -> NativeFunction:
    return lambda call: InputItems(call.args[0], of)


def _input_get(call: Call) -> Value:
    mapping, key, *default = call.args
    return UNKNOWN if default or type(key) is not str else input_mappings.part(call.interpreter, mapping, key)


def _open(call: Call) -> Value:
    path, mode = call.argument(0, "file"), call.argument(1, "mode", "r")
    return OpenFile(str(path)) if type(path) in (str, FilePath) and mode in ("r", "rb", "rt") else UNKNOWN


def _read_data(call: Call) -> Value:
    """Return the content of a file, or of a text of YAML, for the text of a library."""
    source = str(call.args[0]) if type(call.args[0]) is FilePath else call.args[0]
    is_file = type(source) is OpenFile or (type(source) is str and source.endswith((".yaml", ".yml", ".json", ".toml")))
    reader = libraries.function("toml.load" if is_file else "yaml.safe_load")
    return UNKNOWN if reader is None else reader(call.with_args([source]))


def _iter(call: Call) -> Value:
    """Return an iterator: a list from which ``next`` takes the first item."""
    return _items(call)[:] if len(call.args) == 1 else UNKNOWN


def _next(call: Call) -> Value:
    """Take the first item of an iterator: generators and iterators of the program are kept as lists."""
    iterator, *default = call.args
    if type(iterator) is not list or (iterator and type(iterator[0]) is Unknown):
        return UNKNOWN
    if iterator:
        return iterator.pop(0)
    if not default:
        raise Raised("an iterator is empty")
    return default[0]


def _super_nothing(call: Call) -> Value:
    """``super().__init__(...)`` where no base defines a constructor: the fields of a record are set."""
    instance, *rest = call.args
    if records.is_record(instance.cls):
        records.fill(instance, call.with_args(rest))
    return None


def first_argument(call: Call) -> Value:
    """Return the first argument, as functions do that wrap it."""
    return call.args[0] if call.args else UNKNOWN


FUNCTIONS: dict[str, NativeFunction] = {
    **introspection.FUNCTIONS,
    **lookup.FUNCTIONS,
    "len": _len,
    "filter": _filter,
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "map": _map,
    "list": lambda call: _items(call) if call.args else [],
    "tuple": _tuple,
    "reversed": lambda call: call.args[0] if type(call.args[0]) is Repeated else _items(call)[::-1],
    "sorted": _sorted,
    **dict.fromkeys(("set", "frozenset"), _set),
    "dict": _dict,
    "sum": _sum,
    "max": _extreme(largest=True),
    "min": _extreme(largest=False),
    "int": to_integer("int", int),
    "round": to_integer("round", round),
    "float": _float,
    "abs": lambda call: abs(call.args[0]) if type(call.args[0]) in (int, float) else UNKNOWN,
    "divmod": _divmod,
    "bool": _bool,
    "any": _any_all(wanted=True),
    "all": _any_all(wanted=False),
    "str": _str,
    "super.nothing": _super_nothing,
    **{f"input.{view}": _input_view(view) for view in input_mappings.VIEWS},
    **dict.fromkeys(("input.get", "input.pop"), _input_get),
    "tensor.size": _size,
    "print": lambda _: None,
    "open": _open,
    **dict.fromkeys(("__read_data__", "__read_text__"), _read_data),
    "iter": _iter,
    "next": _next,
    **dict.fromkeys(("id", "repr", "hash"), lambda _: UNKNOWN),
}
NAMES: dict[str, Value] = {
    name: Builtin(name) for name in (*FUNCTIONS, "object", "bytes", "complex", "slice") if "." not in name
}
NAMES["object"] = Library("object")
NAMES["NotImplementedError"] = Library("NotImplementedError")
