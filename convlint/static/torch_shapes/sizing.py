"""Sizes and shapes: reading them from values of the program, and comparing them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from convlint import symbolic
from convlint.static.domain.execution import Execution
from convlint.static.domain.facts import FRESH
from convlint.static.domain.values import (
    UNKNOWN,
    Num,
    Real,
    Shape,
    Tensor,
    Value,
    has_more,
    is_small,
)
from convlint.symbolic import Dim

_PLAIN = (int, float, str, bool, Dim, Real)


def number(value: Value) -> Num | None:
    """An integer of the program, None if the value is anything else."""
    kind = type(value)
    if kind is int or kind is Dim:
        return value  # type: ignore[no-any-return]
    return int(value) if kind is bool else None


def size(run: Execution, value: Value, what: str = "size") -> Num:
    """An integer of the program; one of which nothing is known for what is none."""
    found = number(value)
    return _unknown(run, what) if found is None else found


def sizes(run: Execution, value: Value, count: int, what: str = "size") -> tuple[Num, ...]:
    """One integer for each of ``count`` dimensions, from one number or several."""
    if type(value) is int:
        return (value,) * count
    if type(value) in (tuple, list):
        if len(value) == count:
            return tuple([size(run, item, what) for item in value])
        if len(value) == 1:
            return (size(run, value[0], what),) * count
    found = number(value)
    if found is not None:
        return (found,) * count
    return tuple([_unknown(run, what) for _ in range(count)])


def _unknown(run: Execution, what: str) -> Num:
    """A number of which nothing is known. Symbols are positive, and a padding may be 0."""
    return run.fresh(what) - 1 if what == "padding" else run.fresh(what)


def listed(run: Execution, values: Sequence[Value]) -> list[Num] | None:
    """Sizes that are passed one by one or as one sequence; None where their count is not known."""
    if len(values) == 1 and type(values[0]) in (tuple, list):
        if has_more(values[0]):
            return None
        values = values[0]
    elif len(values) == 1 and number(values[0]) is None:
        return None
    return [size(run, value) for value in values]


def shape_of(run: Execution, tensor: Tensor, rank: int | None = None) -> Shape | None:
    """The shape of a tensor, with all that is known of its sizes. One of unknown shape gets ``rank``
    unknown sizes, if a rank is asked for; the answer may be of another rank all the same.
    """
    shape = tensor.cell.shape
    if rank is None and (shape is None or tensor.cell.is_guess):
        return None
    if rank is not None and (shape is None or tensor.cell.is_guess):
        shape = run.of_rank(tensor, rank)
    shape = shape or ()
    for one in shape:
        if type(one) is not int:
            return tuple([run.reduced(one) for one in shape])
    return shape


def product(values: Iterable[Num]) -> Num:
    """The product of sizes."""
    result: Num = 1
    for value in values:
        result = result * value
    return plain(result)


def plain(value: Num) -> Num:
    """A plain integer for an expression that is one."""
    if type(value) is Dim and value.value is not None:
        return value.value
    return value


def total(values: Iterable[Num]) -> Num:
    """The sum of sizes."""
    result: Num = 0
    for value in values:
        result = result + value
    return plain(result)


def divided(left: Num, right: Num) -> Num:
    """``left // right``; unknown where the divisor is 0."""
    if type(right) is int and right == 0:
        return symbolic.UNKNOWN
    return plain(left // right)


def remainder(left: Num, right: Num) -> Num:
    """``left % right``; unknown where the divisor is 0."""
    if type(right) is int and right == 0:
        return symbolic.UNKNOWN
    return plain(left % right)


def below(value: Num, limit: int) -> bool:
    """Whether a number is known to be less than ``limit``."""
    return type(value) is int and value < limit


def axis(value: Value, rank: int) -> int | None:
    """A dimension counted from the front; None where it is not known or out of range."""
    if type(value) is not int or not -max(rank, 1) <= value < max(rank, 1):
        return None
    return value % rank if rank else 0


def out_of_range(value: Value, rank: int) -> str | None:
    """What PyTorch says to a dimension that a tensor does not have."""
    low, high = -max(rank, 1), max(rank, 1) - 1
    if type(value) is int and not low <= value <= high:
        return (
            f"Dimension out of range (expected to be in range of [{low}, {high}], but got {value})"
        )
    return None


def loose(value: Num) -> bool:
    """Whether a size depends on numbers of which nothing is known; one of them may be 1."""
    return type(value) is Dim and (
        value.is_unknown or any(symbol.scope == FRESH for symbol in value.symbols())
    )


def is_plain(value: Value) -> bool:
    """Whether a value is a number or a word, or a sequence of them: fit for ``Node.attrs``."""
    if type(value) in (tuple, list):
        return is_small(value) and all(is_plain(item) for item in value)
    return type(value) in _PLAIN


def frozen(value: Value) -> Any:
    """A value for ``Node.attrs``: tuples for lists."""
    if type(value) not in (tuple, list):
        return value
    return tuple([frozen(item) for item in value]) if is_small(value) else UNKNOWN


def tensors(values: Iterable[Value]) -> list[Tensor]:
    """The tensors among values, those in lists and tuples included."""
    found: list[Tensor] = []
    for value in values:
        if type(value) is Tensor:
            found.append(value)
        elif type(value) in (list, tuple) and is_small(value):
            found += tensors(value)
    return found


def unseen(run: Execution, *values: Value) -> Value:
    """The result of a call that cannot be followed: a tensor of unknown shape if tensors go in."""
    inputs = tensors(values)
    return run.emit("unseen", inputs, [None])[0] if inputs else UNKNOWN


def show(shape: Sequence[Num]) -> str:
    """A shape as PyTorch writes it in messages."""
    return f"[{', '.join(map(str, shape))}]"
