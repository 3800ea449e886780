"""A class called with the arguments of a recorded call, some numbers among them changed."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from convlint.ir import Argument, IntArguments
from convlint.runtime.build import construction_sites

_PATH = re.compile(r"\[(\d+)\]")


class CannotCallError(Exception):
    """The call cannot be made again; the message says why."""


@dataclass(frozen=True)
class ClassCall:
    """A constructor call, and how a reader would write it."""

    cls: type[nn.Module]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    text: str

    def build(self) -> nn.Module:
        """The model, its layers with their construction sites."""
        with construction_sites.WatchedConstruction():
            return self.cls(*self.args, **self.kwargs)


def class_call(
    cls: type[nn.Module],
    arguments: Sequence[Argument],
    numbers: IntArguments,
    *,
    examples: bool = False,
) -> ClassCall:
    """The call of ``cls`` with ``arguments``, and ``numbers`` in the place of what they say.

    An argument without source text is left to its default. ``examples``: no such call was seen, and
    what the class needs beside is made up. Raises CannotCallError.
    """
    signature = inspect.signature(cls)
    given: dict[str, Any] = {}
    in_order: list[str] = []
    for argument in arguments:
        if argument.text is None:
            continue
        given[argument.name] = _value(argument.text)
        if argument.positional and len(in_order) == len(given) - 1 == arguments.index(argument):
            in_order.append(argument.name)
    for name, number in numbers:
        base, path = _split(name, given)
        if base not in given and path:
            given[base] = _default(signature, base)
        given[base] = _with(given.get(base), path, number)
    if examples:
        needed = [p.name for p in signature.parameters.values() if _is_needed(p)]
        given = {name: given.get(name, _usual(name)) for name in needed} | given
        given = {
            name: value for name, value in given.items() if not _is_default(signature, name, value)
        }
        in_order = needed
    named = {name: value for name, value in given.items() if name not in in_order}
    if any("[" in name for name in named):
        raise CannotCallError("an argument in front of *args cannot be written")
    args = tuple(given[name] for name in in_order)
    try:
        signature.bind(*args, **named)
    except TypeError as error:
        raise CannotCallError(f"{cls.__name__}: {error}") from None
    texts = [*map(_shown, args), *(f"{name}={_shown(value)}" for name, value in named.items())]
    return ClassCall(cls, args, named, f"{cls.__qualname__}({', '.join(texts)})")


def _is_default(signature: inspect.Signature, name: str, value: Any) -> bool:
    parameter = signature.parameters.get(name)
    default = parameter.default if parameter else inspect.Parameter.empty
    return type(default) is type(value) and bool(default == value)


def _is_needed(parameter: inspect.Parameter) -> bool:
    positional = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    return positional and parameter.default is parameter.empty


def _usual(name: str) -> int:
    """A number that a parameter of that name often has."""
    words = name.lower().split("_")
    if any(word in ("kernel", "k", "ks", "ksize") for word in words):
        return 3
    return _WIDTH if not _ONES & set(words) else 1


_ONES = frozenset(
    {"stride", "strides", "s", "padding", "pad", "p", "dilation", "groups", "bias", "use"}
    | {"depth", "layers", "blocks", "n", "count", "expansion", "ratio", "scale", "multiplier"}
)
_WIDTH = 8


def _value(text: str) -> Any:
    """A literal, or what a dotted name stands for."""
    try:
        return ast.literal_eval(text)
    except ValueError:
        pass
    parts = text.split(".")
    for count in range(len(parts) - 1, 0, -1):
        home = ".".join(parts[:count])
        try:
            found: Any = sys.modules.get(home) or importlib.import_module(home)
            for part in parts[count:]:
                found = getattr(found, part)
        except (ImportError, AttributeError):
            continue
        return found
    raise CannotCallError(f"{text} was not found")


def _split(name: str, given: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    """The argument that a number belongs to, and where in it: ``widths[0]``; ``args[1]`` is one itself."""
    base = name
    while base not in given and base.endswith("]"):
        base = base[: base.rindex("[")]
    return base, tuple(int(index) for index in _PATH.findall(name[len(base) :]))


def _default(signature: inspect.Signature, name: str) -> Any:
    parameter = signature.parameters.get(name)
    if parameter is None or parameter.default is parameter.empty:
        raise CannotCallError(f"nothing is known of {name}")
    return parameter.default


def _with(value: Any, path: tuple[int, ...], number: int) -> Any:
    """A nest of lists and tuples with one number changed."""
    if not path:
        return number
    try:
        items = list(value)
        items[path[0]] = _with(items[path[0]], path[1:], number)
    except (TypeError, IndexError):
        raise CannotCallError(f"{value!r} has no item {path[0]}") from None
    return type(value)(items)


def _shown(value: Any) -> str:
    return value.__qualname__ if isinstance(value, type) or callable(value) else repr(value)
