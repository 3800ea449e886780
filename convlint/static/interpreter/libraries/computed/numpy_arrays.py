"""numpy: one-dimensional arrays of numbers, how they are made, and the order of their numbers."""

from __future__ import annotations

import ast
import math
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise

from convlint.static.domain.values import LONGEST, UNKNOWN, Library, Real, Value, Vector
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.operators import operate
from convlint.static.interpreter.pymodel import containers
from convlint.static.interpreter.pymodel.builtin_functions import FUNCTIONS as BUILTIN
from convlint.static.interpreter.pymodel.native import NativeFunction, concrete, counted
from convlint.symbolic import Dim

NUMBERS = (int, float, Dim, Real)


def numbers(call: Call, value: Value) -> Value:
    """Return a number, or the list of the numbers of an array; raises TypeError for anything else."""
    if type(value) in NUMBERS:
        return value
    items = containers.items_of(call.interpreter, value)
    if not all(type(item) in NUMBERS for item in items):
        raise TypeError
    return items


def apply(call: Call, op: ast.operator, left: Value, right: Value) -> Value:
    return operate(op, call.with_args([left, right], {}))


def _array(call: Call) -> Value:
    items = numbers(call, call.args[0])
    if type(items) is not list:
        return UNKNOWN
    return converted(call, items, call.argument(1, "dtype"))


def _at_least_1d(call: Call) -> Value:
    (value,) = call.args
    return Vector((value,)) if type(value) in NUMBERS else _array(call)


def converted(call: Call, items: Sequence[Value], dtype: Value) -> Value:
    """Return an array with the numbers of a type, None for their own."""
    name = getattr(dtype, "name", dtype)
    if dtype is None:  # one float makes all of them floats
        name = "float" if any(type(item) in (float, Real) for item in items) else "int"
    if type(name) is not str:
        return UNKNOWN
    kind = name.rsplit(".", 1)[-1].strip("_")
    convert = BUILTIN.get("int" if kind.startswith(("int", "uint", "long")) else "float" if "float" in kind else "")
    return UNKNOWN if convert is None else Vector(tuple([convert(call.with_args([item], {})) for item in items]))


def _linspace(call: Call) -> Value:
    start, stop, count = call.argument(0, "start"), call.argument(1, "stop"), call.argument(2, "num", 50)
    count = concrete(call.interpreter, count)
    if not all(type(value) in NUMBERS for value in (start, stop)) or not 1 < count <= LONGEST:
        return UNKNOWN
    if set(call.kwargs) - {"start", "stop", "num", "dtype"} or len(call.args) > 3:
        return UNKNOWN
    step = apply(call, ast.Div(), apply(call, ast.Sub(), stop, start), count - 1)
    between = [apply(call, ast.Add(), start, apply(call, ast.Mult(), step, n)) for n in range(1, count - 1)]
    return converted(call, [start, *between, stop], call.kwargs.get("dtype", Library("numpy.float64")))


def _arange(call: Call) -> Value:
    if set(call.kwargs) - {"dtype"}:
        return UNKNOWN
    numbers: Sequence[Value]
    if any(type(value) is float for value in call.args):
        start, stop, step = (0, *call.args, 1) if len(call.args) == 1 else (*call.args, 1)[:3]
        numbers = [start + n * step for n in range(min(math.ceil((stop - start) / step), LONGEST + 1))]
    else:
        numbers = range(*[counted(call.interpreter, value) for value in call.args])
    return converted(call, numbers, call.kwargs.get("dtype")) if len(numbers) <= LONGEST else UNKNOWN


def _geomspace(call: Call) -> Value:
    start, stop = call.argument(0, "start"), call.argument(1, "stop")
    count = concrete(call.interpreter, call.argument(2, "num", 50))
    if not all(type(end) in (int, float) and end > 0 for end in (start, stop)) or not 1 < count <= LONGEST:
        return UNKNOWN
    ratio = (stop / start) ** (1 / (count - 1))
    items = [start, *[start * ratio**n for n in range(1, count - 1)], stop]
    return converted(call, items, call.kwargs.get("dtype", Library("numpy.float64")))


def _logspace(call: Call) -> Value:
    base = call.kwargs.get("base", 10.0)
    exponents = _linspace(call.with_args(call.args, {k: v for k, v in call.kwargs.items() if k == "num"}))
    items = [float(base) ** exponent for exponent in exponents.items]
    return converted(call, items, call.kwargs.get("dtype", Library("numpy.float64")))


