"""Weights of rewritten layers that reproduce the outputs of the dense layer on data best, by least squares.

The first kernels of a rewritten layer are those of the decomposition of the dense kernel after whitening its inputs;
the last kernel is the regression of the dense outputs on what the first ones compute. For a given subspace this is the
optimum (Zhang et al. 2015, arXiv:1505.06798, for one factor).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from convlint.ir import Replacement
from convlint.rewriting.kinds.cvl503_factorised import children
from convlint.rewriting.kinds.cvl507_low_rank import FIRST
from convlint.runtime.data.moments import Moments
from convlint.runtime.weights import ranks as decomposition
from convlint.runtime.weights.checkpoint import State, convert_layer, ranks_of
from convlint.support.dataclass import dataclass

_RIDGE = 1e-4  # share of the mean variance that is added to all variances
_ROUNDS = 3  # of depthwise and pointwise kernels in turns
_JOINT = 1400  # depthwise values that are solved for together


@dataclass(frozen=True, slots=True)
class Fitted:
    """The state of a rewritten layer, its equivalent dense kernel (D, C * K), and its error on the data.

    ``error`` is ``|y - y'| / |y|`` of the layer's outputs, around their means.
    """

    state: State
    error: float


Fit = Callable[[Tensor, Tensor, Tensor, Tensor, Replacement], tuple[State, Tensor]]


def fit(layer: nn.Module, form: Replacement, moments: Moments) -> Fitted:
    """Fit the rewritten form of a dense layer to the outputs in ``moments``.

    The means are matched by the bias; without one, by the norm that follows.
    """
    weight = layer.weight
    assert isinstance(weight, Tensor)
    bias = layer.bias if isinstance(layer.bias, Tensor) else None
    xx, yx, yy = moments.centred(centre=True)
    fitted = _FITS.get(form.code) if form.between == "none" and not decomposition.is_transposed(form) else None
    state, _ = convert_layer(weight.detach(), None if bias is None else bias.detach(), form)
    if fitted is None:
        return Fitted(state, float("nan"))
    parts, dense = fitted(weight.detach().double(), xx, yx, yy, form)
    state |= {name: tensor.reshape(state[name].shape).to(state[name]) for name, tensor in parts.items()}
    if bias is not None:
        name = next(key for key in reversed(state) if key.endswith("bias"))
        state[name] = moments.bias(dense).to(state[name])
    return Fitted(state, error_of(dense, xx, yx, yy))


def error_of(dense: Tensor, xx: Tensor, yx: Tensor, yy: Tensor) -> float:
    """The relative error of the outputs of a kernel (D, P)."""
    lost = yy.sum() - 2 * (dense * yx).sum() + ((dense @ xx) * dense).sum()
    return float((lost.clamp(min=0) / yy.sum().clamp(min=1e-30)).sqrt())


def whitened(kernel: Tensor, moments: Moments | None) -> Tensor:
    """The energy (C, D) of a kernel (D, C, *k) for each pair of an input and an output component.

    The components are those of ``_tucker``: of the whitened inputs and of the outputs, or of the kernel alone.
    """
    out, into = kernel.shape[:2]
    flat = kernel.flatten(2)
    if moments is not None:
        xx, _, _ = moments.centred(centre=True)
        size = flat.shape[2]
        root, _ = _roots(torch.einsum("ikjk->ij", xx.view(into, size, into, size)))
        flat = torch.einsum("dck,ci->dik", flat, root)
    ins = decomposition.leading(flat.transpose(0, 1).flatten(1), into)
    outs = decomposition.leading(flat.flatten(1), out)
    return torch.einsum("dik,ic,de->cek", flat, ins, outs).square().sum(2)


def _solved(matrix: Tensor, right: Tensor) -> Tensor:
    """``right @ matrix⁻¹`` of a covariance (n, n), with a ridge."""
    ridge = _RIDGE * matrix.diagonal().mean().clamp(min=1e-12)
    regular = matrix + ridge * torch.eye(len(matrix), dtype=matrix.dtype)
    solution: Tensor = torch.linalg.solve(regular, right.T)
    return solution.T


def _balanced(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Factors with the product of ``left`` (..., m, r) and ``right`` (..., r, n), orthogonal and of equal magnitude."""
    one, first = torch.linalg.qr(left)
    two, second = torch.linalg.qr(right.mT)
    u, values, v = torch.linalg.svd(first @ second.mT, full_matrices=False)
    root = values.sqrt()
    missing = left.shape[-1] - values.shape[-1]  # a rank above the sizes of the product
    made = (one @ u) * root[..., None, :], (root[..., None] * v) @ two.mT
    return nn.functional.pad(made[0], (0, missing)), nn.functional.pad(made[1], (0, 0, 0, missing))


