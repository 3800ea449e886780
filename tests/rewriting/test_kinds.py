"""What rewritten layers take, estimated from numbers alone: held against the layers themselves, as PyTorch counts."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any, get_args

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from convlint.ir import Costs, Graph, IntermediateLayers, Replacement
from convlint.rewriting.base import CONVOLUTIONS, KindOptions
from convlint.rewriting.kinds import kinds, of_code
from convlint.rewriting.kinds.cvl501_grouped import auto_groups
from convlint.rewriting.layer_use import LayerArguments, LayerUse, layer_arguments, layer_use
from convlint.runtime.measure.memory import with_memory
from convlint.runtime.record import layers
from convlint.runtime.record.record import record
from convlint.runtime.weights.checkpoint import convert_layer
from convlint.runtime.weights.decompose import dense_of_factorised, dense_of_grouped
from convlint.runtime.weights.replace_layers import replacement_for
from convlint.support.dataclass import replace

# Of "same" with an even kernel PyTorch says that it pads a copy.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

CHANNELS = st.integers(1, 40)
WIDE = st.integers(5, 24)
BETWEEN = st.sampled_from(get_args(IntermediateLayers))
MODES = ("zeros", "zeros", "reflect", "replicate", "circular")
SIZES = st.tuples(st.integers(1, 3), st.integers(12, 20), st.integers(12, 20))  # N, H, W


@st.composite
def convolutions(draw: Any, channels: st.SearchStrategy[int] = CHANNELS, modes: Sequence[str] = MODES) -> nn.Conv2d:
    """Convolutions of any arguments, dense for the most part; they fit maps from 12 pixels on."""
    into, out = draw(channels), draw(channels)
    small, pair = st.integers(1, 2), st.tuples(st.integers(1, 3), st.integers(1, 3))
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)) | st.just("same"))
    return nn.Conv2d(
        into,
        out,
        draw(st.tuples(st.integers(1, 5), st.integers(1, 5))),
        1 if padding == "same" else draw(pair),
        padding,
        draw(st.tuples(small, small)),
        draw(st.sampled_from([1, 1, 1, 1, gcd(into, out)])),
        draw(st.booleans()),
        draw(st.sampled_from(modes)),
        dtype=draw(st.sampled_from([torch.float32, torch.float64])),
    )


measures = settings(deadline=None, max_examples=60)


def arguments_of(layer: nn.Module) -> LayerArguments:
    (found,) = layers.layers(layer, ())
    return layer_arguments(found.attrs)


# --- costs


def used(model: nn.Module, name: str, x: Tensor) -> tuple[Graph, LayerUse]:
    """A layer of a model that ran on ``x``."""
    graph = with_memory(record(model, (x,)).graph(), model, (x,))
    layer = graph.layer(name)
    assert layer is not None
    return graph, layer_use(graph, layer)


def amounts(model: nn.Module, x: Tensor) -> Costs:
    """What a model takes as PyTorch counts it, and what autograd keeps for backward as it was measured."""
    made: list[Tensor] = []
    hooks = [
        m.register_forward_hook(lambda *args: made.append(args[2]))
        for m in model.modules()
        if not isinstance(m, nn.Sequential | nn.Flatten | nn.Unflatten)  # which compute no map
    ]
    with FlopCounterMode(display=False) as flops:
        model(x)
    for hook in hooks:
        hook.remove()
    return Costs(
        sum(parameter.numel() for parameter in model.parameters()),
        flops.get_total_flops() // 2,
        sum(tensor.nbytes for tensor in made),
        with_memory(record(model, (x,)).graph(), model, (x,)).saved_bytes,
    )


def check(layer: nn.Conv2d, form: Replacement, size: tuple[int, int, int]) -> None:
    """A layer before, and its estimate after, are what PyTorch counts of it and of the rewritten one."""
    x = torch.rand(size[0], layer.in_channels, *size[1:], dtype=layer.weight.dtype)
    made = replacement_for(layer, form)
    assert made is not layer
    _, one = used(layer, "", x)
    assert one.before == amounts(layer, x)
    assert of_code(form.code).costs(one, form) == amounts(made, x)
    result, expected = made(x), layer(x)
    assert (result.shape, result.dtype) == (expected.shape, expected.dtype)


@measures
@given(convolutions(st.integers(3, 8).map(lambda n: 6 * n)), SIZES, st.sampled_from([2, 3, 6]))
def test_grouped(layer: nn.Conv2d, size: tuple[int, int, int], groups: int) -> None:
    assume(kinds()["grouped"].refusal(arguments_of(layer), KindOptions(groups)) is None)
    check(layer, Replacement("CVL501", groups=groups), size)


@measures
@given(convolutions(WIDE), SIZES, st.integers(1, 3), BETWEEN)
def test_depthwise_separable(
    layer: nn.Conv2d, size: tuple[int, int, int], pairs: int, between: IntermediateLayers
) -> None:
    kind, kind_options = kinds()["depthwise-separable"], KindOptions(pairs=pairs, between=between)
    assume(kind.refusal(arguments_of(layer), kind_options) is None)
    form = kind.form([], kind_options, Graph())
    assert isinstance(form, Replacement)
    check(layer, form, size)


@measures
@given(convolutions(WIDE, ["zeros"]), SIZES)
def test_factorised(layer: nn.Conv2d, size: tuple[int, int, int]) -> None:
    assume(kinds()["factorised"].refusal(arguments_of(layer), KindOptions()) is None)
    uneven = any(d * (k - 1) % 2 for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
    assume(layer.padding != "same" or not uneven)  # PyTorch pads a copy, of which it keeps more
    check(layer, Replacement("CVL503"), size)


@measures
@given(
    st.tuples(st.integers(2, 3), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)),
    st.integers(1, 30),
    st.booleans(),
    BETWEEN,
)
def test_global_depthwise(shape: tuple[int, int, int, int], out: int, bias: bool, between: IntermediateLayers) -> None:
    x = torch.rand(shape)
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0), nn.Linear(x[0].numel(), out, bias))
    kind = kinds()["global-depthwise"]
    graph, one = used(model, "2", x)
    area = shape[2] * shape[3]
    saves = shape[1] * (area + out) < shape[1] * area * out
    assert (kind.refusal_in(graph, one) is None) == (saves and area > 1)
    assume(saves and area > 1)
    form = kind.form([one], KindOptions(between=between), graph)
    assert isinstance(form, Replacement)
    assert form.map_size == shape[2:]
    made, flat = replacement_for(model[2], form), x.flatten(1)
    assert one.before == amounts(model[2], flat)
    assert kind.costs(one, form) == amounts(made, flat)
    assert made(flat).shape == model(x).shape


ALL_CLASSES = [base for base in CONVOLUTIONS if base != "Conv2d"]


@pytest.mark.parametrize("base", ALL_CLASSES)
@pytest.mark.parametrize(
    "form",
    [
        Replacement("CVL501", groups=3),
        Replacement("CVL502"),
        Replacement("CVL505", pairs=2),
        Replacement("CVL502", between="norm-relu"),
    ],
)
def test_other_convolutions_take_what_pytorch_counts(base: str, form: Replacement) -> None:
    layer, x = any_convolution(base)
    form = replace(form, base=base)
    made = replacement_for(layer, form)
    assert made is not layer
    _, one = used(layer, "", x)
    assert of_code(form.code).costs(one, form) == amounts(made, x)
    assert made(x).shape == layer(x).shape


@pytest.mark.parametrize("base", CONVOLUTIONS)
def test_as_many_pairs_as_kernel_values_compute_what_the_layer_did(base: str) -> None:
    layer, x = any_convolution(base)
    pairs = layer.weight[0, 0].numel()
    form = Replacement("CVL505", pairs=pairs, base="" if base == "Conv2d" else base)
    namespace: dict[str, Any] = {"nn": nn}
    helper, _ = of_code("CVL505").helpers(form)
    exec(helper.text, namespace)  # noqa: S102 - convlint's own text
    sizes = {"kernel_size": layer.kernel_size, "stride": layer.stride, "padding": layer.padding}
    made = namespace[helper.name](12, 9, **sizes, **({"output_padding": 1} if "Transpose" in base else {}))
    state, error = convert_layer(layer.weight, layer.bias, form)
    made.double().load_state_dict(state, strict=True)
    assert error < 1e-9
    torch.testing.assert_close(made(x), layer(x))


@pytest.mark.parametrize("base", CONVOLUTIONS)
def test_groups_of_a_block_diagonal_kernel_compute_what_the_layer_did(base: str) -> None:
    layer, x = any_convolution(base)
    form = Replacement("CVL501", groups=3, base="" if base == "Conv2d" else base)
    made = replacement_for(layer, form)
    dense = dense_of_grouped(made.weight, 3)  # type: ignore[arg-type]
    state, error = convert_layer(dense, layer.bias, form)
    made.load_state_dict(state, strict=True)
    layer.load_state_dict({"weight": dense, "bias": layer.bias})
    assert error == 0
    torch.testing.assert_close(made(x), layer(x))


VOLUME = Replacement("CVL503", base="Conv3d")


@pytest.mark.parametrize("options", [{}, {"padding": (2, 1, 0), "stride": (1, 2, 2)}, {"padding": "same"}])
def test_a_convolution_of_volumes_in_planes_and_along_the_depth_takes_what_pytorch_counts(options: Any) -> None:
    layer = nn.Conv3d(12, 9, 3, **options)
    x = torch.rand(2, 12, 6, 5, 7)
    made = replacement_for(layer, VOLUME)
    _, one = used(layer, "", x)
    assert [m.kernel_size for m in made.children()] == [(1, 3, 3), (3, 1, 1)]
    assert of_code("CVL503").costs(one, VOLUME) == amounts(made, x)
    assert made(x).shape == layer(x).shape


def test_a_kernel_of_planes_and_depth_is_found_again() -> None:
    layer, x = any_convolution("Conv3d")
    made = replacement_for(layer, VOLUME)
    layer.weight.data = dense_of_factorised(made.planes.weight, made.depth.weight)  # type: ignore[union-attr, arg-type]
    state, error = convert_layer(layer.weight, layer.bias, VOLUME)
    made.load_state_dict(state, strict=True)
    assert error < 1e-6
    torch.testing.assert_close(made(x), layer(x))


def any_convolution(base: str) -> tuple[Any, Tensor]:
    """A convolution of 12 to 9 channels with a stride, and an input."""
    options = {"output_padding": 1} if "Transpose" in base else {}
    layer = getattr(nn, base)(12, 9, 3, 2, 1, **options).double()
    return layer, torch.rand(2, 12, *(6, 5, 4)[: len(layer.kernel_size)], dtype=torch.float64)


def test_a_layer_that_is_called_twice_takes_twice_as_much() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(32, 32, 3, padding=1)

        def forward(self, x: Tensor) -> Any:
            return self.conv(self.conv(x))

    model, x = Twice(), torch.rand(2, 32, 14, 14)
    _, one = used(model, "conv", x)
    for form in (Replacement("CVL501", groups=2), Replacement("CVL502", between="norm-relu"), Replacement("CVL503")):
        after = of_code(form.code).costs(one, form)
        rewritten = Twice()
        rewritten.conv = replacement_for(model.conv, form)  # type: ignore[assignment]
        counted = amounts(rewritten, x)
        assert (after.params, after.macs, after.saved_bytes) == (*(counted.params, counted.macs, counted.saved_bytes),)


# --- what stays as it is


@settings(deadline=None, max_examples=40)
@given(layer=convolutions(st.sampled_from([*range(3, 8), 16, 24, 32, 48, 64])), training=st.booleans())
@pytest.mark.parametrize(
    "form",
    [
        *(Replacement("CVL501", groups=groups, width=width) for groups in (2, 3, 4) for width in (1, 16)),
        *(Replacement("CVL502", between=between) for between in get_args(IntermediateLayers)),
        *(Replacement("CVL505", pairs=pairs) for pairs in (2, 3, 9)),
        Replacement("CVL503"),
    ],
    ids=str,
)
def test_a_function_around_a_call_leaves_alone_what_does_not_fit(
    form: Replacement, layer: nn.Conv2d, training: bool
) -> None:
    kind_options = KindOptions(form.groups if form.groups > 1 else None, form.pairs, form.between)
    made = replacement_for(layer.train(training), form)
    assert (made is not layer) == of_code(form.code).fits(arguments_of(layer), form, kind_options)
    assert made.training == training


@pytest.mark.parametrize("form", [Replacement("CVL501", groups=2), Replacement("CVL502"), Replacement("CVL503")])
@pytest.mark.parametrize(
    "layer",
    [nn.Linear(32, 32), nn.Identity(), nn.ConvTranspose2d(32, 32, 3), nn.Conv3d(32, 32, 3)],
    ids=lambda layer: type(layer).__name__,
)
def test_a_function_around_a_call_leaves_other_layers_alone(layer: nn.Module, form: Replacement) -> None:
    assert replacement_for(layer, form) is layer


@given(st.integers(1, 24), st.integers(1, 24), st.integers(1, 5), st.integers(1, 12))
def test_separable_is_what_has_fewer_parameters(into: int, out: int, k: int, pairs: int) -> None:
    arguments = LayerArguments(into, out, (k, k), bias=False)
    saves = into * pairs * (k * k + out) < k * k * into * out
    unfit = kinds()["depthwise-separable"].refusal(arguments, KindOptions(pairs=pairs))
    assert (unfit is None) == (saves and into > 4 and k > 1)


@given(st.integers(1, 24), st.integers(1, 24), st.integers(1, 5), st.integers(1, 5))
def test_factorised_is_what_has_fewer_parameters(into: int, out: int, k: int, m: int) -> None:
    arguments = LayerArguments(into, out, (k, m), bias=False)
    saves = m * into * out + k * out * out < k * m * into * out
    unfit = kinds()["factorised"].refusal(arguments, KindOptions())
    assert (unfit is None) == (saves and into > 4 and min(k, m) > 1)


@pytest.mark.parametrize(
    ("height", "width", "fits"), [(12, 20, True), (20, 12, True), (11, 16, False), (16, 21, False)]
)
def test_factorised_is_for_maps_of_12_to_20_pixels(height: int, width: int, fits: bool) -> None:
    graph, one = used(nn.Conv2d(32, 32, 3), "", torch.rand(1, 32, height, width))
    reason = kinds()["factorised"].refusal_in(graph, one)
    assert (reason is None) == fits
    assert fits or f"its feature map is {height}x{width}" in str(reason)


# --- how many groups

LISTS = st.lists(st.tuples(st.integers(2, 40), st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=4)


@given(LISTS, st.booleans())
def test_groups_divide_all_layers_of_a_call_and_leave_16_channels_to_each(
    sizes: list[tuple[int, int, int]], same: bool
) -> None:
    if same:
        sizes = [(sizes[0][0], a, b) for _, a, b in sizes]
    every = [LayerArguments(16 * g * a, 16 * g * b, (3, 3)) for g, a, b in sizes]
    channels = [n for one in every for n in (one.in_channels, one.out_channels)]
    possible = [g for g in range(2, 300) if all(n % g == 0 and n // g >= 16 for n in channels)]
    groups = auto_groups(every)
    if 32 in possible:
        assert groups == 32
    elif possible:
        powers = [g for g in possible if g in (2, 4, 8, 16, 64, 128)]
        assert groups == max(powers or possible)
    else:  # those that it does not divide stay dense
        fits = kinds()["grouped"].fits
        form = Replacement("CVL501", groups=groups, width=16)
        assert any(fits(one, form, KindOptions()) for one in every)


@pytest.mark.parametrize(
    ("channels", "groups"),
    [
        ([(64, 256)], 4),
        ([(1024, 512)], 32),
        ([(4096, 4096)], 32),
        ([(512, 512), (64, 64)], 4),
        ([(96, 96)], 4),
        ([(48, 51)], 3),
        ([(32, 32), (48, 51)], 3),
    ],
)
def test_auto_groups(channels: list[tuple[int, int]], groups: int) -> None:
    assert auto_groups([LayerArguments(*pair, (3, 3)) for pair in channels]) == groups


@pytest.mark.parametrize(("area", "stays"), [((1, 1), True), ((2, 2), False)])
def test_a_transposed_convolution_of_one_pixel_does_not_become_separable(area: tuple[int, int], *, stays: bool) -> None:
    """Behind a 1x1 convolution each channel of the map would be a multiple of one kernel, which PyTorch shows."""
    pointwise, depthwise = nn.Conv2d(8, 6, 1, bias=False), nn.ConvTranspose2d(6, 6, 4, groups=6, bias=False)
    first, second = (depthwise(pointwise(torch.rand(1, 8, *area))).flatten(2) for _ in range(2))
    assert (torch.linalg.matrix_rank(torch.cat((first, second)).transpose(0, 1)).max() == 1) == stays
    graph, one = used(nn.Sequential(nn.ConvTranspose2d(8, 6, 4)), "0", torch.rand(1, 8, *area))
    assert (kinds()["depthwise-separable"].refusal_in(graph, one) is not None) == stays
