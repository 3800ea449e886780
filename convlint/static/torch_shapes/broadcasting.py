"""How shapes are stretched to fit each other."""

from __future__ import annotations

from collections.abc import Sequence

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape
from convlint.static.torch_shapes.sizing import loose
from convlint.symbolic import Dim


def broadcast(run: Execution, shapes: Sequence[Shape]) -> tuple[Shape, str | None]:
    """The common shape of tensors, and what PyTorch says if there is none.

    A size of which nothing is known may be 1, so it demands nothing of the others. Parameters of the
    program are taken not to be 1: they must be equal.
    """
    first, *others = shapes
    result, error = first, None
    for other in others:
        result, apart = _pair(run, result, other)
        error = error or apart
    return result, error


def _pair(run: Execution, one: Shape, other: Shape) -> tuple[Shape, str | None]:
    if one == other:
        return one, None
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    lead = len(longer) - len(shorter)
    result = list(longer)
    error = None
    for position, size in enumerate(shorter, lead):
        found = _size(run, longer[position], size)
        if found is None:
            a, b = one[position - len(longer)], other[position - len(longer)]
            error = error or (
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at "
                f"non-singleton dimension {position}"
            )
            found = _larger(a, b)
        result[position] = found
    return tuple(result), error


def _size(run: Execution, one: Num, other: Num) -> Num | None:
    """The size of two that are brought together, None if that cannot be."""
    if one == other:
        return one
    if type(one) is int and type(other) is int:
        return other if one == 1 else one if other == 1 else None
    if type(one) is int and one == 1:
        return other
    if type(other) is int and other == 1:
        return one
    equal = run.equal(one, other)
    if equal:
        return other if type(other) is int else one
    if equal is False:
        if never_one(run, one) and never_one(run, other):
            return None
        small, large = (one, other) if never_one(run, other) else (other, one)
        if not loose(small) and never_one(run, large):
            run.demand(small, 1)
        return large
    if loose(one) or loose(other):
        if loose(one) and loose(other):
            return run.fresh("size")
        return other if loose(one) else one
    run.demand(one, other)
    return other if type(other) is int else one


def never_one(run: Execution, size: Num) -> bool:
    """Whether a size is other than 1, whatever its symbols are worth."""
    if type(size) is int:
        return size != 1
    return _least(size) > 1 or run.equal(size, 1) is False


def _least(size: Num) -> int:
    """A bound from below for a sum of positive terms; 0 where there is none."""
    if type(size) is not Dim or size.terms is None:
        return 0
    total = 0
    for monomial, factor in size.terms:
        if factor < 0 or any(hasattr(atom, "op") for atom, _ in monomial):
            return 0
        total += factor
    return total


def _larger(one: Num, other: Num) -> Num:
    """The size of a stand-in: the larger one, as a run would have it."""
    if type(one) is int and type(other) is int:
        return max(one, other)
    return one