def _filled(value: Value) -> NativeFunction:
    """``zeros`` and ``ones`` of one dimension; None is ``full``, which is given its value."""

    def function(call: Call) -> Value:
        shape = call.argument(0, "shape")
        (size,) = shape if type(shape) in (tuple, list) else (shape,)
        length = concrete(call.interpreter, size)
        fill = call.argument(1, "fill_value") if value is None else value
        dtype = call.argument(2 if value is None else 1, "dtype", None if value is None else Library("numpy.float64"))
        return converted(call, [fill] * length, dtype) if length <= LONGEST else UNKNOWN

    return function


def _concatenate(call: Call) -> Value:
    """``concatenate`` and ``hstack`` of a sequence of arrays, and ``append`` of two."""
    parts = call.args if len(call.args) > 1 else containers.items_of(call.interpreter, call.args[0])
    columns = [numbers(call, part) for part in parts]
    items = [item for column in columns for item in (column if type(column) is list else [column])]
    return converted(call, items, None) if len(items) <= LONGEST else UNKNOWN


def _repeat(call: Call) -> Value:
    items, times = numbers(call, call.args[0]), concrete(call.interpreter, call.argument(1, "repeats"))
    repeated = [item for item in (items if type(items) is list else [items]) for _ in range(min(times, LONGEST))]
    return Vector(tuple(repeated)) if len(repeated) <= LONGEST else UNKNOWN


# --- the order of the numbers of an array


def _known(call: Call) -> list[Value]:
    """Return the plain numbers of the only argument; raises TypeError where one depends on a parameter."""
    items: list[Value] = numbers(call, call.args[0])
    if len(call.args) > 1 or call.kwargs or not all(type(item) in (int, float) for item in items):
        raise TypeError
    return items


def _of_known(compute: Callable[[list[Value]], Value]) -> NativeFunction:
    """Return a function of the plain numbers of an array; a list that it returns becomes an array."""

    def function(call: Call) -> Value:
        result = compute(_known(call))
        return Vector(tuple(result)) if type(result) is list else result

    return function


def _unique(call: Call) -> Value:
    items = _known(call.with_args(call.args, {}))
    distinct = sorted(set(items))
    values, counts = Vector(tuple(distinct)), Vector(tuple(map(items.count, distinct)))
    if call.kwargs == {"return_counts": True}:
        return (values, counts)
    return UNKNOWN if call.kwargs else values


ORDERING: dict[str, NativeFunction] = {
    "argsort": _of_known(lambda items: sorted(range(len(items)), key=items.__getitem__)),
    "argmax": _of_known(lambda items: items.index(max(items))),
    "argmin": _of_known(lambda items: items.index(min(items))),
    "median": _of_known(lambda items: float(statistics.median(items))),
}
"""The functions of the order that are methods too."""
MAKING: dict[str, NativeFunction] = {
    **dict.fromkeys(("array", "asarray"), _array),
    "atleast_1d": _at_least_1d,
    "linspace": _linspace,
    "arange": _arange,
    "geomspace": _geomspace,
    "logspace": _logspace,
    "unique": _unique,
    "diff": _of_known(lambda items: [b - a for a, b in pairwise(items)]),
    "sort": _of_known(sorted),
    **dict.fromkeys(("concatenate", "hstack", "append"), _concatenate),
    "repeat": _repeat,
    "zeros": _filled(0),
    "ones": _filled(1),
    "full": _filled(None),
    **dict.fromkeys(("flip", "flipud"), lambda call: Vector(tuple(numbers(call, call.args[0])[::-1]))),
}
METHODS: dict[str, NativeFunction] = {
    "astype": lambda call: converted(call, call.args[0].items, call.argument(1, "dtype")),
    "tolist": lambda call: list(call.args[0].items),
    **dict.fromkeys(("copy", "ravel", "flatten"), lambda call: call.args[0]),
    "repeat": _repeat,
}
OF_SCALARS: dict[str, NativeFunction] = {
    "astype": lambda call: converted(call, [call.args[0]], call.argument(1, "dtype")).items[0],
    **dict.fromkeys(("item", "tolist"), lambda call: call.args[0]),
}
"""The methods of a single number of numpy."""
