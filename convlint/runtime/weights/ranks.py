"""Decompositions of trained kernels with ranks: Tucker-2 (higher-order SVD) and spatial SVD.

A kernel is (D, C / g, *k) as in ``nn.Conv2d`` or, transposed, (C, D / g, *k) as in ``nn.ConvTranspose2d``. Each group
is decomposed by itself. Computations run in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from convlint.ir import Replacement
from convlint.rewriting.kinds.cvl507_low_rank import FIRST

State = dict[str, Tensor]


def is_transposed(form: Replacement) -> bool:
    """Return whether a form decomposes a transposed convolution."""
    return "Transpose" in form.base


def tucker(weight: Tensor, form: Replacement, ranks: Sequence[int]) -> State:
    """The three kernels of a Tucker-2 decomposition with ``ranks`` in all groups together.

    The factors are the leading singular vectors of the unfoldings along the input and the output channels (De Lathauwer
    et al. 2000), zero beyond the rank of the kernel.
    """
    groups = form.groups
    r, s = (rank // groups for rank in ranks)
    parts: dict[str, list[Tensor]] = {"reduce": [], "core": [], "expand": []}
    for kernel in dense_groups(weight, groups, transposed=is_transposed(form)):
        into = leading(kernel.transpose(0, 1).flatten(1), r)  # (C, R)
        out = leading(kernel.flatten(1), s)  # (D, S)
        parts["reduce"].append(into.T)
        parts["core"].append(torch.einsum("dc...,cr,ds->sr...", kernel, into, out))
        parts["expand"].append(out)
    return joined(parts, weight, form)


def dense_of_tucker(parts: Mapping[str, Tensor], form: Replacement) -> Tensor:
    """The kernel that is equivalent to the three of ``tucker``."""
    transposed, groups = is_transposed(form), form.groups
    reduce, expand = (parts[f"{name}.weight"].detach().double() for name in ("reduce", "expand"))
    core = dense_groups(parts["core.weight"], groups, transposed=transposed)
    each = zip(core, expand.flatten(1).chunk(groups), reduce.flatten(1).chunk(groups), strict=True)
    dense = [torch.einsum("sr...,ds,rc->dc...", kernel, out, into) for kernel, out, into in each]
    return of_groups(dense, transposed=transposed).to(parts["core.weight"])


def low_rank(weight: Tensor, form: Replacement, ranks: Sequence[int]) -> State:
    """The two kernels of the nearest decomposition in space: scheme 2 of Jaderberg et al. 2014, arXiv:1405.3866."""
    groups = form.groups
    (rank,) = (rank // groups for rank in ranks)
    parts: dict[str, list[Tensor]] = {"first": [], "second": []}
    for kernel in dense_groups(weight, groups, transposed=is_transposed(form)):
        matrix, back = _spatial_matrix(kernel)
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        root = values[:rank].sqrt()
        missing = max(rank - len(values), 0)
        first = torch.nn.functional.pad(right[:rank] * root[:, None], (0, 0, 0, missing))
        second = torch.nn.functional.pad(left[:, :rank] * root, (0, missing))
        one, two = back(first, second)
        parts["first"].append(one)
        parts["second"].append(two)
    return joined(parts, weight, form)


def dense_of_low_rank(parts: Mapping[str, Tensor], form: Replacement) -> Tensor:
    """The kernel that is equivalent to the two of ``low_rank``."""
    transposed, groups = is_transposed(form), form.groups
    each = zip(
        *(dense_groups(parts[f"{n}.weight"], groups, transposed=transposed) for n in ("first", "second")), strict=True
    )
    # Each of the two kernels has size 1 where the other one has more, so the product is an outer one.
    dense = [torch.einsum("rc...,dr...->dc...", first, second) for first, second in each]
    return of_groups(dense, transposed=transposed).to(parts["first.weight"])


def _spatial_matrix(kernel: Tensor) -> tuple[Tensor, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]]:
    """A kernel (D, C, *k) as the matrix ((d, second), (c, first)), and what makes kernels of its two factors."""
    out, into, *size = kernel.shape
    ones = FIRST[len(size)]
    twos = [axis for axis in range(len(size)) if axis not in ones]
    order = [0, *(axis + 2 for axis in twos), 1, *(axis + 2 for axis in ones)]
    two, one = [size[axis] for axis in twos], [size[axis] for axis in ones]
    matrix = kernel.permute(order).reshape(out * prod(two), into * prod(one))

    def back(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        rank = len(first)
        shape_one = [size[axis] if axis in ones else 1 for axis in range(len(size))]
        shape_two = [size[axis] if axis in twos else 1 for axis in range(len(size))]
        return (
            first.reshape(rank, into, *shape_one),
            second.reshape(out, prod(two), rank).transpose(1, 2).reshape(out, rank, *shape_two),
        )

    return matrix, back


def leading(matrix: Tensor, count: int) -> Tensor:
    """The leading left singular vectors of a matrix (n, m) as columns (n, count), zero beyond n."""
    _, vectors = torch.linalg.eigh(matrix @ matrix.T)
    found = vectors.flip(1)[:, :count]
    return torch.nn.functional.pad(found, (0, count - found.shape[1]))


def dense_groups(weight: Tensor, groups: int, *, transposed: bool) -> list[Tensor]:
    """The kernels (D / g, C / g, *k) of the groups of a layer, in float64."""
    exact = weight.detach().to("cpu", torch.float64)
    return [part.transpose(0, 1) if transposed else part for part in exact.chunk(groups)]


def of_groups(kernels: Sequence[Tensor], *, transposed: bool) -> Tensor:
    """The weight of a layer from the kernels of its groups."""
    return torch.cat([kernel.transpose(0, 1) if transposed else kernel for kernel in kernels]).contiguous()


def joined(parts: Mapping[str, Sequence[Tensor]], like: Tensor, form: Replacement) -> State:
    """The state of the layers from the kernels of their groups; a 1x1 one is never transposed."""
    state = {}
    for name, kernels in parts.items():
        pointwise = name in ("reduce", "expand")
        made = of_groups(kernels, transposed=is_transposed(form) and not pointwise)
        if pointwise:
            made = made.reshape(*made.shape, *[1] * (like.dim() - 2))
        state[f"{name}.weight"] = made.to(like)
    return state
