"""Conversions of trained weights: rebuilt weights do what the pairs do, and nothing of the same form is nearer."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import combinations, permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from convlint.runtime.weights import decompose
from convlint.runtime.weights.decompose import (
    dense_of_factorised,
    dense_of_global,
    dense_of_grouped,
    dense_of_separable,
    factorised,
    global_depthwise,
    grouped,
    partition,
    relative_error,
    separable,
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5 * float(other.abs().max()))


def kept(weight: Tensor, orders: tuple[Tensor, Tensor], groups: int) -> float:
    """The share of a weight's energy that is in its blocks, with the channels in these orders."""
    inputs, outputs = orders
    blocks = grouped(weight[outputs][:, inputs], groups)
    return float(blocks.double().square().sum() / weight.double().square().sum())


def identity(weight: Tensor) -> tuple[Tensor, Tensor]:
    return torch.arange(weight.shape[1]), torch.arange(weight.shape[0])


# --- pairs of layers are what their rebuilt weights say


@pytest.mark.parametrize("pairs", [1, 2, 9, 11])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_separable_pair_convolves_as_its_dense_weight(pairs: int, stride: int) -> None:
    weight, x = drawn(6, 4, 3, 3), drawn(2, 4, 9, 8)
    depthwise, pointwise = separable(weight, pairs)
    assert depthwise.shape == torch.nn.Conv2d(4, 4 * pairs, 3, groups=4).weight.shape
    assert pointwise.shape == torch.nn.Conv2d(4 * pairs, 6, 1).weight.shape
    between = functional.conv2d(x, depthwise, stride=stride, padding=1, groups=4)
    dense = dense_of_separable(depthwise, pointwise, pairs)
    assert_close(functional.conv2d(between, pointwise), functional.conv2d(x, dense, stride=stride, padding=1))


def test_a_factorised_pair_convolves_as_its_dense_weight() -> None:
    weight, x = drawn(6, 4, 3, 5), drawn(2, 4, 12, 13)
    first, second = factorised(weight)
    between = functional.conv2d(x, first, stride=(1, 3), padding=(0, 2))
    dense = dense_of_factorised(first, second)
    assert_close(
        functional.conv2d(between, second, stride=(2, 1), padding=(1, 0)),
        functional.conv2d(x, dense, stride=(2, 3), padding=(1, 2)),
    )


def test_a_global_pair_maps_as_its_dense_weight() -> None:
    weight, x = drawn(6, 5 * 3 * 4), drawn(2, 5, 3, 4)
    depthwise, linear = global_depthwise(weight, (3, 4))
    assert depthwise.shape == torch.nn.Conv2d(5, 5, (3, 4), groups=5).weight.shape
    between = functional.conv2d(x, depthwise, groups=5).flatten(1)
    dense = dense_of_global(depthwise, linear)
    assert_close(functional.linear(between, linear), functional.linear(x.flatten(1), dense))


def test_a_grouped_kernel_convolves_as_its_dense_weight() -> None:
    blocks, x = grouped(drawn(6, 8, 3, 3), 2), drawn(2, 8, 9, 8)
    assert_close(functional.conv2d(x, blocks, groups=2), functional.conv2d(x, dense_of_grouped(blocks, 2)))


# --- where nothing is lost


@pytest.mark.parametrize("kernel", [(3, 3), (1, 5)])
@pytest.mark.parametrize("more", [0, 2])
def test_as_many_pairs_as_a_kernel_has_values_are_exact(kernel: tuple[int, int], more: int) -> None:
    weight, x = drawn(70, 65, *kernel), drawn(1, 65, 8, 8)
    pairs = kernel[0] * kernel[1] + more
    depthwise, pointwise = separable(weight, pairs)
    assert relative_error(weight, dense_of_separable(depthwise, pointwise, pairs)) < 1e-6
    made = functional.conv2d(functional.conv2d(x, depthwise, groups=65), pointwise)
    dense = functional.conv2d(x, weight)
    assert float((made - dense).abs().max() / dense.abs().max()) < 1e-5


