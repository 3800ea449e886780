"""Approximate trained dense weights with the weights of rewritten layers, and compute the error.

D is the number of output channels, C of input channels, (kh, kw) or (H, W) the kernel size, as in ``nn.Conv2d``.
Computations run on the CPU in float64; results have the dtype and device of the weight. A weight that is not finite
raises ``torch.linalg.LinAlgError`` in singular value decompositions (SVD). Biases do not change: they belong to the
last layer of each pair.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SEEDINGS = 4  # starts of ``_seed``
_CHUNK = 64  # channels; the first linear layer of VGG16 would take 0.8 GB in float64


def separable(weight: Tensor, pairs: int = 1) -> tuple[Tensor, Tensor]:
    """Approximate a dense kernel (D, C, kh, kw) by a depthwise (C * pairs, 1, kh, kw) and a pointwise one.

    The pointwise kernel has shape (D, C * pairs, 1, 1). Filters ``c * pairs`` to ``c * pairs + pairs - 1`` of the
    depthwise kernel read channel ``c``, as in ``nn.Conv2d(C, C * pairs, k, groups=C)``. The matrix (D, kh * kw) of each
    channel is replaced with its best approximation of rank ``pairs``: Network Decoupling (Guo et al. 2018,
    arXiv:1808.05517). It is exact for ``pairs = kh * kw``; filters beyond the rank are zero. Raises ValueError if
    ``pairs`` is not positive.
    """
    if pairs < 1:
        raise ValueError(f"{pairs} pairs of a depthwise and a pointwise kernel")
    kernel = weight.shape[2:]
    halves = [_low_rank(some.transpose(0, 1).flatten(2), pairs) for some in weight.detach().split(_CHUNK, dim=1)]
    pointwise = torch.cat([left for left, _ in halves])  # (C, D, pairs)
    depthwise = torch.cat([right for _, right in halves])  # (C, pairs, kh * kw)
    return (
        depthwise.reshape(-1, 1, *kernel).to(weight),
        pointwise.transpose(0, 1).reshape(len(weight), -1, *[1] * len(kernel)).to(weight),
    )


def dense_of_separable(depthwise: Tensor, pointwise: Tensor, pairs: int = 1) -> Tensor:
    """The dense kernel (D, C, kh, kw) that is equivalent to the two of ``separable``."""
    left = _exact(pointwise).flatten(1).unflatten(1, (-1, pairs))
    right = _exact(depthwise).squeeze(1).unflatten(0, (-1, pairs))
    return torch.einsum("dcp,cp...->dc...", left, right).to(depthwise)


def factorised(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Approximate a dense kernel (D, C, kh, kw) by a horizontal (D, C, 1, kw) followed by a vertical (D, D, kh, 1) one.

    Of three dimensions the first is that of the second kernel. This is the best approximation of rank D of the matrix
    ((d, y), (c, x)): scheme 2 of Jaderberg et al. 2014, arXiv:1405.3866. Filters beyond the rank are zero.
    """
    out, into, height, *others = weight.shape
    matrix = weight.detach().transpose(1, 2).reshape(out * height, -1)
    left, right = _low_rank(matrix, out)
    second = left.view(out, height, out).transpose(1, 2).contiguous()
    return right.view(out, into, 1, *others).to(weight), second.view(out, out, height, *(1 for _ in others)).to(weight)


def dense_of_factorised(first: Tensor, second: Tensor) -> Tensor:
    """The dense kernel (D, C, kh, kw) that is equivalent to the two of ``factorised``."""
    rows, columns = _exact(first).squeeze(2), _exact(second).flatten(2)
    return torch.einsum("dry,rc...->dcy...", columns, rows).to(first)


