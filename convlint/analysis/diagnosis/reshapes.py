"""Calls that move, merge or split the dimensions of one tensor, and what they say of their sizes."""

from __future__ import annotations

from fractions import Fraction
from math import prod

from convlint.analysis.diagnosis.constraints import Sizes
from convlint.analysis.diagnosis.variables import grouped_dims
from convlint.ir import Node, Tensor


def kept(sizes: Sizes, before: Tensor, after: Tensor) -> None:
    """The default: a call of one tensor keeps the dimensions that keep their size."""
    if len(before.shape) == len(after.shape):
        for dim, variable in sizes.known(before).items():
            if before.shape[dim] == after.shape[dim]:
                sizes.set(after, dim, variable)


def chunk(sizes: Sizes, node: Node, before: Tensor) -> None:
    """Each of n parts of a dimension has 1 / n of it, where they are equal."""
    rank, along = len(before.shape), node.attrs.get("dim", 0)
    along = along - rank if along >= 0 else along
    variable = sizes.known(before).get(along)
    even = len({t.shape for t in node.outputs}) == 1
    for tensor in node.outputs:
        kept(sizes, before, tensor)
        if variable is not None and even and tensor.shape[along] != before.shape[along]:
            sizes.set(tensor, along, sizes.new())
            part = sizes.known(tensor)[along]
            sizes.tie(part, variable, Fraction(1, len(node.outputs)))


def flatten(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """A reshape: channels that are merged with pixels are multiplied by their number."""
    known = sizes.known(before)
    if node.error is None:
        groups = grouped_dims(before.shape, after.shape)
    elif len(after.shape) == 2:  # view(batch, features) with the wrong count of features
        groups = [(range(1, len(before.shape)), range(1, 2))]
    else:
        return
    for into, out in groups:
        held = [dim for dim in into if dim - len(before.shape) in known]
        if len(held) != 1:
            continue
        place = next((dim for dim in reversed(out) if after.shape[dim] != 1), out[-1])
        variable = known[held[0] - len(before.shape)]
        factor = prod(before.shape[dim] for dim in into if dim != held[0])
        shared = prod(after.shape[dim] for dim in out if dim != place)
        if not factor or not shared:
            continue
        if factor != shared:
            scaled = sizes.new()
            sizes.tie(scaled, variable, Fraction(factor, shared))
            variable = scaled
        sizes.set(after, place - len(after.shape), variable)
        if node.error is not None:
            sizes.vote_at_call(variable, node, "in", after.shape[1])
            sizes.involve(node, variable)


def permute(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Dimensions take their variables with them; two are exchanged, or all are named."""
    rank = len(before.shape)
    order = list(node.attrs.get("dims", ()))
    if {"dim0", "dim1"} <= node.attrs.keys():
        one, other = node.attrs["dim0"], node.attrs["dim1"]
        order = list(range(rank))
        if rank and isinstance(one, int) and isinstance(other, int):
            one, other = one % rank, other % rank
            order[one], order[other] = other, one
    if len(order) == rank and all(isinstance(origin, int) for origin in order):
        known = sizes.known(before)
        for place, origin in enumerate(order):
            if (origin % rank) - rank in known:
                sizes.set(after, place - rank, known[(origin % rank) - rank])


def reduced(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """A mean, sum or the like keeps the dimensions that it does not go over."""
    rank, dims = len(before.shape), node.attrs.get("dim")
    named = dims if isinstance(dims, tuple | list) else (dims,)
    if not rank or not all(isinstance(dim, int) for dim in named):
        return
    gone = {dim % rank for dim in named}
    stays = len(after.shape) == rank
    rest = [dim for dim in range(rank) if stays or dim not in gone]
    known = sizes.known(before)
    for place, dim in enumerate(rest):
        if dim not in gone and dim - rank in known:
            sizes.set(after, place - len(rest), known[dim - rank])


def pixel_shuffle(sizes: Sizes, node: Node, before: Tensor, after: Tensor) -> None:
    """Channels become pixels, or pixels channels, by a known factor."""
    variable = sizes.known(before).get(-3)
    if variable is not None and before.shape[-3] and after.shape[-3] and not node.error:
        given = sizes.new()
        sizes.tie(given, variable, Fraction(after.shape[-3], before.shape[-3]))
        sizes.set(after, -3, given)