def test_more_pairs_lose_less() -> None:
    weight = drawn(16, 8, 3, 3)
    errors = [relative_error(weight, dense_of_separable(*separable(weight, t), t)) for t in (1, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > errors[1] > errors[2] > 0.01


def test_a_kernel_that_was_factorised_is_found_again() -> None:
    weight = dense_of_factorised(drawn(6, 4, 1, 3), drawn(6, 6, 3, 1, seed=1))
    assert relative_error(weight, dense_of_factorised(*factorised(weight))) < 1e-6


def test_a_thin_input_needs_fewer_filters_than_there_are_outputs() -> None:
    weight = drawn(16, 1, 3, 3)  # rank 3, where 16 filters stand
    first, second = factorised(weight)
    assert (first.shape, second.shape) == ((16, 1, 1, 3), (16, 16, 3, 1))
    assert relative_error(weight, dense_of_factorised(first, second)) < 1e-6


def test_a_linear_layer_that_was_global_is_found_again() -> None:
    weight = dense_of_global(drawn(100, 1, 7, 7), drawn(8, 100, seed=1))
    assert relative_error(weight, dense_of_global(*global_depthwise(weight, (7, 7)))) < 1e-6


def test_a_grouped_kernel_is_found_again() -> None:
    blocks = drawn(6, 4, 3, 3)
    assert torch.equal(grouped(dense_of_grouped(blocks, 2), 2), blocks)


# --- nothing of the same form is nearer

FORMS: dict[str, tuple[Callable[..., tuple[Tensor, Tensor]], Callable[..., Tensor]]] = {
    "separable": (separable, dense_of_separable),
    "factorised": (factorised, dense_of_factorised),
    "global": (lambda weight: global_depthwise(weight, (3, 3)), dense_of_global),
}


@pytest.mark.parametrize("scale", [1e-1, 1e-2, 1e-3])
@pytest.mark.parametrize("form", FORMS)
def test_any_change_of_a_pair_takes_it_farther_away(form: str, scale: float) -> None:
    convert, rebuilt = FORMS[form]
    weight = drawn(6, 12, 3, 3).double()
    if form == "global":
        weight = weight.flatten(1)
    pair = convert(weight)
    best = relative_error(weight, rebuilt(*pair))
    assert best > 0.1
    for seed in range(20):
        one, two = (half + scale * drawn(*half.shape, seed=seed).double() for half in pair)
        assert relative_error(weight, rebuilt(one, two)) > best


def test_the_error_of_a_pair_is_what_the_singular_values_leave() -> None:
    weight = drawn(6, 1, 3, 3).double()
    values = torch.linalg.svdvals(weight.reshape(6, 9))
    left = float(values[2:].norm() / values.norm())
    assert relative_error(weight, dense_of_separable(*separable(weight, 2), 2)) == pytest.approx(left, rel=1e-9)


def test_both_halves_share_the_size_of_a_kernel() -> None:
    depthwise, pointwise = separable(1000 * drawn(6, 4, 3, 3))
    assert_close(depthwise.flatten(1).norm(dim=1), pointwise.flatten(1).norm(dim=0))


# --- what goes in and comes out


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_results_have_the_dtype_of_the_weight_and_no_gradient(dtype: torch.dtype) -> None:
    weight = torch.nn.Parameter(drawn(4, 4, 3, 3).to(dtype))
    halves = [*separable(weight), *factorised(weight), *global_depthwise(weight.flatten(1), (3, 3))]
    rebuilt = dense_of_separable(*separable(weight))
    for made in (*halves, rebuilt, grouped(weight, 2), dense_of_grouped(weight, 1)):
        assert made.dtype == dtype
        assert not made.requires_grad


def test_weights_of_zero_stay_zero() -> None:
    weight = torch.zeros(4, 4, 3, 3)
    for rebuilt in (dense_of_separable(*separable(weight, 10), 10), dense_of_factorised(*factorised(weight))):
        assert relative_error(weight, rebuilt) == 0
    assert relative_error(weight, weight + 1) == float("inf")


def test_relative_error_is_the_part_that_is_gone() -> None:
    assert relative_error(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 0.0])) == pytest.approx(0.8)


