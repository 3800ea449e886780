"""numpy: functions of numbers and of arrays of numbers."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from itertools import accumulate

from convlint import symbolic
from convlint.static.domain.values import LARGEST, LONGEST, UNKNOWN, Value, Vector, as_real
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.libraries.computed import numpy_arrays
from convlint.static.interpreter.libraries.computed.numpy_arrays import NUMBERS, numbers
from convlint.static.interpreter.operators import operate
from convlint.static.interpreter.pymodel import containers
from convlint.static.interpreter.pymodel.builtin_functions import FUNCTIONS as BUILTIN
from convlint.static.interpreter.pymodel.builtin_functions import to_integer
from convlint.static.interpreter.pymodel.native import NativeFunction, real_value

# --- functions of each number


def _elementwise(one: Callable[..., Value]) -> NativeFunction:
    """Return a function of numbers, or of arrays of them, that computes ``one`` for each."""

    def function(call: Call) -> Value:
        if call.kwargs:
            return UNKNOWN
        columns = [numbers(call, value) for value in call.args]
        if all(type(column) in NUMBERS for column in columns):
            return one(*columns)
        lengths = {len(column) for column in columns if type(column) is list}
        if len(lengths) != 1:
            return UNKNOWN
        (length,) = lengths
        rows = zip(*[column if type(column) is list else [column] * length for column in columns], strict=True)
        return Vector(tuple([one(*row) for row in rows]))

    return function


def _float(name: str, compute: Callable[..., float]) -> NativeFunction:
    """Return a function of real numbers whose result is a float: by its ``name`` where they are symbolic."""

    def one(*values: Value) -> Value:
        if all(type(value) in (int, float) for value in values):
            return float(compute(*values))
        return real_value(symbolic.apply(name, *map(as_real, values))) if name in _SYMBOLIC else UNKNOWN

    return _elementwise(one)


_SYMBOLIC = ("ceil", "floor", "round", "sqrt", "log", "log2")


def _operator(op: ast.operator) -> NativeFunction:
    def function(call: Call) -> Value:
        if len(call.args) != 2 or call.kwargs:
            return UNKNOWN
        columns = [numbers(call, value) for value in call.args]
        return operate(op, call.with_args([Vector(tuple(c)) if type(c) is list else c for c in columns]))

    return function


def _called(name: str) -> Callable[[Call], NativeFunction]:
    """Return what calls Python's function ``name`` on numbers, for each of them."""

    def of(call: Call) -> NativeFunction:
        return _elementwise(lambda *values: BUILTIN[name](call.with_args(values)))

    return of


def _round(call: Call) -> Value:
    decimals = call.argument(1, "decimals", 0)
    rounded = _float("round", round) if decimals == 0 else _elementwise(lambda value: round(value, decimals))
    return rounded(call.with_args(call.args[:1], {}))


def _absolute(value: Value) -> Value:
    return abs(value) if type(value) in (int, float) else UNKNOWN


def _clip(call: Call) -> Value:
    value, low, high = (call.argument(n, name) for n, name in enumerate(("a", "a_min", "a_max")))
    if high is not None:
        value = _called("min")(call)(call.with_args([value, high], {}))
    return value if low is None else _called("max")(call)(call.with_args([value, low], {}))


# --- functions of an array


def _reduction(name: str) -> NativeFunction:
    """Return Python's function ``name`` of all numbers of an array."""
    return lambda call: BUILTIN[name](call.with_args([_flat(call)], {}))


def _flat(call: Call) -> list[Value]:
    """Return the numbers of the first argument, nested sequences included; raises TypeError where any is unknown."""
    if call.kwargs.get("axis") is not None or len(call.args) > 1:
        raise TypeError
    pending, numbers = [call.args[0]], []
    while pending:
        value = pending.pop(0)
        if type(value) in NUMBERS:
            numbers.append(value)
        else:
            pending[:0] = containers.items_of(call.interpreter, value)
        if len(pending) + len(numbers) > LONGEST:
            raise TypeError
    return numbers


def _product(call: Call) -> Value:
    result: Value = 1
    for number in _flat(call):
        result = operate(ast.Mult(), call.with_args([result, number], {}))
    return result


def _mean(call: Call) -> Value:
    numbers = _flat(call)
    total = BUILTIN["sum"](call.with_args([numbers], {}))
    return operate(ast.Div(), call.with_args([total, len(numbers)], {}))


def _running(op: ast.operator) -> NativeFunction:
    def function(call: Call) -> Value:
        return Vector(tuple(accumulate(_flat(call), lambda a, b: operate(op, call.with_args([a, b], {})))))

    return function


_OPERATORS: dict[str, ast.operator] = {
    "add": ast.Add(),
    "subtract": ast.Sub(),
    "multiply": ast.Mult(),
    "divide": ast.Div(),
    "true_divide": ast.Div(),
    "floor_divide": ast.FloorDiv(),
    "mod": ast.Mod(),
    "remainder": ast.Mod(),
    "power": ast.Pow(),
}
_REDUCTIONS: dict[str, NativeFunction] = {
    "sum": _reduction("sum"),
    "prod": _product,
    "mean": _mean,
    "cumsum": _running(ast.Add()),
    "cumprod": _running(ast.Mult()),
    "product": _product,
    **dict.fromkeys(("max", "amax"), _reduction("max")),
    **dict.fromkeys(("min", "amin"), _reduction("min")),
}
_FUNCTIONS: dict[str, NativeFunction] = {
    "ceil": _float("ceil", math.ceil),
    "floor": _float("floor", math.floor),
    **dict.fromkeys(("trunc", "fix"), _float("trunc", math.trunc)),
    "rint": _float("round", round),
    **dict.fromkeys(("round", "around"), _round),
    "sqrt": _float("sqrt", math.sqrt),
    "log": _float("log", math.log),
    "log2": _float("log2", math.log2),
    "log10": _float("log10", math.log10),
    "exp": _float("exp", math.exp),
    "exp2": _float("exp2", lambda value: 2.0**value),
    "cbrt": _float("cbrt", math.cbrt),
    "square": lambda call: _elementwise(lambda v: operate(ast.Mult(), call.with_args([v, v])))(call),
    **dict.fromkeys(("abs", "absolute", "fabs"), _elementwise(_absolute)),
    "maximum": lambda call: _called("max")(call)(call),
    "minimum": lambda call: _called("min")(call)(call),
    "clip": _clip,
    "gcd": _elementwise(math.gcd),
    "lcm": _elementwise(lambda a, b: math.lcm(a, b) if math.lcm(a, b) < LARGEST else UNKNOWN),
    **{name: _operator(op) for name, op in _OPERATORS.items()},
    **_REDUCTIONS,
    **numpy_arrays.MAKING,
    **numpy_arrays.ORDERING,
    **{f"int{bits}": to_integer("int", int) for bits in ("", 8, 16, 32, 64, "_")},
    **{f"float{bits}": BUILTIN["float"] for bits in (16, 32, 64, "_")},
}
_METHODS: dict[str, NativeFunction] = {
    **_REDUCTIONS,
    **numpy_arrays.ORDERING,
    **numpy_arrays.METHODS,
    "round": _round,
    "clip": _clip,
}
FUNCTIONS: dict[str, NativeFunction] = {
    **{f"numpy.{name}": function for name, function in _FUNCTIONS.items()},
    **{f"numpy.ndarray.{name}": function for name, function in _METHODS.items()},
    **{f"numpy.generic.{name}": function for name, function in numpy_arrays.OF_SCALARS.items()},
}
CONSTANTS = {"numpy.pi": math.pi, "numpy.e": math.e, "numpy.inf": math.inf}
