"""os.path: paths as texts."""

from __future__ import annotations

import os

from convlint.static.domain.values import LONGEST, UNKNOWN, Value
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel.native import NativeFunction


def _of_texts(name: str) -> NativeFunction:
    compute = getattr(os.path, name)

    def function(call: Call) -> Value:
        if call.kwargs or not all(type(value) is str and len(value) < LONGEST for value in call.args):
            return UNKNOWN
        return compute(*call.args)

    return function


_NAMES = ("join", "dirname", "basename", "abspath", "realpath", "normpath", "splitext")
FUNCTIONS: dict[str, NativeFunction] = {f"os.path.{name}": _of_texts(name) for name in _NAMES}
CONSTANTS: dict[str, float] = {}
