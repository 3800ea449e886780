"""Arithmetic on sizes, and the shapes and dimensions of tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from convlint import symbolic
from convlint.static.domain.execution import Execution
from convlint.static.domain.facts import FRESH
from convlint.static.domain.values import Num, Shape, Tensor, Value, symbols_of
from convlint.symbolic import Dim


def shape_of(run: Execution, tensor: Tensor) -> Shape | None:
    """Return the shape of a tensor with everything known of its sizes; None for a guessed shape."""
    shape = tensor.cell.shape
    if shape is None or tensor.cell.is_guess:
        return None
    return _reduced(run, shape)


def shape_of_rank(run: Execution, tensor: Tensor, rank: int) -> Shape:
    """Return the shape of a tensor; one of unknown shape, but no other, gets ``rank`` unknown sizes."""
    shape = tensor.cell.shape
    if shape is None or tensor.cell.is_guess:
        shape = run.require_rank(tensor, rank) or ()
    return _reduced(run, shape)


def _reduced(run: Execution, shape: Shape) -> Shape:
    for size in shape:
        if type(size) is not int:
            return tuple([run.reduced(size) for size in shape])
    return shape


def show(shape: Sequence[Num]) -> str:
    """Format a shape as PyTorch writes it in messages, with letters for unknown sizes: ``[N, 16, H, W]``."""
    return f"[{', '.join(map(_letter, shape))}]"


_LETTERS = {"batch": "N", "channels": "C", "depth": "D", "height": "H", "width": "W", "length": "L"}


def _letter(size: Num) -> str:
    """Format a size: a number, a letter for an unknown one, and ? for one that is computed from unknown ones."""
    unknown = [symbol for symbol in symbols_of(size) if symbol.scope == FRESH]
    if not unknown:
        return str(size)
    names = [symbol.name.split()[0] for symbol in unknown]
    is_plain = len(names) == 1 and size == symbolic.symbol(unknown[0].name, FRESH)
    return _LETTERS.get(names[0], "?") if is_plain else "?"


# --- dimensions


def axis(dim: Value, rank: int) -> int | None:
    """Count a dimension from the front; None if it is unknown or out of range."""
    if type(dim) is not int or not -max(rank, 1) <= dim < max(rank, 1):
        return None
    return dim % rank if rank else 0


def locate(run: Execution, x: Tensor, dim: Value) -> tuple[Shape | None, int | None, str | None]:
    """Return the shape of a tensor, a dimension counted from the front, and PyTorch's error."""
    shape = shape_of(run, x)
    if shape is None:
        return None, None, None
    return shape, axis(dim, len(shape)), dim_error(dim, len(shape))


def dim_error(dim: Value, rank: int) -> str | None:
    """Return PyTorch's error for a dimension that a tensor of ``rank`` does not have."""
    low, high = -max(rank, 1), max(rank, 1) - 1
    if type(dim) is int and not low <= dim <= high:
        return f"Dimension out of range (expected to be in range of [{low}, {high}], but got {dim})"
    return None


def replaced(shape: Shape, position: int, *sizes: Num) -> Shape:
    """Return a shape with other sizes, or none, in the place of one."""
    return (*shape[:position], *sizes, *shape[position + 1 :])


# --- arithmetic


def plain(value: Num) -> Num:
    """Return a constant expression as a plain integer."""
    return value.value if type(value) is Dim and value.value is not None else value


def product(values: Iterable[Num]) -> Num:
    """Multiply sizes."""
    return plain(math.prod(values))


def total(values: Iterable[Num]) -> Num:
    """Add sizes."""
    return plain(sum(values))


def divided(left: Num, right: Num) -> Num:
    """``left // right``; unknown if the divisor is 0."""
    if type(right) is int and right == 0:
        return symbolic.UNKNOWN
    return plain(left // right)


def remainder(left: Num, right: Num) -> Num:
    """``left % right``; unknown if the divisor is 0."""
    if type(right) is int and right == 0:
        return symbolic.UNKNOWN
    return plain(left % right)


def common_factor(value: Num) -> int:
    """Return the largest number that divides a size for all values of its symbols."""
    return math.gcd(*[factor for _, factor in symbolic.as_dim(value).terms or ()])


def below(value: Num, limit: int) -> bool:
    """Return whether a number is known to be less than ``limit``."""
    return type(value) is int and value < limit


def any_below(values: Iterable[Num], limit: int) -> bool:
    """Return whether one of several numbers is known to be less than ``limit``."""
    for value in values:  # noqa: SIM110 - a generator takes twice the time, and each layer asks
        if type(value) is int and value < limit:
            return True
    return False


def is_indefinite(value: Num) -> bool:
    """Return whether a size depends on unknown numbers, so that it may be 1."""
    return type(value) is Dim and (value.is_unknown or any(symbol.scope == FRESH for symbol in value.symbols()))
