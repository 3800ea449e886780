"""math: functions of numbers."""

from __future__ import annotations

import math

from convlint import symbolic
from convlint.static.domain.values import LARGEST, UNKNOWN, Real, Value, as_real
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel.builtin_functions import to_integer
from convlint.static.interpreter.pymodel.native import NativeFunction, real_value, whole_value
from convlint.symbolic import Dim

_OF_NUMBERS = (
    *("log", "log2", "log10", "log1p", "exp", "sqrt", "pow", "fabs", "hypot", "fmod", "gcd", "lcm", "isqrt"),
    *("sin", "cos", "tan", "tanh", "degrees", "radians"),
)
_COUNTS = ("comb", "perm", "factorial")
_SYMBOLIC = ("gcd", "log", "log2", "sqrt", "pow")
_LARGEST_COUNT = 64


def _mathematical(name: str) -> NativeFunction:
    compute = getattr(math, name)

    def function(call: Call) -> Value:
        if all(type(value) in (int, float) for value in call.args):
            result = compute(*call.args)
            return result if type(result) is float or result < LARGEST else UNKNOWN
        if name in _SYMBOLIC and all(type(value) in (int, float, Dim, Real) for value in call.args):
            known = symbolic.apply(name, *[as_real(value) for value in call.args])
            return whole_value(known) if name == "gcd" else real_value(known)
        return UNKNOWN

    return function


def _count(name: str) -> NativeFunction:
    def function(call: Call) -> Value:
        small = all(type(value) is int and value <= _LARGEST_COUNT for value in call.args)
        return _mathematical(name)(call) if small else UNKNOWN

    return function


FUNCTIONS: dict[str, NativeFunction] = {
    "math.floor": to_integer("floor", math.floor),
    "math.ceil": to_integer("ceil", math.ceil),
    "math.trunc": to_integer("int", math.trunc),
    **{f"math.{name}": _mathematical(name) for name in _OF_NUMBERS},
    **{f"math.{name}": _count(name) for name in _COUNTS},
}
CONSTANTS = {"math.pi": math.pi, "math.e": math.e, "math.tau": math.tau, "math.inf": math.inf}