def _roots(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """The square root of a covariance (..., n, n), and its inverse."""
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=0)
    values = values + _RIDGE * values.mean(-1, keepdim=True).clamp(min=1e-12)
    root = values.sqrt()
    whole: Tensor = (vectors * root[..., None, :]) @ vectors.mT
    inverse: Tensor = (vectors / root[..., None, :]) @ vectors.mT
    return whole, inverse


def _tucker(weight: Tensor, xx: Tensor, yx: Tensor, _: Tensor, form: Replacement) -> tuple[State, Tensor]:
    groups = form.groups
    parts: dict[str, list[Tensor]] = {"reduce": [], "core": [], "expand": []}
    r, s = (rank // groups for rank in ranks_of(weight, form))
    dense = torch.zeros_like(yx)
    for rows, columns, kernel in _by_group(weight, groups):
        out, into, size = len(kernel), kernel.shape[1], kernel[0, 0].numel()
        gram, target = xx[columns, columns], yx[rows, columns]
        blocks = gram.view(into, size, into, size)
        root, inverse = _roots(torch.einsum("ikjk->ij", blocks))
        outputs = torch.eye(out, dtype=weight.dtype)
        for _round in range(2):  # the input channels that matter depend on the outputs that are kept
            seen = (outputs.T @ kernel.flatten(1)).view(-1, into, size).transpose(0, 1).flatten(1)
            reduce = (inverse @ decomposition.leading(root @ seen, r)).T  # (R, C)
            reduced = torch.einsum("rc,ckdl,sd->rksl", reduce, blocks, reduce).reshape(r * size, r * size)
            wanted = torch.einsum("dck,rc->drk", target.view(out, into, size), reduce).flatten(1)
            best = _solved(reduced, wanted)
            outputs = decomposition.leading(best @ _roots(reduced)[0], s)
        # Orthonormal rows, as of the nearest weights: other scales would make training slow.
        basis, mixing = torch.linalg.qr(reduce.T)
        reduce = basis.T
        core = torch.einsum("srk,qr->sqk", (outputs.T @ best).view(s, r, size), mixing).flatten(1)  # (S, R * K)
        whole = torch.einsum("drk,rc->dck", (outputs @ core).view(out, r, size), reduce)
        dense[rows, columns] = whole.flatten(1)
        parts["reduce"].append(reduce)
        parts["core"].append(core.view(s, r, *kernel.shape[2:]))
        parts["expand"].append(outputs)
    return {f"{name}.weight": torch.cat(kernels) for name, kernels in parts.items()}, dense


def _low_rank(weight: Tensor, xx: Tensor, yx: Tensor, _: Tensor, form: Replacement) -> tuple[State, Tensor]:
    ones = FIRST[weight.dim() - 2]
    (rank,) = ranks_of(weight, form)
    first, second, dense = _spatial(weight, xx, yx, ones, rank, form.groups)
    return {"first.weight": first, "second.weight": second}, dense


def _factorised(weight: Tensor, xx: Tensor, yx: Tensor, _: Tensor, __: Replacement) -> tuple[State, Tensor]:
    count = weight.dim() - 2
    first, second, dense = _spatial(weight, xx, yx, tuple(range(1, count)), len(weight), 1)
    names = children(count)
    return {f"{names[0]}.weight": first, f"{names[1]}.weight": second}, dense


def _spatial(
    weight: Tensor, xx: Tensor, yx: Tensor, ones: tuple[int, ...], rank: int, groups: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Kernels over the dimensions ``ones``, then over the others: both, and the equivalent dense kernel."""
    size = weight.shape[2:]
    twos = tuple(axis for axis in range(len(size)) if axis not in ones)
    firsts, seconds, dense = [], [], torch.zeros_like(yx)
    each = rank // groups
    for rows, columns, kernel in _by_group(weight, groups):
        out, into = kernel.shape[:2]
        order = [0, *(axis + 1 for axis in ones), *(axis + 1 for axis in twos)]  # (C, one, two)
        one = int(torch.tensor([size[axis] for axis in ones]).prod())
        two = kernel[0, 0].numel() // one
        index = torch.arange(into * one * two).view(into, *size).permute(order).reshape(-1)
        gram = xx[columns, columns][index][:, index].view(into * one, two, into * one, two)
        target = yx[rows, columns][:, index].view(out, into * one, two)
        flat = kernel.flatten(1)[:, index].view(out, into * one, two)
        root, inverse = _roots(torch.einsum("ajbj->ab", gram))
        matrix = root @ flat.permute(1, 0, 2).flatten(1)
        first = (inverse @ decomposition.leading(matrix, each)).T  # (R, C * one)
        reduced = torch.einsum("ra,ajbl,sb->rjsl", first, gram, first).reshape(each * two, each * two)
        wanted = torch.einsum("daj,ra->drj", target, first).flatten(1)
        second = _solved(reduced, wanted).view(out, each, two)
        rows_of_second, first = _balanced(second.transpose(1, 2).reshape(out * two, each), first)
        second = rows_of_second.view(out, two, each).transpose(1, 2)
        whole = torch.einsum("drj,ra->daj", second, first).flatten(1)
        back = torch.empty_like(whole)
        back[:, index] = whole
        dense[rows, columns] = back
        firsts.append(first.view(each, into, *[size[a] if a in ones else 1 for a in range(len(size))]))
        seconds.append(second.view(out, each, *[size[a] if a in twos else 1 for a in range(len(size))]))
    return torch.cat(firsts), torch.cat(seconds), dense


def _separable(weight: Tensor, xx: Tensor, yx: Tensor, _: Tensor, form: Replacement) -> tuple[State, Tensor]:
    kernel = weight if weight.dim() > 2 else weight.unflatten(1, (-1, *form.map_size))
    out, into, pairs = len(kernel), kernel.shape[1], form.pairs
    size = kernel[0, 0].numel()
    gram, target = xx.view(into, size, into, size), yx.view(out, into, size)
    own = gram.diagonal(dim1=0, dim2=2).permute(2, 0, 1)  # (C, K, K)
    root, inverse = _roots(own)
    _left, _values, right = torch.linalg.svd(kernel.flatten(2).transpose(0, 1) @ root, full_matrices=False)
    missing = max(pairs - right.shape[1], 0)
    filters = nn.functional.pad(right[:, :pairs] @ inverse, (0, 0, 0, missing))  # (C, T, K)
    for turn in range(_ROUNDS):
        reduced = torch.einsum("ctk,ckdl,dul->ctdu", filters, gram, filters).reshape(into * pairs, into * pairs)
        wanted = torch.einsum("dck,ctk->dct", target, filters).flatten(1)
        mixing = _solved(reduced, wanted)
        if into * pairs * size > _JOINT or turn == _ROUNDS - 1 or missing:
            break
        weights = mixing.view(out, into, pairs)
        joint = torch.einsum("oct,odu,ckdl->ctkdul", weights, weights, gram)
        right_side = torch.einsum("oct,ock->ctk", weights, target).reshape(1, -1)
        filters = _solved(joint.reshape(right_side.shape[1], -1), right_side).view(into, pairs, size)
    by_channel, filters = _balanced(mixing.view(out, into, pairs).transpose(0, 1), filters)
    mixing = by_channel.transpose(0, 1).reshape(out, into * pairs)
    dense = torch.einsum("dct,ctk->dck", mixing.view(out, into, pairs), filters).flatten(1)
    last = "linear.weight" if form.code == "CVL504" else "pointwise.weight"
    return {"depthwise.weight": filters, last: mixing}, dense


def _grouped(weight: Tensor, xx: Tensor, yx: Tensor, _: Tensor, form: Replacement) -> tuple[State, Tensor]:
    out, features = yx.shape[0] // form.groups, yx.shape[1] // form.groups
    kernels, dense = [], torch.zeros_like(yx)
    for group in range(form.groups):
        rows, columns = slice(group * out, (group + 1) * out), slice(group * features, (group + 1) * features)
        kernel = _solved(xx[columns, columns], yx[rows, columns])
        dense[rows, columns] = kernel
        kernels.append(kernel)
    del weight
    return {"weight": torch.cat(kernels)}, dense


_FITS: dict[str, Fit] = {
    "CVL501": _grouped,
    "CVL502": _separable,
    "CVL503": _factorised,
    "CVL504": _separable,
    "CVL505": _separable,
    "CVL506": _tucker,
    "CVL507": _low_rank,
}


def _by_group(weight: Tensor, groups: int) -> list[tuple[slice, slice, Tensor]]:
    """The rows and columns of each group in the moments, and its kernel (D / g, C / g, *k)."""
    out = len(weight) // groups
    features = weight[0].numel()
    return [
        (slice(g * out, (g + 1) * out), slice(g * features, (g + 1) * features), weight[g * out : (g + 1) * out])
        for g in range(groups)
    ]
