"""Operations on sizes that are unknown or parameters of the program."""

from __future__ import annotations

from typing import Any

import pytest

from convlint import symbolic
from convlint.static import torch_shapes
from convlint.static.domain.execution import ConstructorError, Execution
from convlint.static.domain.objects import Class, Instance
from convlint.static.domain.values import UNKNOWN, Tensor

c, h, w = symbolic.symbol("c"), symbolic.symbol("h"), symbolic.symbol("w")


@pytest.fixture
def run() -> Execution:
    return Execution()


def layer(run: Execution, name: str, *args: Any, **kwargs: Any) -> Instance:
    result = Instance(Class(f"torch.nn.{name}"))
    try:
        result.attrs.update(torch_shapes.LAYERS[name].construct(run, *args, **kwargs))
    except ConstructorError as rejection:
        result.attrs.update(rejection.attrs)
        result.error = str(rejection)
    result.kind = name
    return result


def call(run: Execution, owner: Instance, *args: Any) -> Any:
    return torch_shapes.LAYERS[owner.kind or ""].forward(run, owner, *args)


def function(run: Execution, name: str, *args: Any, **kwargs: Any) -> Any:
    handler = torch_shapes.function(name) or torch_shapes.method(name)
    assert handler is not None
    return handler(run, *args, **kwargs)


def errors(run: Execution) -> list[str]:
    return [step.error for step in run.steps if step.error is not None]


def reduced(run: Execution, tensor: Tensor) -> tuple[Any, ...]:
    return tuple([run.reduced(one) for one in tensor.shape or ()])