def test_what_cannot_be_converted_is_refused() -> None:
    with pytest.raises(ValueError, match="0 pairs"):
        separable(drawn(4, 4, 3, 3), 0)
    with pytest.raises(ValueError, match="3 groups of 6 input and 4 output channels"):
        grouped(drawn(4, 6, 3, 3), 3)
    with pytest.raises(ValueError, match="0 groups"):
        partition(drawn(4, 4, 3, 3), 0)
    with pytest.raises(ValueError, match="10 features are not a multiple of 2x2"):
        global_depthwise(drawn(4, 10), (2, 2))
    with pytest.raises(ValueError, match="in place of"):
        relative_error(drawn(4, 4), drawn(4, 1))  # would broadcast
    with pytest.raises(torch.linalg.LinAlgError):
        separable(drawn(4, 4, 3, 3) * float("nan"))


# --- which channels form a group


def shuffled(weight: Tensor, *, inputs: bool = True, outputs: bool = True) -> Tensor:
    out, into = weight.shape[:2]
    generator = torch.Generator().manual_seed(7)
    rows = torch.randperm(out, generator=generator) if outputs else torch.arange(out)
    columns = torch.randperm(into, generator=generator) if inputs else torch.arange(into)
    return weight[rows][:, columns]


@pytest.mark.parametrize("groups", [2, 4, 8, 16])
@pytest.mark.parametrize("sides", [(True, True), (True, False), (False, True)])
def test_blocks_that_were_shuffled_are_found_again(groups: int, sides: tuple[bool, bool]) -> None:
    inputs, outputs = sides
    hidden = dense_of_grouped(drawn(32, 48 // groups, 3, 3), groups)
    weight = shuffled(hidden, inputs=inputs, outputs=outputs)
    columns, rows = partition(weight, groups, inputs=inputs, outputs=outputs)
    found = weight[rows][:, columns]
    assert torch.equal(found, dense_of_grouped(grouped(found, groups), groups))
    assert kept(weight, identity(weight), groups) < 0.9


def test_blocks_are_found_among_smaller_weights() -> None:
    hidden = dense_of_grouped(drawn(64, 8, 3, 3), 4) + 0.2 * drawn(64, 32, 3, 3, seed=1)
    weight = shuffled(hidden)
    planted = kept(hidden, identity(hidden), 4)
    assert kept(weight, partition(weight, 4), 4) == pytest.approx(planted, rel=1e-9)


def test_channels_in_blocks_keep_their_order() -> None:
    weight = dense_of_grouped(drawn(8, 3, 3, 3), 4)
    for found, unchanged in zip(partition(weight, 4), identity(weight), strict=True):
        assert torch.equal(found, unchanged)


@pytest.mark.parametrize("sides", [(False, False), (True, False), (False, True)])
def test_a_side_keeps_its_order_where_that_is_asked(sides: tuple[bool, bool]) -> None:
    weight = drawn(8, 12, 3, 3)
    found = partition(weight, 4, inputs=sides[0], outputs=sides[1])
    same = [torch.equal(*orders) for orders in zip(found, identity(weight), strict=True)]
    assert same == [not free for free in sides]


@given(
    groups=st.integers(1, 5),
    wide=st.integers(1, 4),
    high=st.integers(1, 4),
    sides=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=100)
def test_a_partition_is_two_permutations_and_never_worse_than_none(
    groups: int, wide: int, high: int, sides: tuple[bool, bool], seed: int
) -> None:
    weight = drawn(groups * high, groups * wide, 2, 2, seed=seed)
    found = partition(weight, groups, inputs=sides[0], outputs=sides[1])
    for order, unchanged in zip(found, identity(weight), strict=True):
        assert order.dtype == torch.long
        assert torch.equal(order.sort().values, unchanged)
    assert kept(weight, found, groups) >= kept(weight, identity(weight), groups) - 1e-9


def test_two_groups_of_outputs_are_the_best_of_all() -> None:
    weight = drawn(8, 6, 3, 3)
    found = partition(weight, 2, inputs=False)
    choices = [(*one, *(set(range(8)) - {*one})) for one in combinations(range(8), 4)]
    best = max(kept(weight, (found[0], torch.tensor(order)), 2) for order in choices)
    assert kept(weight, found, 2) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize(
    "energy",
    [
        pytest.param([[0, 6, 3], [6, 0, 8], [3, 7, 7]], id="by exchanging after a choice"),
        pytest.param([[8, 9, 8], [1, 3, 6], [7, 1, 9]], id="by choosing before exchanging"),
        pytest.param([[1, 1, 0], [6, 4, 7], [4, 5, 7]], id="by who has most to lose"),
        pytest.param([[0, 1, 0], [2, 4, 3], [7, 6, 8]], id="by staying as they are"),
    ],
)
def test_outputs_find_their_best_groups(energy: list[list[int]]) -> None:
    weight = torch.tensor(energy).double().sqrt()
    found = partition(weight, 3, inputs=False)
    best = max(kept(weight, (found[0], torch.tensor(order)), 3) for order in permutations(range(3)))
    assert kept(weight, found, 3) == pytest.approx(best, rel=1e-9)


def best_halves(energy: Tensor) -> float:
    """The largest share of the energy that two groups of each side can keep, by trying all."""
    size, most = len(energy), 0.0
    for chosen in combinations(range(size), size // 2):
        one = torch.zeros(size, dtype=torch.bool)
        one[list(chosen)] = True
        gain = energy[one].sum(0) - energy[~one].sum(0)  # of each column in the first group
        first = gain.topk(len(gain) // 2).values.sum()
        most = max(most, float(energy[~one].sum() + first))
    return most / float(energy.sum())


def test_small_layers_find_the_best_of_all_groups_or_nearly() -> None:
    shares = []
    for seed in range(10):
        weight = drawn(10, 10, 3, 3, seed=seed) * drawn(10, 10, 1, 1, seed=100 + seed).exp()
        best = best_halves(weight.double().square().sum((2, 3)))
        shares.append(kept(weight, partition(weight, 2), 2) / best)
    assert max(shares) == pytest.approx(1, rel=1e-9)
    assert min(shares) > 0.99
    assert sum(share > 1 - 1e-9 for share in shares) >= 8


def test_groups_are_of_one_size_and_never_worse_than_those_known() -> None:
    known = torch.arange(24) % 6
    for seed in range(10):
        scores = drawn(24, 6, seed=seed).double()
        scores += 0.5 * functional.one_hot(known, 6)
        found = decompose._assign(scores, known.clone())
        assert found.bincount().tolist() == [4] * 6
        assert decompose._sum(scores, found) >= decompose._sum(scores, known)
    best = torch.tensor([2, 1, 0])  # the greedy choice comes to 10 of 11, and no exchange of two leads on
    scores = torch.tensor([[3.0, 0, 6], [0, 0, 5], [5, 2, 3]])
    assert torch.equal(decompose._assign(scores, best), best)


def test_a_partition_is_the_same_each_time() -> None:
    weight = drawn(32, 32, 3, 3)
    first, second = partition(weight, 4), partition(weight.clone(), 4)
    assert all(torch.equal(*orders) for orders in zip(first, second, strict=True))


def test_a_wide_layer_is_partitioned_in_seconds() -> None:
    weight = drawn(512, 512, 3, 3)
    start = time.process_time()
    partition(weight, 32)
    assert time.process_time() - start < 5  # 0.2 on an idle core
