"""Save the arguments of a constructor call as source text, so that the call can be repeated."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType
from typing import Any

from convlint.ir import Argument
from convlint.runtime.build.symbolic_int import SymbolicInt

_PLAIN = (int, float, complex, str, bytes, bool, type(None))
_MAX_ITEMS = 256  # of one list, tuple or dict
_MAX_LENGTH = 2000  # characters of one argument
_MAX_DEPTH = 4
_OTHER = object()  # stands for a value without source text, which is not kept alive


def snapshot(value: Any, depth: int = 0) -> Any:
    """Copy a value in its current state, without subclasses of int, for a later call of ``text``."""
    kind = type(value)
    if kind in _PLAIN or isinstance(value, type | FunctionType | BuiltinFunctionType):
        return value
    if kind is SymbolicInt:
        return int(value)
    if depth < _MAX_DEPTH and kind in (list, tuple, dict) and len(value) <= _MAX_ITEMS:
        if kind is dict:
            return {snapshot(k, depth + 1): snapshot(v, depth + 1) for k, v in value.items()}
        return kind([snapshot(item, depth + 1) for item in value])
    return _OTHER


def text(value: Any) -> str | None:
    """The source of a snapshot: a literal, or the dotted name of an importable class or function; else None."""
    if isinstance(value, type | FunctionType | BuiltinFunctionType):
        return _dotted(value)
    written = repr(value)
    try:
        same = len(written) <= _MAX_LENGTH and ast.literal_eval(written) == value
    except (ValueError, SyntaxError):
        return None
    return written if same else None


def _dotted(value: Any) -> str | None:
    home, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    found: Any = sys.modules.get(str(home))
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{home}.{name}" if found is value and home != "builtins" else None


def listed(given: tuple[tuple[str, Any], ...], named: Mapping[str, Any]) -> tuple[Argument, ...]:
    """Positional arguments with the names of their parameters, then keyword arguments."""
    first = [Argument(name, text(value), positional=True) for name, value in given]
    return (*first, *(Argument(name, text(value)) for name, value in named.items()))
