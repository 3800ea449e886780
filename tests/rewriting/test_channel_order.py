"""Whose state must follow where the channels of a convolution change their order: on recorded models, and by running
them with all of it changed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from convlint.ir import Graph
from convlint.rewriting.channel_order import ReorderedState, input_order, output_order
from convlint.runtime.record.record import record

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def graph_of(model: nn.Module, *shape: int) -> Graph:
    return record(model, (torch.rand(*(shape or (2, 3, 16, 16))),)).graph()


def neighbours(*between: nn.Module, shape: tuple[int, ...] = ()) -> Graph:
    """Two convolutions, ``0`` to 8 channels and the last from 8, with something between."""
    return graph_of(nn.Sequential(nn.Conv2d(3, 8, 3), *between, nn.Conv2d(8, 4, 1)), *shape)


class Calls(nn.Module):
    """A model of parts ``a``, ``b`` ... whose forward is ``function(self, x)``."""

    def __init__(self, function: Callable[[Any, Tensor], Any], *parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, part in zip("abcdef", parts, strict=False):
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def pair() -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1)


# --- what follows


@pytest.mark.parametrize(
    ("between", "names"),
    [
        (nn.BatchNorm2d(8), BATCH_NORM),
        (nn.BatchNorm2d(8, affine=False), BATCH_NORM),
        (nn.BatchNorm2d(8, track_running_stats=False), ("weight", "bias")),
        (nn.InstanceNorm2d(8, affine=True), ("weight", "bias")),
        (nn.InstanceNorm2d(8, track_running_stats=True), BATCH_NORM),
        (nn.GroupNorm(1, 8), ("weight", "bias")),
        (nn.GroupNorm(8, 8), ("weight", "bias")),
        (nn.PReLU(8), ("weight", "bias")),
    ],
    ids=repr,
)
def test_a_layer_with_numbers_for_each_channel_follows(between: nn.Module, names: tuple[str, ...]) -> None:
    graph = neighbours(between)
    assert input_order(graph, "2") == (ReorderedState("0", ("weight", "bias")), ReorderedState("1", names))
    assert output_order(graph, "0") == (ReorderedState("1", names), ReorderedState("2", ("weight",), dim=1))


@pytest.mark.parametrize(
    "between",
    [
        nn.ReLU(inplace=True),
        nn.Hardswish(),
        nn.PReLU(),
        nn.Dropout2d(),
        nn.Identity(),
        nn.BatchNorm2d(8, affine=False, track_running_stats=False),
        nn.InstanceNorm2d(8),
        nn.MaxPool2d(2),
        nn.AvgPool2d(3, 1, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveMaxPool2d((2, 3)),
        nn.ReflectionPad2d(1),
        nn.Upsample(scale_factor=2),
    ],
    ids=repr,
)
def test_an_operation_that_treats_all_channels_alike_has_nothing_to_change(between: nn.Module) -> None:
    graph = neighbours(between)
    assert input_order(graph, "2") == (ReorderedState("0", ("weight", "bias")),)
    assert output_order(graph, "0") == (ReorderedState("2", ("weight",), dim=1),)


def test_absorbers_before_a_layer_are_named_in_the_order_in_which_they_run() -> None:
    graph = neighbours(nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.PReLU(8))
    found = input_order(graph, "5")
    assert found is not None
    assert [absorber.layer for absorber in found] == ["0", "1", "4"]


def test_padding_that_a_layer_does_itself_is_on_the_way() -> None:
    layers = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3, padding=1, padding_mode="reflect")
    assert input_order(graph_of(nn.Sequential(*layers)), "1") == (ReorderedState("0", ("weight", "bias")),)


def test_maps_of_one_and_of_three_dimensions() -> None:
    flat = nn.Sequential(nn.Conv1d(3, 8, 3), nn.BatchNorm1d(8), nn.MaxPool1d(2), nn.Conv1d(8, 4, 1))
    deep = nn.Sequential(nn.Conv3d(3, 8, 3), nn.BatchNorm3d(8), nn.MaxPool3d(2), nn.Conv3d(8, 4, 1))
    for graph in (graph_of(flat, 2, 3, 16), graph_of(deep, 2, 3, 8, 8, 8)):
        expected = ReorderedState("0", ("weight", "bias")), ReorderedState("1", BATCH_NORM)
        assert input_order(graph, "3") == expected


@pytest.mark.parametrize(
    "flatten",
    [
        lambda x: functional.adaptive_avg_pool2d(x, 1).flatten(1),
        lambda x: functional.adaptive_max_pool2d(x, 1).view(x.shape[0], -1),
        lambda x: functional.adaptive_avg_pool2d(x, 1).squeeze(),
        lambda x: x.mean((2, 3)),
        lambda x: x.mean(-1).amax(dim=-1),
    ],
)
def test_a_linear_layer_that_reads_one_number_of_each_channel_follows(flatten: Callable[[Tensor], Tensor]) -> None:
    head = nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 5)
    model = Calls(lambda m, x: m.d(m.c(m.b(flatten(m.a(x))))), nn.Conv2d(3, 8, 3), *head)
    expected = ReorderedState("b", BATCH_NORM), ReorderedState("d", ("weight",), dim=1)
    assert output_order(graph_of(model), "a") == expected


def test_maps_may_be_flattened_each_by_itself() -> None:
    parts = nn.Conv2d(3, 8, 3), nn.Conv1d(8, 4, 1)
    graph = graph_of(Calls(lambda m, x: m.b(m.a(x).flatten(2)), *parts))
    assert input_order(graph, "b") == (ReorderedState("a", ("weight", "bias")),)


def test_all_readers_of_an_output_follow() -> None:
    parts = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1)
    model = Calls(lambda m, x: torch.cat([m.c(y := m.b(m.a(x))), m.d(y.relu())]), *parts)
    assert output_order(graph_of(model), "a") == (
        ReorderedState("b", BATCH_NORM),
        ReorderedState("c", ("weight",), dim=1),
        ReorderedState("d", ("weight",), dim=1),
    )


# --- what is refused


@pytest.mark.parametrize(
    "between",
    [
        nn.GroupNorm(2, 8),
        nn.LayerNorm([8, 14, 14]),
        nn.LocalResponseNorm(2),
        nn.Softmax(dim=1),
        nn.ChannelShuffle(2),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.ConvTranspose2d(8, 8, 1),
        nn.ConstantPad3d((0, 0, 0, 0, 1, -1), 0.0),
        nn.Sequential(nn.PixelShuffle(2), nn.PixelUnshuffle(2)),
        nn.Sequential(nn.Flatten(1), nn.Unflatten(1, (8, 14, 14))),
        parametrizations.weight_norm(nn.Conv2d(8, 8, 1)),
    ],
    ids=lambda module: type(module).__name__,
)
def test_what_does_more_than_treat_each_channel_by_itself_is_refused(between: nn.Module) -> None:
    graph = neighbours(between)
    last = graph.layers[-1].name
    assert last.isdigit()
    assert input_order(graph, last) is None
    assert output_order(graph, "0") is None


def test_a_pool_over_maps_of_fewer_dimensions_goes_over_channels() -> None:
    same = nn.MaxPool2d(3, stride=1, padding=1)
    model = nn.Sequential(nn.Conv1d(3, 8, 3), same, nn.Conv1d(8, 4, 1))
    assert input_order(graph_of(model, 2, 3, 16), "2") is None


@pytest.mark.parametrize("dim", [0, 1])
def test_sums_over_samples_or_channels_are_refused_where_sizes_do_not_tell(dim: int) -> None:
    parts = nn.Conv2d(8, 8, 1), nn.Conv1d(8, 4, 1)
    graph = graph_of(Calls(lambda m, x: m.b(m.a(x).sum(dim)), *parts), 8, 8, 8, 8)
    assert input_order(graph, "b") is None
    assert output_order(graph, "a") is None


def test_an_output_that_nobody_is_seen_to_read_is_refused() -> None:
    assert output_order(graph_of(Calls(lambda m, x: (m.a(x), x)[1], nn.Conv2d(3, 8, 3))), "a") is None


def test_the_first_and_the_last_layer_have_no_neighbour() -> None:
    graph = neighbours(nn.ReLU())
    assert input_order(graph, "0") is None
    assert output_order(graph, "2") is None


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.b((y := m.a(x)) + y.relu()),
        lambda m, x: m.b(torch.cat([(y := m.a(x))[:, 4:], y[:, :4]], 1)),
        lambda m, x: m.b((y := m.a(x)) * y.mean((2, 3), keepdim=True)),
        lambda m, x: m.b(m.a(x) + torch.arange(8.0).view(1, 8, 1, 1)),
        lambda m, x: m.b(m.a(x).flip(1)),
        lambda m, x: (y := m.a(x), m.b(y)),
        lambda m, x: (m.b(y := m.a(x)), y.relu()),
        lambda m, x: (m.b((y := m.a(x)).relu()), y.sum()),
    ],
    ids=["residual", "cat", "gate", "constant", "flip", "returned", "relu returned", "summed up"],
)
def test_merges_and_second_readers_are_refused(forward: Callable[[Any, Tensor], Any]) -> None:
    graph = graph_of(Calls(forward, *pair()))
    assert input_order(graph, "b") is None
    assert output_order(graph, "a") is None


def test_before_a_layer_a_second_reader_is_refused_even_if_it_could_follow() -> None:
    model = Calls(lambda m, x: m.b(y := m.a(x)) + m.c(y), *pair(), nn.Conv2d(8, 4, 1))
    graph = graph_of(model)
    assert input_order(graph, "b") is None
    assert output_order(graph, "a") == (
        ReorderedState("b", ("weight",), dim=1),
        ReorderedState("c", ("weight",), dim=1),
    )


def test_a_residual_block_keeps_its_outer_channels_only() -> None:
    parts = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
    model = Calls(lambda m, x: (y := m.a(x).relu()) + m.c(m.b(y).relu()), *parts)
    graph = graph_of(model)
    assert (input_order(graph, "b"), input_order(graph, "c")) == (None, (ReorderedState("b", ("weight", "bias")),))
    assert (output_order(graph, "b"), output_order(graph, "c")) == ((ReorderedState("c", ("weight",), dim=1),), None)


def test_a_linear_layer_that_reads_more_of_each_channel_is_refused() -> None:
    head = nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * 8, 5)
    assert output_order(graph_of(nn.Sequential(nn.Conv2d(3, 8, 3), *head)), "0") is None


def test_a_linear_layer_along_another_dimension_is_refused() -> None:
    model = nn.Sequential(nn.Conv1d(3, 8, 1), nn.Linear(8, 5))  # of maps that are 8 long
    assert output_order(graph_of(model, 2, 3, 8), "0") is None


def test_a_linear_layer_that_is_called_twice_is_refused() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        return m.b(m.a(x).mean((2, 3))), m.b(x.mean((2, 3)))

    graph = graph_of(Calls(forward, nn.Conv2d(8, 8, 1), nn.Linear(8, 5)), 2, 8, 4, 4)
    assert output_order(graph, "a") is None


@pytest.mark.parametrize("part", ["a", "b", "c"])
def test_layers_that_are_called_twice_are_refused(part: str) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        getattr(m, part)(x)
        return m.c(m.b(m.a(x)))

    model = Calls(forward, nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1))
    graph = graph_of(model, 2, 8, 4, 4)
    assert input_order(graph, "c") is None
    assert output_order(graph, "a") is None


def aliased(first: nn.Module, norm: nn.Module, last: nn.Module, part: int) -> nn.Module:
    model = Calls(lambda m, x: m.c(m.b(m.a(x))), first, norm, last)
    model.add_module("again", (first, norm, last)[part])
    return model


def same_weight(first: nn.Module, norm: nn.Module, last: nn.Module, part: int) -> nn.Module:
    layer = (first, norm, last)[part]
    other = copy.deepcopy(layer)
    other.weight = layer.weight
    return Calls(lambda m, x: m.d(m.c(m.b(m.a(x)))), first, norm, last, other)


def weight_read(first: nn.Module, norm: nn.Module, last: nn.Module, part: int) -> nn.Module:
    def forward(m: Any, x: Tensor) -> Tensor:
        return m.c(m.b(m.a(x))) * (m.a, m.b, m.c)[part].weight.sum()

    return Calls(forward, first, norm, last)


def weight_used(first: nn.Module, norm: nn.Module, last: nn.Module, part: int) -> nn.Module:
    def forward(m: Any, x: Tensor) -> Tensor:
        weight = (m.a, m.b, m.c)[part].weight
        y = m.c(m.b(m.a(x)))
        return functional.prelu(y, weight) if part == 1 else functional.conv_transpose2d(y, weight)

    return Calls(forward, first, norm, last)


def weight_borrowed(first: nn.Module, norm: nn.Module, last: nn.Module, part: int) -> nn.Module:
    """A layer without parameters reads those of another, which it knows in secret."""

    def read(m: Any, y: Tensor) -> Tensor:
        weight = (first, norm, last)[part].weight
        return functional.prelu(y, weight) if part == 1 else functional.conv2d(y, weight)

    return Calls(lambda m, x: m.d(m.c(m.b(m.a(x)))), first, norm, last, Calls(read))


def pruned(first: nn.Module, norm: nn.Module, last: nn.Module, part: int) -> nn.Module:
    from torch.nn.utils import prune

    layers = first, norm, last
    prune.random_unstructured(layers[part], "weight", 0.3)
    return Calls(lambda m, x: m.c(m.b(m.a(x))), *layers)


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("make", [aliased, same_weight, weight_read, weight_used, weight_borrowed, pruned])
def test_layers_whose_state_is_not_theirs_alone_are_refused(make: Callable[..., nn.Module], part: int) -> None:
    parts = nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1, bias=False)
    graph = graph_of(make(*parts, part), 2, 8, 4, 4)
    assert input_order(graph, "c") is None
    assert output_order(graph, "a") is None


def test_layers_that_are_not_registered_have_no_state_to_change() -> None:
    kept = [nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1)]
    model = Calls(lambda m, x: m.kept[1](m.kept[0](x)))
    model.kept = kept
    graph = graph_of(model)
    names = [layer.name for layer in graph.layers if layer.base == "Conv2d"]
    assert len(names) == 2
    assert input_order(graph, names[1]) is None
    assert output_order(graph, names[0]) is None


@pytest.mark.parametrize(
    "convolve",
    [
        lambda m, x: functional.conv2d(x, m.weight * 2, m.bias),
        lambda m, x: functional.conv2d(x, x.mean((2, 3), keepdim=True), m.bias),
        lambda m, x: functional.conv2d(x, m.blur, m.bias),
        lambda m, x: functional.conv2d(functional.conv2d(x, m.weight), m.weight),
    ],
    ids=["scaled", "computed from its input", "another tensor", "twice"],
)
@pytest.mark.parametrize("name", ["0", "1"])
def test_a_convolution_that_does_not_use_its_weight_just_once_is_refused(
    convolve: Callable[[Any, Tensor], Tensor], name: str
) -> None:
    class Own(nn.Conv2d):
        def __init__(self) -> None:
            super().__init__(8, 8, 1)
            self.register_buffer("blur", torch.rand(8, 8, 3, 3))

        def forward(self, input: Tensor) -> Tensor:
            return convolve(self, input)

    layers = (Own(), nn.Conv2d(8, 8, 1)) if name == "0" else (nn.Conv2d(8, 8, 1), Own())
    graph = graph_of(nn.Sequential(*layers), 8, 8, 4, 4)
    assert input_order(graph, "1") is None
    assert output_order(graph, "0") is None


def test_grouped_layers_and_layers_of_no_convolution_are_refused() -> None:
    model = nn.Sequential(nn.Conv2d(4, 8, 1), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1, groups=2))
    graph = graph_of(model, 2, 4, 8, 8)
    for name in ("1", "2", "no such layer"):
        assert input_order(graph, name) is None
        assert output_order(graph, name) is None
    assert output_order(graph, "0") is None


def test_a_map_without_a_batch_is_refused() -> None:
    graph = neighbours(nn.ReLU(), shape=(3, 16, 16))
    assert input_order(graph, "2") is None
    assert output_order(graph, "0") is None


def test_a_run_that_ended_early_says_nothing_of_later_readers() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        m.b(y := m.a(x))
        raise RuntimeError(y.shape)

    graph = graph_of(Calls(forward, *pair()))
    assert input_order(graph, "b") is None
    assert output_order(graph, "a") is None


def test_a_model_with_errors_is_refused() -> None:
    layers = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.BatchNorm2d(5)
    graph = graph_of(nn.Sequential(*layers))
    assert graph.status == "complete"  # with a stand-in for what the norm refused
    assert input_order(graph, "2") is None
    assert output_order(graph, "0") is None


@pytest.mark.parametrize("name", ["0", "1", "2"])
def test_a_layer_that_a_stand_in_was_built_for_or_a_call_not_seen_is_refused(name: str) -> None:
    graph = neighbours(nn.BatchNorm2d(8))
    layers = [replace(x, error="refused") if x.name == name else x for x in graph.layers]
    for changed in (replace(graph, layers=tuple(layers)), replace(graph, calls=(*graph.calls, *graph.calls_of(name)))):
        assert input_order(graph, "2")
        assert input_order(changed, "2") is None
        assert output_order(changed, "0") is None


# --- and then it computes the same


class Net(nn.Module):
    """A stem, a residual block, branches, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.PReLU(8), nn.MaxPool2d(2))
        self.block = nn.Sequential(
            nn.Conv2d(8, 12, 3, padding=1, bias=False),
            nn.BatchNorm2d(12),
            nn.ReLU(inplace=True),
            nn.Conv2d(12, 10, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(10, affine=True),
            nn.GELU(),
            nn.Dropout(),
            nn.Conv2d(10, 8, 1),
        )
        self.wide, self.high = nn.Conv2d(8, 6, (1, 3)), nn.Conv2d(8, 6, (3, 1))
        self.last, self.norm = nn.Conv2d(6, 16, 3), nn.GroupNorm(1, 16)
        self.head = nn.Linear(16, 5)
        for name, state in self.state_dict().items():
            if "running_var" in name:
                nn.init.uniform_(state, 0.5, 2)
            elif "num_batches" not in name:
                nn.init.normal_(state)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.block(x) + x
        x = self.wide(x)[:, :, 2:] * self.high(x)[..., 2:]
        return self.head(self.norm(self.last(x)).mean((2, 3)))


def permute(model: nn.Module, absorber: ReorderedState, order: Tensor) -> None:
    layer = model.get_submodule(absorber.layer)
    for name in absorber.names:
        state = getattr(layer, name, None)
        if state is not None:
            state.copy_(state.index_select(absorber.dim, order))


SIDES = {
    "input_order": (input_order, "in_channels", ("weight",), 1),
    "output_order": (output_order, "out_channels", ("weight", "bias"), 0),
}


@pytest.mark.parametrize(
    ("side", "layers"), [("input_order", ["block.3", "block.7"]), ("output_order", ["block.0", "block.3", "last"])]
)
def test_a_model_with_all_of_it_permuted_computes_the_same(side: str, layers: list[str]) -> None:
    ask, width, names, dim = SIDES[side]
    torch.manual_seed(0)
    model, x = (Net().double().eval().requires_grad_(False), torch.rand(2, 3, 32, 32, dtype=torch.float64))
    graph, expected = record(model, (x,)).graph(), model(x)
    absorbers = {layer.name: ask(graph, layer.name) for layer in graph.layers}
    assert [name for name, found in absorbers.items() if found is not None] == layers
    for name in layers:
        followers = absorbers[name] or ()
        order = torch.randperm(getattr(model.get_submodule(name), width))
        changes = []
        for absorber in (ReorderedState(name, names, dim), *followers):
            permute(model, absorber, order)
            changes.append(float((model(x) - expected).abs().max() / expected.abs().max()))
        assert min(changes[:-1]) > 1e-3, "as long as one does not follow, it shows"
        assert changes[-1] < 1e-9
