"""Trained dense weights as the weights of rewritten layers, and how much is lost.

D are output channels, C input channels, (kh, kw) or (H, W) a kernel, as in ``nn.Conv2d``. All is computed on the CPU in
float64, and given in the dtype and on the device of the weight. A weight that is not finite raises
``torch.linalg.LinAlgError`` where a singular value decomposition (SVD) is taken of it. Biases stay what they are: they
belong to the last layer of each pair.
"""

from __future__ import annotations

import torch
from torch import Tensor

_AT_ONCE = 64  # channels; the first linear layer of VGG16 would take 0.8 GB in float64


def separable(weight: Tensor, pairs: int = 1) -> tuple[Tensor, Tensor]:
    """A depthwise (C * pairs, 1, kh, kw) and a pointwise (D, C * pairs, 1, 1) kernel for a dense (D, C, kh, kw).

    Rows ``c * pairs`` to ``c * pairs + pairs - 1`` of the first read channel ``c``, as ``nn.Conv2d(C, C * pairs, k,
    groups=C)`` has it. Each channel's matrix (D, kh * kw) gets its best approximation of rank ``pairs``: Network
    Decoupling (Guo et al. 2018, arXiv:1808.05517). It is exact for ``pairs = kh * kw``; kernels beyond the rank
    are zero. Raises ValueError if ``pairs`` is not positive.
    """
    if pairs < 1:
        raise ValueError(f"{pairs} pairs of a depthwise and a pointwise kernel")
    kernel = weight.shape[2:]
    halves = [
        _low_rank(some.transpose(0, 1).flatten(2), pairs)
        for some in weight.detach().split(_AT_ONCE, dim=1)
    ]
    pointwise = torch.cat([left for left, _ in halves])  # (C, D, pairs)
    depthwise = torch.cat([right for _, right in halves])  # (C, pairs, kh * kw)
    return (
        depthwise.reshape(-1, 1, *kernel).to(weight),
        pointwise.transpose(0, 1).reshape(len(weight), -1, *[1] * len(kernel)).to(weight),
    )


def dense_of_separable(depthwise: Tensor, pointwise: Tensor, pairs: int = 1) -> Tensor:
    """The dense kernel (D, C, kh, kw) that does what the two of ``separable`` do."""
    left = _exact(pointwise).flatten(1).unflatten(1, (-1, pairs))
    right = _exact(depthwise).squeeze(1).unflatten(0, (-1, pairs))
    return torch.einsum("dcp,cp...->dc...", left, right).to(depthwise)