def global_depthwise(weight: Tensor, map_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Approximate a linear weight (D, C * H * W) by a global depthwise kernel (C, 1, H, W) and a linear weight (D, C).

    ``map_size`` is (H, W). This is the best approximation of rank 1 for each channel. Raises ValueError if the features
    are not a multiple of H * W.
    """
    height, width = map_size
    if weight.shape[1] % (height * width):
        raise ValueError(f"{weight.shape[1]} features are not a multiple of {height}x{width}")
    depthwise, pointwise = separable(weight.unflatten(1, (-1, height, width)))
    return depthwise, pointwise.flatten(1)


def dense_of_global(depthwise: Tensor, linear: Tensor) -> Tensor:
    """The linear weight (D, C * H * W) that is equivalent to the two of ``global_depthwise``."""
    return (_exact(linear)[:, :, None] * _exact(depthwise).flatten(1)).flatten(1).to(linear)


def grouped(weight: Tensor, groups: int) -> Tensor:
    """The block diagonal (D, C / groups, kh, kw) of a dense kernel, its best grouped approximation in this order.

    Raises ValueError if ``groups`` does not divide both channel counts.
    """
    _check_groups(weight, groups)
    blocks = zip(weight.detach().chunk(groups), range(groups), strict=True)
    return torch.cat([rows.chunk(groups, dim=1)[position] for rows, position in blocks])


def dense_of_grouped(weight: Tensor, groups: int) -> Tensor:
    """The dense kernel (D, C, kh, kw) that is equivalent to a grouped one (D, C / groups, kh, kw)."""
    out, into, *kernel = weight.shape
    dense = weight.new_zeros(out, into * groups, *kernel)
    for position, block in enumerate(weight.detach().chunk(groups)):
        rows, columns = position * (out // groups), position * into
        dense[rows : rows + out // groups, columns : columns + into] = block
    return dense


def relative_error(weight: Tensor, approximation: Tensor) -> float:
    """``|W - W'| / |W|`` (Frobenius), infinite if only ``weight`` is zero. Raises ValueError if the shapes differ."""
    if weight.shape != approximation.shape:
        raise ValueError(f"{tuple(approximation.shape)} in place of {tuple(weight.shape)}")
    exact = _exact(weight)
    size = torch.linalg.vector_norm(exact).item()
    away = torch.linalg.vector_norm(exact - _exact(approximation)).item()
    if size == 0:
        return float("inf") if away else 0.0
    return float(away / size)


def _exact(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float64)


def _low_rank(matrices: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The nearest matrices of this rank: factors (..., m, rank) and (..., rank, n) of similar magnitude, in float64."""
    left, values, right = torch.linalg.svd(_exact(matrices), full_matrices=False)
    root = values[..., :rank].sqrt()
    missing = max(rank - values.shape[-1], 0)
    return (
        torch.nn.functional.pad(left[..., :rank] * root[..., None, :], (0, missing)),
        torch.nn.functional.pad(right[..., :rank, :] * root[..., None], (0, 0, 0, missing)),
    )


def _check_groups(weight: Tensor, groups: int) -> None:
    out, into = weight.shape[:2]
    if groups < 1 or out % groups or into % groups:
        raise ValueError(f"{groups} groups of {into} input and {out} output channels")


# --- assignment of channels to groups


def partition(weight: Tensor, groups: int, *, inputs: bool = True, outputs: bool = True) -> tuple[Tensor, Tensor]:
    """Find orders of the input and output channels for which ``grouped`` preserves much of a kernel.

    Returns two permutations (new position -> old channel), LongTensors on the CPU: ``grouped`` applies to
    ``weight[outputs][:, inputs]``. With ``inputs=False`` or ``outputs=False`` this side keeps its order.

    Only the energy E[d, c], the sum of squares of a filter's kernel, matters. For given groups of one side, the best
    groups of the other are a transportation problem. ``_assign`` solves it approximately, alternating between the sides
    until nothing improves. The original order is one of the starts, so the result is never worse. Raises ValueError if
    ``groups`` does not divide both channel counts.
    """
    _check_groups(weight, groups)
    energy = _exact(weight).flatten(2).square().sum(2) if weight.dim() > 2 else _exact(weight) ** 2
    rows, columns = (_consecutive(size, groups) for size in energy.shape)
    if inputs and outputs:
        by_rows = [_scores(energy.T, some, groups) for some in _seed(energy, groups)]
        starts = [columns, *_seed(energy.T, groups), *(_assign(s, columns) for s in by_rows)]
        found = [_alternate(energy, start, groups) for start in starts]
        kept = [_energy_within(energy, *both) for both in found]
        rows, columns = found[kept.index(max(kept))]
    elif outputs:
        rows = _assign(_scores(energy, columns, groups), rows)
    elif inputs:
        columns = _assign(_scores(energy.T, rows, groups), columns)
    return columns.argsort(stable=True), rows.argsort(stable=True)


def _consecutive(size: int, groups: int) -> Tensor:
    """The group of each channel, (size,), for groups of consecutive channels."""
    return torch.arange(size) // (size // groups)


def _energy_within(energy: Tensor, rows: Tensor, columns: Tensor) -> float:
    """The energy within groups."""
    return float(energy[rows[:, None] == columns].sum().item())


def _scores(energy: Tensor, columns: Tensor, groups: int) -> Tensor:
    """(D, groups): the energy of each row in the columns of each group."""
    return energy.new_zeros(len(energy), groups).index_add_(1, columns, energy)


def _alternate(energy: Tensor, columns: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Groups of rows and columns that neither side can improve, starting from groups of the columns."""
    rows = _consecutive(len(energy), groups)
    kept = -1.0
    while (now := _energy_within(energy, rows, columns)) > kept * (1 + 1e-12):
        kept = now
        rows = _assign(_scores(energy, columns, groups), rows)
        columns = _assign(_scores(energy.T, rows, groups), columns)
    return rows, columns


def _seed(energy: Tensor, groups: int) -> list[Tensor]:
    """Groups of the rows around dissimilar seeds: one row of each block, if the blocks of a kernel hardly overlap."""
    unit = torch.nn.functional.normalize(energy, dim=1)
    alike = unit @ unit.T
    order = energy.sum(1).argsort(descending=True)
    starts = []
    for first in order[:: max(1, len(order) // _SEEDINGS)][:_SEEDINGS].tolist():
        seeds = [first]
        nearest = alike[first].clone()
        for _ in range(groups - 1):
            nearest[seeds[-1]] = float("inf")
            seeds.append(int(nearest.argmin().item()))
            nearest = torch.maximum(nearest, alike[seeds[-1]])
        starts.append(_assign(alike[:, seeds], _consecutive(len(energy), groups)))
    return starts


def _assign(scores: Tensor, known: Tensor) -> Tensor:
    """Assign n channels to equal groups, (n,), for a high sum of ``scores`` (n, groups), at least that of ``known``."""
    return _swap(scores, max(known, _greedy(scores), key=lambda groups: _sum(scores, groups)).clone())


def _sum(scores: Tensor, groups: Tensor) -> float:
    return float(scores.gather(1, groups[:, None]).sum().item())


def _greedy(scores: Tensor) -> Tensor:
    size, count = scores.shape
    if count == 1:
        return torch.zeros(size, dtype=torch.long)
    two = scores.topk(2, dim=1).values
    wishes = scores.argsort(dim=1, descending=True, stable=True).tolist()
    room = [size // count] * count
    found = [0] * size
    for channel in (two[:, 0] - two[:, 1]).argsort(descending=True, stable=True).tolist():
        group = next(wish for wish in wishes[channel] if room[wish])
        room[group] -= 1
        found[channel] = group
    return torch.tensor(found)


def _swap(scores: Tensor, groups: Tensor) -> Tensor:
    """Swap channels between disjoint pairs of groups, in place, as long as this improves the sum of scores."""
    count = scores.shape[1]
    least = 1e-12 * float(scores.abs().sum().item())  # smaller gains are rounding errors
    while True:
        moved = scores - scores.gather(1, groups[:, None])  # gain of each channel in each group
        members = groups.argsort(stable=True).view(count, -1)
        best, who = moved[members].max(dim=1)  # (from, to)
        gains = (best + best.T).triu(1)
        pairs = (gains > least).nonzero()
        if not len(pairs):
            return groups
        order = gains[pairs[:, 0], pairs[:, 1]].argsort(descending=True, stable=True)
        touched: set[int] = set()
        for one, two in pairs[order].tolist():
            if touched.isdisjoint((one, two)):
                touched |= {one, two}
                leaving, coming = members[one, who[one, two]], members[two, who[two, one]]
                groups[leaving], groups[coming] = two, one
