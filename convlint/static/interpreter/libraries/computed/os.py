"""os.path: functions of paths."""

from __future__ import annotations

import os

from convlint.static.domain.values import LONGEST, UNKNOWN, FilePath, Value
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.libraries.computed import pathlib
from convlint.static.interpreter.pymodel.native import NativeFunction


def _of_texts(name: str) -> NativeFunction:
    compute = getattr(os.path, name)

    def function(call: Call) -> Value:
        texts = [str(value) if type(value) is FilePath else value for value in call.args]
        if call.kwargs or not all(type(text) is str and len(text) < LONGEST for text in texts):
            return UNKNOWN
        return compute(*texts)

    return function


_NAMES = ("join", "dirname", "basename", "abspath", "realpath", "normpath", "splitext")
FUNCTIONS: dict[str, NativeFunction] = {f"os.path.{name}": _of_texts(name) for name in _NAMES}
FUNCTIONS |= dict.fromkeys(("os.path.exists", "os.path.isfile"), pathlib.exists)
CONSTANTS: dict[str, float] = {}