def factorised(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A kernel along rows (D, C, 1, kw), and one along columns (D, D, kh, 1) behind it, for a dense (D, C, kh, kw).

    The best approximation of rank D of the matrix ((d, y), (c, x)): scheme 2 of Jaderberg et al. 2014,
    arXiv:1405.3866. Filters beyond the rank are zero.
    """
    out, into, height, width = weight.shape
    matrix = weight.detach().transpose(1, 2).reshape(out * height, into * width)
    left, right = _low_rank(matrix, out)
    return (
        right.view(out, into, 1, width).to(weight),
        left.view(out, height, out, 1).transpose(1, 2).contiguous().to(weight),
    )


def dense_of_factorised(first: Tensor, second: Tensor) -> Tensor:
    """The dense kernel (D, C, kh, kw) that does what the two of ``factorised`` do."""
    rows, columns = _exact(first).squeeze(2), _exact(second).squeeze(3)
    return torch.einsum("dry,rcx->dcyx", columns, rows).to(first)


def global_depthwise(weight: Tensor, map_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """A depthwise kernel (C, 1, H, W) over a whole map, and a linear weight (D, C) behind it, for a linear weight
    (D, C * H * W) over the flattened map: the best approximation of rank 1 for each channel.

    Raises ValueError if no whole number of maps is C * H * W long.
    """
    height, width = map_size
    if weight.shape[1] % (height * width):
        raise ValueError(f"{weight.shape[1]} features are no maps of {height}x{width}")
    depthwise, pointwise = separable(weight.unflatten(1, (-1, height, width)))
    return depthwise, pointwise.flatten(1)


def dense_of_global(depthwise: Tensor, linear: Tensor) -> Tensor:
    """The linear weight (D, C * H * W) that does what the two of ``global_depthwise`` do."""
    maps = _exact(depthwise).flatten(1)
    return (_exact(linear)[:, :, None] * maps).flatten(1).to(linear)


def grouped(weight: Tensor, groups: int) -> Tensor:
    """The block diagonal part (D, C / groups, kh, kw) of a dense kernel: a grouped one, and the best for channels in
    the order that they have. Raises ValueError if ``groups`` does not divide both numbers of channels.
    """
    _check_groups(weight, groups)
    blocks = zip(weight.detach().chunk(groups), range(groups), strict=True)
    return torch.cat([rows.chunk(groups, dim=1)[position] for rows, position in blocks])


def dense_of_grouped(weight: Tensor, groups: int) -> Tensor:
    """The dense kernel (D, C, kh, kw) that does what the grouped one (D, C / groups, kh, kw) does."""
    out, into, *kernel = weight.shape
    dense = weight.new_zeros(out, into * groups, *kernel)
    for position, block in enumerate(weight.detach().chunk(groups)):
        rows, columns = position * (out // groups), position * into
        dense[rows : rows + out // groups, columns : columns + into] = block
    return dense


def relative_error(weight: Tensor, approximation: Tensor) -> float:
    """``|W - W'| / |W|`` in the Frobenius norm; infinite for something in place of zeros only.

    Raises ValueError if the shapes differ.
    """
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
    """Factors (..., m, rank) and (..., rank, n), in float64, of the nearest matrices of that rank.

    Both have the square root of each singular value, so that neither half has the larger weights.
    """
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


# --- which channels form a group


def partition(
    weight: Tensor, groups: int, *, inputs: bool = True, outputs: bool = True
) -> tuple[Tensor, Tensor]:
    """Orders of the input and of the output channels that leave much of a kernel in ``grouped``.

    Each is a permutation, a LongTensor on the CPU: new position -> old channel. ``weight[outputs][:, inputs]`` is what
    to take the blocks of. ``inputs=False`` or ``outputs=False`` says that this side must keep its order.

    The energy E[d, c], the sum of squares of a kernel, says all that matters. With the groups of one side given, the
    best groups of the other are a transportation problem: it is solved nearly (``_assigned``), for each side in turn
    until nothing is gained. The order that the channels have is one of the starts, so it is never made worse.
    Raises ValueError if ``groups`` does not divide both numbers of channels.
    """
    _check_groups(weight, groups)
    energy = _exact(weight).flatten(2).square().sum(2) if weight.dim() > 2 else _exact(weight) ** 2
    rows, columns = (_as_they_are(size, groups) for size in energy.shape)
    if inputs and outputs:
        by_rows = [_scores(energy.T, some, groups) for some in _seeded(energy, groups)]
        starts = [columns, *_seeded(energy.T, groups), *(_assigned(s, columns) for s in by_rows)]
        found = [_alternated(energy, start, groups) for start in starts]
        kept = [_kept(energy, *both) for both in found]
        rows, columns = found[kept.index(max(kept))]
    elif outputs:
        rows = _assigned(_scores(energy, columns, groups), rows)
    elif inputs:
        columns = _assigned(_scores(energy.T, rows, groups), columns)
    return columns.argsort(stable=True), rows.argsort(stable=True)


_SEEDINGS = 4


def _as_they_are(size: int, groups: int) -> Tensor:
    """The group of each channel, (size,), where a group is a run of neighbours."""
    return torch.arange(size) // (size // groups)


def _kept(energy: Tensor, rows: Tensor, columns: Tensor) -> float:
    """The energy that lies within groups."""
    return float(energy[rows[:, None] == columns].sum().item())


def _scores(energy: Tensor, columns: Tensor, groups: int) -> Tensor:
    """(D, groups): the energy of each row in the columns of each group."""
    return energy.new_zeros(len(energy), groups).index_add_(1, columns, energy)


def _alternated(energy: Tensor, columns: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Groups of rows and columns, from a start for the columns, where neither side can gain."""
    rows = _as_they_are(len(energy), groups)
    kept = -1.0
    while (now := _kept(energy, rows, columns)) > kept * (1 + 1e-12):
        kept = now
        rows = _assigned(_scores(energy, columns, groups), rows)
        columns = _assigned(_scores(energy.T, rows, groups), columns)
    return rows, columns


def _seeded(energy: Tensor, groups: int) -> list[Tensor]:
    """Groups of the rows to start from: each grows around one row, and these are as unlike each other as can be.

    From blocks that hardly overlap the seeds are one row of each, whatever the first one is.
    """
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
        starts.append(_assigned(alike[:, seeds], _as_they_are(len(energy), groups)))
    return starts


def _assigned(scores: Tensor, known: Tensor) -> Tensor:
    """The group (n,) of each of n channels, groups of equal size, with a high sum of ``scores`` (n, groups).

    Greedy, those first that have most to lose by their second choice, or what is ``known`` where that is better; then
    channels of two groups are exchanged while it gains.
    """
    greedy = _greedy(scores)
    best = max(known, greedy, key=lambda groups: _sum(scores, groups))  # the first of equals
    return _exchanged(scores, best.clone())


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


def _exchanged(scores: Tensor, groups: Tensor) -> Tensor:
    """``groups``, changed in place: of each pair of groups the best two channels, while that gains anything.

    Exchanges between different groups do not touch each other's gains, so that a round makes many.
    """
    count = scores.shape[1]
    least = 1e-12 * float(scores.abs().sum().item())  # less is rounding
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
