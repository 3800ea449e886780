"""Repeat a recorded constructor call with some integers replaced."""

from __future__ import annotations

import ast
import importlib
import inspect
import operator
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from torch import nn

from convlint.ir import Argument, Claim, Instantiation, IntArguments
from convlint.ir.claims import MODULE
from convlint.runtime.build import construction_sites
from convlint.runtime.counterexample.stand_in import StandIn
from convlint.support.dataclass import dataclass

_PATH = re.compile(r"\[(\d+)\]")
_ONES = frozenset(  # words in the names of parameters whose typical value is 1
    {"stride", "strides", "s", "padding", "pad", "p", "dilation", "groups", "bias", "use"}
    | {"depth", "layers", "blocks", "n", "count", "expansion", "ratio", "scale", "multiplier"}
)

_CLASSES = {"norm": nn.BatchNorm2d, "act": nn.ReLU, "activation": nn.ReLU}


class CannotCallError(Exception):
    """The call cannot be repeated, for the reason in the message."""


@dataclass(frozen=True)
class ClassCall:
    """A constructor call."""

    cls: type[nn.Module]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def text(self) -> str:
        """The source text of the call."""
        texts = [*map(_source, self.args), *(f"{name}={_source(value)}" for name, value in self.kwargs.items())]
        return f"{self.cls.__qualname__}({', '.join(texts)})"

    def build(self) -> nn.Module:
        """Build the model and record the construction sites of its layers."""
        with construction_sites.WatchedConstruction():
            return self.cls(*self.args, **self.kwargs)


def call_of(cls: type[nn.Module], claim: Claim, attempt: Instantiation) -> ClassCall:
    """Return one call of the class of a claim. Raises CannotCallError."""
    arguments = (*claim.arguments, *attempt.arguments)
    return class_call(cls, arguments, attempt.numbers, examples=claim.target is None)


def class_call(
    cls: type[nn.Module], arguments: Sequence[Argument], numbers: IntArguments, *, examples: bool = False
) -> ClassCall:
    """Return the call of ``cls`` with ``arguments``, in which ``numbers`` replace integers by name.

    Arguments without source text keep their defaults. With ``examples``, other required parameters get typical values,
    because no call of the class is known. Raises CannotCallError.
    """
    signature = inspect.signature(cls)
    given: dict[str, Any] = {}
    in_order: list[str] = []
    for argument in arguments:
        if argument.text is None:
            continue
        given[argument.name] = _value(argument.text, cls.__module__)
        if argument.positional and len(in_order) == len(given) - 1 == arguments.index(argument):
            in_order.append(argument.name)
    for name, number in numbers:
        base, path = _split(name, given)
        if base not in given and path:
            given[base] = _default(signature, base)
        given[base] = _replaced(given.get(base), path, number)
    if examples:
        by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = signature.parameters.values()
        needed = [p.name for p in parameters if p.kind in by_position and p.default is p.empty]
        given = {name: given.get(name, _typical_value(name)) for name in needed} | given
        given = {name: value for name, value in given.items() if not _is_default(signature, name, value)}
        in_order = needed
    named = {name: value for name, value in given.items() if name not in in_order}
    if any("[" in name for name in named):
        raise CannotCallError("an argument before *args cannot be passed by name")
    args = tuple(given[name] for name in in_order)
    try:
        signature.bind(*args, **named)
    except TypeError as error:
        raise CannotCallError(f"{cls.__name__}: {error}") from None
    return ClassCall(cls, args, named)


def _is_default(signature: inspect.Signature, name: str, value: Any) -> bool:
    default = signature.parameters[name].default if name in signature.parameters else inspect.Parameter.empty
    return type(default) is type(value) and bool(default == value)


def _typical_value(name: str) -> Any:
    """A typical value of a parameter with this name."""
    words = set(name.lower().split("_"))
    for kind, example in _CLASSES.items():
        if kind in words:
            return example
    if words & {"kernel", "k", "ks", "ksize"}:
        return 3
    return 1 if _ONES & words else 8


def _value(text: str, module: str) -> Any:
    """The value of a literal, of a dotted name or one of ``module``, or a module that fits. Raises CannotCallError."""
    if text == MODULE:
        return StandIn()
    try:
        return ast.literal_eval(text)
    except ValueError:
        pass
    parts = text.split(".")
    with suppress(KeyError, AttributeError):
        return operator.attrgetter(text)(sys.modules[module])
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
    """Split ``widths[0]`` into the argument and the indices inside; ``args[1]`` is an argument itself."""
    base = name
    while base not in given and base.endswith("]"):
        base = base[: base.rindex("[")]
    return base, tuple(int(index) for index in _PATH.findall(name[len(base) :]))


def _default(signature: inspect.Signature, name: str) -> Any:
    parameter = signature.parameters.get(name)
    if parameter is None or parameter.default is parameter.empty:
        raise CannotCallError(f"the value of {name} is unknown")
    return parameter.default


def _replaced(value: Any, path: tuple[int, ...], number: int) -> Any:
    """Copy nested lists and tuples with one integer replaced."""
    if not path:
        return number
    try:
        items = list(value)
        items[path[0]] = _replaced(items[path[0]], path[1:], number)
    except (TypeError, IndexError):
        raise CannotCallError(f"{value!r} has no item {path[0]}") from None
    return type(value)(items)


def _source(value: Any) -> str:
    if isinstance(value, StandIn):
        return value.text
    return value.__qualname__ if isinstance(value, type) or callable(value) else repr(value)