def test_the_first_layer_tells_what_an_unknown_tensor_is(run: Execution) -> None:
    x = run.tensor(None)
    result = call(run, layer(run, "Conv2d", 3, 16, 3, stride=2, padding=1), x)
    _, channels, height, _ = reduced(run, x)
    assert channels == 3
    assert reduced(run, result)[1:3] == (16, (height + 1) // 2)


def test_a_second_layer_that_asks_for_something_else_is_wrong(run: Execution) -> None:
    x = run.tensor(None)
    call(run, layer(run, "Conv2d", 3, 16, 3), x)
    call(run, layer(run, "Conv2d", 4, 16, 3), x)
    assert "to have 4 channels, but got 3 channels" in errors(run)[0]


def test_a_mistake_is_told_once(run: Execution) -> None:
    x = call(run, layer(run, "Conv2d", 3, 16, 3), run.tensor((1, 3, 9, 9)))
    x = call(run, layer(run, "BatchNorm2d", 32), x)
    call(run, layer(run, "Conv2d", 32, 8, 3), x)
    assert len(errors(run)) == 1


def test_parameters_that_must_agree_are_demanded(run: Execution) -> None:
    x = call(run, layer(run, "Conv2d", 3, c, 3), run.tensor((1, 3, 9, 9)))
    call(run, layer(run, "BatchNorm2d", 64), x)
    assert errors(run) == []
    assert run.demands == [(c, 64)]


def test_groups_that_must_divide_are_demanded(run: Execution) -> None:
    assert layer(run, "Conv2d", c, 2 * c, 3, groups=c).error is None
    assert run.demands == []
    assert layer(run, "Conv2d", c, h, 3, groups=c).error is None
    assert run.demands == [(h % c, 0)]


def test_a_refused_layer_stands_in_with_the_numbers_asked_for(run: Execution) -> None:
    conv = layer(run, "Conv2d", 6, 9, 3, groups=4)
    assert conv.error == "in_channels must be divisible by groups"
    assert call(run, conv, run.tensor((1, 6, 9, 9))).shape == (1, 9, 7, 7)


def test_a_replaced_weight_decides(run: Execution) -> None:
    conv = layer(run, "Conv2d", 3, 16, 3)
    conv.attrs["weight"] = run.tensor((16, 1, 3, 3))
    call(run, conv, run.tensor((1, 1, 9, 9)))
    assert errors(run) == []


def test_a_lazy_layer_takes_what_arrives_first(run: Execution) -> None:
    conv = layer(run, "LazyConv2d", 8, 3)
    call(run, conv, run.tensor((1, 5, 9, 9)))
    call(run, conv, run.tensor((1, 6, 9, 9)))
    assert len(errors(run)) == 1


def test_a_bias_that_a_flag_decides_stays_that_flag(run: Execution) -> None:
    call(run, layer(run, "Conv2d", 3, 8, 3, bias=c), run.tensor((1, 3, 9, 9)))
    assert run.steps[-1].attrs["bias"] == c


def test_elementwise_results_share_a_shape_that_is_found_out_later(run: Execution) -> None:
    x = run.tensor(None)
    y = function(run, "torch.nn.functional.relu", x)
    call(run, layer(run, "Conv2d", 3, 8, 3), x)
    assert reduced(run, y)[1] == 3


def test_parameters_are_added_to_equals(run: Execution) -> None:
    result = function(run, "torch.add", run.tensor((1, c, h, w)), run.tensor((1, 64, h, w)))
    assert result.shape == (1, 64, h, w)
    assert run.demands == [(c, 64)]


def test_an_unknown_size_may_be_stretched(run: Execution) -> None:
    mask = run.tensor((1, run.fresh("channels"), h, w))
    result = function(run, "torch.mul", run.tensor((1, 64, h, w)), mask)
    assert result.shape == (1, 64, h, w)
    call(run, layer(run, "Conv2d", 1, 8, 3), mask)
    assert errors(run) == []


def test_a_width_and_its_double_are_added_for_one_channel_only(run: Execution) -> None:
    run.note_widths([c])
    function(run, "torch.add", run.tensor((1, c, h, w)), run.tensor((1, 2 * c, h, w)))
    assert errors(run) == []
    assert run.demands == [(c, 1)]


def test_sums_that_never_fit_are_wrong(run: Execution) -> None:
    function(run, "torch.add", run.tensor((1, c + 1, h, w)), run.tensor((1, c + 2, h, w)))
    assert "must match the size of tensor b" in errors(run)[0]


def test_what_is_no_known_width_may_be_0(run: Execution) -> None:
    function(run, "torch.cat", [run.tensor((1, c, h, w)), run.tensor((1, 2 * c, h, w))], 2)
    assert errors(run) == []


def test_adding_something_unknown_keeps_the_shape(run: Execution) -> None:
    assert function(run, "torch.add", run.tensor((2, 64, h, w)), UNKNOWN).shape == (2, 64, h, w)


def test_what_is_made_to_be_stretched_tells_nothing_of_the_sum(run: Execution) -> None:
    assert function(run, "torch.add", run.tensor((64, 1, 1)), UNKNOWN).shape is None


def test_view_divides_symbols(run: Execution) -> None:
    x = run.tensor((2, c, h, w))
    assert function(run, "view", x, 2, -1).shape == (2, c * h * w)
    assert function(run, "view", x, 2, 4, -1, h, w).shape == (2, 4, c // 4, h, w)
    assert run.demands == [(c % 4, 0)]


def test_view_does_not_cut_samples_apart(run: Execution) -> None:
    x = run.tensor((run.fresh("batch"), 16, 6, 6))
    function(run, "view", x, -1, 16 * 5 * 5)
    assert "is invalid for input of size" in errors(run)[0]


def test_view_may_put_frames_of_several_samples_together(run: Execution) -> None:
    x = run.tensor((run.fresh("batch"), c, h, w))
    function(run, "view", x, -1, 8, c, h, w)
    assert errors(run) == []


def test_halves_of_a_parameter(run: Execution) -> None:
    parts = function(run, "torch.split", run.tensor((1, c, h, w)), c // 2, dim=1)
    assert [part.shape[1] for part in parts] == [c // 2, c // 2]


def test_chunks_of_an_unknown_width_are_equal(run: Execution) -> None:
    x = run.tensor(None)
    run.require_rank(x, 4)
    one, other = function(run, "torch.chunk", x, 2, dim=1)
    call(run, layer(run, "Conv2d", 32, 8, 3), one)
    assert (reduced(run, other)[1], reduced(run, x)[1]) == (32, 64)


def test_an_unknown_padding_may_be_none(run: Execution) -> None:
    x = run.tensor((1, 8, 9, 9))
    y = call(run, layer(run, "Conv2d", 8, 8, 1, padding=UNKNOWN), x)
    function(run, "torch.add", x, y)
    assert errors(run) == []


def test_a_slice_of_a_parameter(run: Execution) -> None:
    x = run.tensor((1, c, h, w))
    everything = slice(None)
    assert torch_shapes.index(run, x, (everything, slice(None, c // 2))).shape == (1, c // 2, h, w)
    assert torch_shapes.index(run, x, (everything, slice(c // 2, None))).shape == (1, c - c // 2, h, w)
    assert torch_shapes.index(run, x, (..., slice(None, -1))).shape == (1, c, h, w - 1)
    assert torch_shapes.index(run, x, (..., slice(4, w + 4))).shape == (1, c, h, w - 4)
    assert torch_shapes.index(run, x, (..., slice(0, w + 4))).shape == (1, c, h, w)
    other = torch_shapes.index(run, x, (..., slice(1, h + 1)))  # of a width that may be the height
    assert other.shape is not None
    assert other.shape[-1] not in (h, w - 1)


@pytest.mark.parametrize("name", ["torch.nn.functional.gelu", "torch.cat", "torch.zeros", "view"])
def test_names_are_qualified(name: str) -> None:
    assert torch_shapes.function(name) or torch_shapes.method(name)


def test_what_torch_does_not_have_is_none() -> None:
    assert torch_shapes.function("torch.convolve_twice") is None
    assert torch_shapes.method("convolve") is None


def test_fits_as_a_call_would() -> None:
    conv = torch_shapes.function("torch.nn.functional.conv2d")
    assert conv is not None
    assert conv.bind([1, 2], {"stride": 2}) is not None
    assert conv.bind([1], {}) is None
    assert conv.bind([1, 2], {"weight": 1}) is None
    assert conv.bind([1, 2], {"steps": 1}) is None
