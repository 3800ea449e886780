"""Broadcasting: the common shape of tensors."""

from __future__ import annotations

from collections.abc import Sequence

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape
from convlint.static.torch_shapes.growth import differ_for_all_maps
from convlint.static.torch_shapes.sizes import is_indefinite
from convlint.symbolic import Dim


def broadcast(run: Execution, shapes: Sequence[Shape]) -> tuple[Shape, str | None]:
    """Return the common shape of tensors and PyTorch's error if they have none.

    An unknown size may be 1, so it constrains no other. Parameters of the program are assumed not to
    be 1, so they must be equal.
    """
    result, error = shapes[0], None
    for shape in shapes[1:]:
        result, pair_error = _broadcast_pair(run, result, shape)
        error = error or pair_error
    return result, error


def _broadcast_pair(run: Execution, left: Shape, right: Shape) -> tuple[Shape, str | None]:
    if left == right:
        return left, None
    longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
    result = list(longer)
    error = None
    for position, size in enumerate(shorter, len(longer) - len(shorter)):
        common = _common_size(run, longer[position], size)
        if common is None:
            a, b = left[position - len(longer)], right[position - len(longer)]
            error = error or (
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at "
                f"non-singleton dimension {position}"
            )
            common = max(a, b) if type(a) is int and type(b) is int else a  # a plausible stand-in
        result[position] = common
    return tuple(result), error


def _common_size(run: Execution, left: Num, right: Num) -> Num | None:
    """Return the size that two sizes are broadcast to, None if that is impossible."""
    if left == right:
        return left
    if type(left) is int and type(right) is int:
        return right if left == 1 else left if right == 1 else None
    if type(left) is int and left == 1:
        return right
    if type(right) is int and right == 1:
        return left
    equal = run.equal(left, right)
    if equal:
        return right if type(right) is int else left
    if equal is False:
        return _common_unequal(run, left, right)
    if is_indefinite(left) or is_indefinite(right):
        if differ_for_all_maps(left, right):
            return None
        if is_indefinite(left) and is_indefinite(right):
            return run.fresh("size")
        return right if is_indefinite(left) else left
    run.demand(left, right)
    return right if type(right) is int else left


def _common_unequal(run: Execution, left: Num, right: Num) -> Num | None:
    if is_never_one(run, left) and is_never_one(run, right):
        return None
    if is_indefinite(left) and is_indefinite(right) and differ_for_all_maps(left, right):
        return None
    small, large = (left, right) if is_never_one(run, right) else (right, left)
    if not is_indefinite(small) and is_never_one(run, large):
        run.demand(small, 1)
    return large


def is_never_one(run: Execution, size: Num) -> bool:
    """Return whether a size differs from 1 for all values of its symbols."""
    if type(size) is int:
        return size != 1
    return _lower_bound(size) > 1 or run.equal(size, 1) is False


def _lower_bound(size: Num) -> int:
    """Return a lower bound of a sum of positive terms; 0 for other expressions."""
    if type(size) is not Dim or size.terms is None:
        return 0
    bound = 0
    for monomial, factor in size.terms:
        if factor < 0 or any(hasattr(atom, "op") for atom, _ in monomial):
            return 0
        bound += factor
    return bound
