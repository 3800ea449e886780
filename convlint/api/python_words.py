"""Messages in the words of Python: ``input=(3, 224, 224)`` for ``--input 3,224,224``."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeGuard, TypeVar

from convlint.api.values import check_values
from convlint.pipelines.requests import SuggestRequest
from convlint.support.errors import UsageError, nearest

P = ParamSpec("P")
T = TypeVar("T")

_OTHER_NAMES = {
    **dict.fromkeys(("input_size", "input_shape", "input_data", "inputs", "shape", "size", "x"), "input"),
    **dict.fromkeys(("batch", "bs", "batchsize", "batch_dim"), "batch_size"),
    **dict.fromkeys(("training", "mode"), "train"),
    **dict.fromkeys(("rules", "enable"), "select"),
    **dict.fromkeys(("col_names", "column_names", "cols"), "columns"),
    **dict.fromkeys(("disable", "skip", "exclude"), "ignore"),
    **dict.fromkeys(("memory", "memory_limit"), "max_memory"),
}
"""Arguments as other libraries call them, and the argument here."""

_ARGUMENTS: dict[str, tuple[str, ...]] = {}
"""The arguments of each function of convlint."""

_BATCHED = 4  # dimensions of a batch of images
_INPUT = re.compile(r"--input (?P<name>\w[\w.]*=)?(?P<shape>[\w,]*\w|\.\.\.)(?![\w,])")
_OPTION = re.compile(r"--(?P<name>[a-z]+(?:-[a-z]+)*)(?: (?P<value>meta|cuda|cpu|[A-Z]+|\d+)\b)?")
_SWITCHES = {"train", "measure"}
_COMMAND_LINE_ONLY = {"update-baseline", "statistics", "jobs", "output-format", "unsafe-fixes", "fix", "verbose"}


def in_python(text: str) -> str:
    """Return a message with the options that it names as arguments of a function."""
    return _OPTION.sub(_argument, _INPUT.sub(_input, text))


def _input(match: re.Match[str]) -> str:
    sizes = match["shape"].split(",")
    shape = "..." if match["shape"] == "..." else f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"
    name = (match["name"] or "").removesuffix("=")
    return f"input={{{name!r}: {shape}}}" if name else f"input={shape}"


def _argument(match: re.Match[str]) -> str:
    name, value = match["name"], match["value"]
    if name in _COMMAND_LINE_ONLY:
        return match[0]
    name = name.replace("-", "_")
    if value is None:
        return f"{name}=True" if name in _SWITCHES else name
    return f"{name}={value}" if value.isdigit() or value.isupper() else f"{name}={value!r}"


def pythonic(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function explain arguments and values that it does not take, and raise errors in the words of Python."""
    signature = inspect.signature(function)
    known = _ARGUMENTS[function.__name__] = tuple(signature.parameters)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        for name in kwargs.keys() - set(known):
            raise TypeError(_unknown(function.__name__, name, kwargs, known))
        try:
            check_values(signature.bind_partial(*args, **kwargs).arguments)
            return function(*args, **kwargs)
        except UsageError as error:
            raise UsageError(in_python(str(error))) from error.__cause__

    return call


def _unknown(function: str, name: str, given: Mapping[str, object], known: tuple[str, ...]) -> str:
    """Say that there is no such argument, and what to write."""
    text = f"{function}() got an unexpected keyword argument {name!r}"
    other, value = _OTHER_NAMES.get(name), given[name]
    if other == "input":
        return f"{text}: use {_as_input(value)}"
    if other in known:
        value = value != "eval" if other == "train" and isinstance(value, str) else value
        return f"{text}: use {other}={value!r}"
    if takers := [f"convlint.{taker}" for taker, arguments in _ARGUMENTS.items() if name in arguments]:
        return f"{text}: {' and '.join(takers)} {'has' if len(takers) == 1 else 'have'} it"
    if name in SuggestRequest.options():
        return f"{text}: only the command line has it, {SuggestRequest.options()[name].flag}"
    return f"{text}{nearest(name, known)}"


def _as_input(value: object) -> str:
    """Return what to write for the input that was given: shapes without the batch, tensors as they are."""
    if hasattr(value, "shape"):
        return "input, which takes the tensor as it is"
    if isinstance(value, list) and value and all(map(_is_shape, value)):
        return f"input=[{', '.join(map(_without_batch, value))}], without the batch"
    return f"input={_without_batch(value)}, without the batch"


def _is_shape(value: object) -> TypeGuard[Sequence[int]]:
    return isinstance(value, tuple | list) and all(type(size) is int for size in value)


def _without_batch(shape: object) -> str:
    if not _is_shape(shape):
        return "(3, 224, 224)"
    return repr(tuple(shape[1:] if len(shape) == _BATCHED else shape))
