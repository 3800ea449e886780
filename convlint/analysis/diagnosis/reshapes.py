"""Variables of the output of calls that move, merge or split dimensions."""

from __future__ import annotations

from fractions import Fraction
from math import prod

from convlint.analysis.diagnosis.constraints import Sizes
from convlint.analysis.diagnosis.variables import grouped_dims
from convlint.ir import Node, Shape, Tensor


def unchanged(sizes: Sizes, before: Tensor, after: Tensor) -> None:
    """Keep the variables of dimensions that keep their size: the default for a call with one input."""
    if len(before.shape) == len(after.shape):
        for dim, variable in sizes.of(before).items():
            if before.shape[dim] == after.shape[dim]:
                sizes.set(after, dim, variable)


def chunk(sizes: Sizes, node: Node, before: Tensor) -> None:
    """Give each of n equal parts 1 / n of the variable."""
    rank, along = len(before.shape), node.attrs.get("dim", 0)
    along = along - rank if along >= 0 else along
    variable = sizes.of(before).get(along)
    even = len({t.shape for t in node.outputs}) == 1
    for tensor in node.outputs:
        unchanged(sizes, before, tensor)
        if variable is not None and even and tensor.shape[along] != before.shape[along]:
            sizes.set(tensor, along, sizes.new_variable())
            sizes.tie(sizes.of(tensor)[along], variable, Fraction(1, len(node.outputs)))


def flatten(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Multiply the variable of channels by the number of pixels that a reshape merges them with."""
    known = sizes.of(before)
    if node.error is None:
        groups = grouped_dims(before.shape, after.shape)
    elif len(after.shape) == 2:  # view(batch, features) with wrong features
        groups = [(range(1, len(before.shape)), range(1, 2))]
    else:
        return
    for into, out in groups:
        sized = [dim for dim in into if dim - len(before.shape) in known]
        merges_batch = 0 in into and before.shape[0] > 1 and node.error is None
        if len(sized) != 1 or (merges_batch and len(into) > 1):
            continue  # what is left of the channels of one sample is not known
        place = next((dim for dim in reversed(out) if after.shape[dim] != 1), out[-1])
        variable = known[sized[0] - len(before.shape)]
        factor = prod(before.shape[dim] for dim in into if dim != sized[0])
        shared = prod(after.shape[dim] for dim in out if dim != place)
        if not factor or not shared:
            continue
        if factor != shared:
            scaled = sizes.new_variable()
            sizes.tie(scaled, variable, Fraction(factor, shared))
            variable = scaled
        sizes.set(after, place - len(after.shape), variable)
        if node.error is not None:
            if counts_other_pixels(before.shape, after.shape[1]):
                variable = sizes.new_variable()
                sizes.observe(variable, node, prod(before.shape[1:]))
            sizes.vote_at_call(variable, node, "in", after.shape[1])
            sizes.involve(node, variable)


def counts_other_pixels(shape: Shape, expected: int) -> bool:
    """Check whether a number of features is that of a map with these channels and another size.

    ``16 * 5 * 5`` for a map of 16x4x4 is: 25 channels of 4x4 are not meant.
    """
    if len(shape) < 3 or 0 in shape[1:] or expected % shape[1]:
        return False
    spatial, pixels, wanted = len(shape) - 2, prod(shape[2:]), expected // shape[1]
    if expected % pixels:
        return True
    return spatial > 1 and round(wanted ** (1 / spatial)) ** spatial == wanted


def permute(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Move the variables along with their dimensions."""
    rank = len(before.shape)
    order = list(node.attrs.get("dims", ()))
    if {"dim0", "dim1"} <= node.attrs.keys():
        first, second = node.attrs["dim0"], node.attrs["dim1"]
        order = list(range(rank))
        if rank and isinstance(first, int) and isinstance(second, int):
            first, second = first % rank, second % rank
            order[first], order[second] = second, first
    if len(order) == rank and all(isinstance(origin, int) for origin in order):
        known = sizes.of(before)
        for place, origin in enumerate(order):
            if (origin % rank) - rank in known:
                sizes.set(after, place - rank, known[(origin % rank) - rank])


def reduced(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Keep the variables of the dimensions that a mean or sum does not reduce."""
    rank, dims = len(before.shape), node.attrs.get("dim")
    named = dims if isinstance(dims, tuple | list) else (dims,)
    if not rank or not all(isinstance(dim, int) for dim in named):
        return
    reduced_dims = {dim % rank for dim in named}
    keeps_dims = len(after.shape) == rank
    rest = [dim for dim in range(rank) if keeps_dims or dim not in reduced_dims]
    known = sizes.of(before)
    for place, dim in enumerate(rest):
        if dim not in reduced_dims and dim - rank in known:
            sizes.set(after, place - len(rest), known[dim - rank])


def pixel_shuffle(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Scale the variable by the factor between channels and pixels."""
    variable = sizes.of(before).get(-3)
    if variable is not None and before.shape[-3] and after.shape[-3] and not node.error:
        output = sizes.new_variable()
        sizes.tie(output, variable, Fraction(after.shape[-3], before.shape[-3]))
        sizes.set(after, -3, output)
