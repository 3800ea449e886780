"""Which function of ours stands for which of torch, by name, and whether it takes given arguments.

A handler has the parameters of the function that it stands for, with their names and defaults, after
``run``. Names are written short: ``cat`` is ``torch.cat``, ``F.relu`` a function of
``torch.nn.functional``, ``.view`` a method of tensors.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache

from convlint.static.domain.values import Handler, Value

HANDLERS: dict[str, Handler] = {}


def operation(*names: str) -> Callable[[Handler], Handler]:
    """Let a handler stand for functions of torch."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return register


def both(*names: str) -> tuple[str, ...]:
    """Names of functions of torch that are methods of tensors as well."""
    return (*names, *[f".{name}" for name in names])


@dataclass(frozen=True)
class LayerKind:
    """What a class of ``torch.nn`` does.

    ``construct(run, ...)`` has the parameters of the class and gives the attributes of the layer; it
    raises ``Refused`` where the class would raise. ``forward(run, layer, ...)`` calls the layer; None
    where the result is not known.
    """

    construct: Callable[..., dict[str, Value]]
    forward: Handler | None = None


LAYERS: dict[str, LayerKind] = {}

# What an operation meets in arguments of a kind that PyTorch takes nowhere: a word for a size, a
# list for a number. The call is unknown then, and said to be.
NOT_TAKEN = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)

_PLACES = (
    ("torch.nn.functional.", "F."),
    ("torch.Tensor.", "."),
    ("torch.special.", ""),
    ("torch._C._nn.", "F."),
    ("torch.", ""),
)


@cache
def function(name: str) -> Handler | None:
    """The handler of a function of torch by its qualified name, None if there is none."""
    for prefix, short in _PLACES:
        if name.startswith(prefix):
            return HANDLERS.get(short + name[len(prefix) :])
    return None


def method(name: str) -> Handler | None:
    """The handler of a method of tensors, None if there is none. It takes the tensor first; those of
    operators take the operands as they stand in the source.
    """
    return HANDLERS.get("." + name)


@dataclass(frozen=True, slots=True)
class _Parameters:
    positional: tuple[str, ...]
    keywords: frozenset[str]
    required: frozenset[str]
    more_positional: bool
    more_keywords: bool


@cache
def _parameters(handler: Handler) -> _Parameters:
    given = list(inspect.signature(handler).parameters.values())[1:]
    kinds = [parameter.kind for parameter in given]
    return _Parameters(
        tuple([p.name for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]),
        frozenset([p.name for p in given if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]),
        frozenset(
            [
                p.name
                for p in given
                if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            ]
        ),
        inspect.Parameter.VAR_POSITIONAL in kinds,
        inspect.Parameter.VAR_KEYWORD in kinds,
    )


def fits(handler: Handler, count: int, kwargs: Mapping[str, Value] | Collection[str]) -> bool:
    """Whether a handler takes ``count`` arguments after ``run``, and these keywords."""
    return _fits(handler, count, tuple(kwargs))


@cache
def _fits(handler: Handler, count: int, kwargs: tuple[str, ...]) -> bool:
    parameters = _parameters(handler)
    if count > len(parameters.positional) and not parameters.more_positional:
        return False
    passed = parameters.positional[:count]
    for name in kwargs:
        if name in passed:
            return False
        if name not in parameters.keywords and not parameters.more_keywords:
            return False
    return all(name in passed or name in kwargs for name in parameters.required)
