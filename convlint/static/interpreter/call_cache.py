"""Blocks that a program builds and calls again and again with the same numbers.

A deep network is a few blocks in many copies. What was followed once with the same arguments and
the same shapes can only give the same again, so it is not followed twice: a copy that one line
builds in a loop is the first one, and its call on a known shape is one step.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Mapping, Sequence

from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import Builtin, Library, Partial, Real, Tensor, Value, is_small
from convlint.symbolic import Dim

_COMPARABLE = (
    int,
    str,
    bool,
    float,
    type(None),
    Dim,
    Real,
    Class,
    Function,
    Library,
    Builtin,
    Partial,
)


def constructor_key(
    cls: Class, node: ast.expr, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Hashable | None:
    """What tells one constructor call from others; None if its arguments cannot be compared."""
    named = [(name, value) for name, value in kwargs.items() if not _is_a_rate(name)]
    if not all(_is_comparable(value) for value in (*args, *[value for _, value in named])):
        return None
    # True is 1 to a dict, and no number to a program that asks.
    return cls, node, *[(type(v), v) for v in args], *[(n, type(v), v) for n, v in named]


def call_key(instance: Instance, args: Sequence[Value]) -> Hashable | None:
    """What tells one call of a module on tensors from others; None if a shape is not known."""
    shapes = [
        value.shape if type(value) is Tensor and not value.cell.is_guess else None for value in args
    ]
    return None if None in shapes or not shapes else (instance, *shapes)


def _is_comparable(value: Value) -> bool:
    if type(value) is tuple:
        return is_small(value) and all(_is_comparable(item) for item in value)
    return type(value) in _COMPARABLE


def _is_a_rate(name: str) -> bool:
    """Whether an argument differs from block to block and no shape depends on it."""
    return "drop" in name
