"""Checkpoints converted for rewritten models: the nearest weights, exact where there are such, in the file's form."""

from __future__ import annotations

import copy
from math import prod
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlint.ir import IntermediateLayers, Replacement
from convlint.rewriting.kinds import of_code
from convlint.runtime.weights.checkpoint import convert, convert_layer
from convlint.runtime.weights.replace_layers import _defined, replacement_for
from tests.rewriting.suggest_project import Project

# Of "same" with an even kernel PyTorch says that it pads a copy.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")


def randomised(model: nn.Module) -> nn.Module:
    """A model in eval mode, with weights and statistics that no new model has."""
    with torch.no_grad():
        for name, state in model.state_dict().items():
            if "running_var" in name:
                state.uniform_(0.5, 2)
            elif state.is_floating_point():
                state.normal_(std=0.5)
    return model.eval()


def of_form(dense: Any, form: Replacement) -> nn.Module:
    """The rewritten form of a layer, also where it saves nothing."""
    if form.code in ("CVL501", "CVL504"):
        return replacement_for(dense, form).eval()
    made = _defined(form)[of_code(form.code).helpers(form)[0].name](
        *(dense.in_channels, dense.out_channels, dense.kernel_size),
        *(dense.stride, dense.padding, dense.dilation),
        bias=dense.bias is not None,
        padding_mode=dense.padding_mode,
    )
    assert isinstance(made, nn.Module)
    return made.eval()


def kernel(layer: nn.Module, *shape: int) -> Tensor:
    """The weight (D, *shape) of the dense layer that does what a linear one does, whatever that is made of: its
    answers to all inputs that are 1 in one place.
    """
    exact = copy.deepcopy(layer).double()
    units = torch.eye(prod(shape), dtype=torch.float64).view(-1, *shape)
    with torch.no_grad():
        answers: Tensor = exact(units) - exact(units[:1] * 0)
    return answers.flatten(1).T.reshape(-1, *shape).contiguous()


def close(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() < 1e-5 * other.abs().max())


def separable(pairs: int, between: IntermediateLayers = "none") -> Replacement:
    return Replacement("CVL502" if pairs == 1 else "CVL505", pairs=pairs, between=between)


# --- one layer

FORMS = [
    *(Replacement("CVL501", groups=groups) for groups in (2, 4)),
    *(separable(pairs, between) for pairs in (1, 2, 3) for between in ("none", "norm")),
    Replacement("CVL503"),
]


@st.composite
def convolutions(draw: Any) -> nn.Conv2d:
    """Dense convolutions that every form fits."""
    torch.manual_seed(draw(st.integers(0, 9)))
    size, mode = st.integers(2, 4), draw(st.sampled_from(["zeros", "zeros", "reflect", "circular"]))
    padding = draw(st.just("same") | st.tuples(st.integers(0, 2), st.integers(0, 2)))
    stride = 1 if padding == "same" else draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    return nn.Conv2d(
        draw(st.sampled_from([8, 12])),
        draw(st.sampled_from([4, 8])),
        draw(st.tuples(size, size)),
        stride,
        padding,
        draw(st.integers(1, 2)),
        bias=draw(st.booleans()),
        padding_mode=mode,
    ).requires_grad_(requires_grad=False)


def alone(layer: nn.Conv2d) -> nn.Conv2d:
    """A convolution as large as another, that gives one value for a whole map as large as its kernel."""
    height, width = layer.kernel_size
    bias = layer.bias is not None
    return nn.Conv2d(layer.in_channels, layer.out_channels, (height, width), bias=bias)


@settings(deadline=None, max_examples=60)
@given(convolutions(), st.sampled_from(FORMS))
def test_weights_that_a_form_can_have_are_kept(layer: nn.Conv2d, form: Replacement) -> None:
    if form.code == "CVL503":
        layer.padding_mode = "zeros"
    random = randomised(of_form(alone(layer), form))
    layer.weight.copy_(kernel(random, layer.in_channels, *layer.kernel_size))
    parts, error = convert_layer(layer.weight, layer.bias, form)
    made = of_form(layer, form)
    made.load_state_dict(parts)
    x = torch.rand(2, layer.in_channels, 11, 12)
    assert error < 1e-5
    assert close(made(x), layer(x))


@settings(deadline=None, max_examples=60)
@given(convolutions(), st.sampled_from(FORMS))
def test_the_error_is_by_how_much_the_layer_answers_otherwise(layer: nn.Conv2d, form: Replacement) -> None:
    parts, error = convert_layer(layer.weight, layer.bias, form)
    made = of_form(alone(layer), form)
    made.load_state_dict(parts)
    away = kernel(made, layer.in_channels, *layer.kernel_size) - layer.weight
    assert error == pytest.approx(float(away.norm() / layer.weight.norm()), abs=1e-5)
    zeros = torch.zeros(1, layer.in_channels, *layer.kernel_size)
    bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias
    assert torch.allclose(made(zeros).flatten(), bias, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(2, 4)),
    st.integers(4, 9),
    st.sampled_from(["none", "norm"]),
)
def test_a_linear_layer_over_a_map(size: tuple[int, int, int], out: int, between: IntermediateLayers) -> None:
    form = Replacement("CVL504", map_size=size[1:], between=between)
    torch.manual_seed(out)
    layer = nn.Linear(prod(size), out).requires_grad_(requires_grad=False)
    with_error = convert_layer(layer.weight, layer.bias, form)[1]
    layer.weight.copy_(kernel(randomised(of_form(layer, form)), prod(size)))
    parts, error = convert_layer(layer.weight, layer.bias, form)
    made = of_form(layer, form)
    made.load_state_dict(parts)
    x = torch.rand(3, prod(size))
    assert error < 1e-5 <= with_error
    assert close(made(x), layer(x))


@pytest.mark.parametrize("between", ["norm-relu", "norm-prelu"])
def test_nothing_is_near_a_form_with_an_activation(between: IntermediateLayers) -> None:
    with pytest.raises(ValueError, match=f"cannot be converted with {between} between"):
        convert_layer(torch.rand(8, 8, 3, 3), None, separable(1, between))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_weights_keep_their_dtype(form: Replacement, dtype: torch.dtype) -> None:
    parts, _ = convert_layer(torch.rand(8, 8, 3, 3, dtype=dtype), torch.rand(8, dtype=dtype), form)
    assert {tensor.dtype for tensor in parts.values()} - {torch.int64} == {dtype}


# --- a whole model


def test_a_pair_for_every_pixel_of_a_kernel_is_exact_in_a_whole_model() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 6, (2, 3), stride=2, padding="valid", bias=False),
        nn.Sequential(nn.PReLU(), nn.Conv2d(6, 10, 3, dilation=2, padding=2, padding_mode="reflect")),
    )
    randomised(model)
    forms = {"0": separable(9, "norm"), "3": separable(6), "4.1": separable(9)}
    other = copy.deepcopy(model)
    for name, form in forms.items():
        owner, _, attribute = name.rpartition(".")
        made = of_form(model.get_submodule(name), form)
        setattr(other.get_submodule(owner), attribute, made)
    state, errors = convert(model.state_dict(), forms)
    other.load_state_dict(state)
    x = torch.rand(2, 3, 17, 18)
    assert errors.keys() == forms.keys()
    assert max(errors.values()) < 1e-5
    assert close(other.eval()(x), model(x))


EXACT = """\
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.PReLU(32),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 4, 1),
            nn.Flatten(),
            nn.Linear(4 * 14 * 14, 16),
        )
"""


@pytest.fixture
def here(kept: Project) -> Project:
    kept.emptied().write("net.py", EXACT)
    return kept


def shuffled(model: Any) -> None:
    """The channels around layer 3 in another order, in it and in all that follow: the model does the same as before."""
    into, out = torch.randperm(32), torch.randperm(32)
    with torch.no_grad():
        for layer, order in ((model[0], into), (model[1], into), (model[2], into), (model[4], out)):
            for state in layer.state_dict().values():
                if state.dim():
                    state.copy_(state[order])
        model[3].weight.copy_(model[3].weight[out][:, into])
        model[3].bias.copy_(model[3].bias[out])
        model[6].weight.copy_(model[6].weight[:, out])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "form", "arguments", "file"),
    [
        ("3", Replacement("CVL501", groups=2), ("grouped", "--groups", "2"), "new.pt"),
        ("3", Replacement("CVL501", groups=4), ("grouped", "--groups", "4"), "new.safetensors"),
        ("3", separable(2), ("depthwise-separable", "--pairs", "2"), "new.pt"),
        ("3", separable(1, "norm"), ("depthwise-separable", "--between", "norm"), "new.pt"),
        ("3", Replacement("CVL503"), ("factorised",), "new.pt"),
        ("8", Replacement("CVL504", map_size=(14, 14)), ("global-depthwise",), "new.pt"),
    ],
    ids=lambda value: value.code if isinstance(value, Replacement) else "",
)
def test_a_saved_checkpoint_makes_the_rewritten_file_do_the_same(
    here: Project, layer: str, form: Replacement, arguments: tuple[str, ...], file: str
) -> None:
    torch.manual_seed(1)
    model = randomised(here.load("net.py")["Net"]())
    dense: Any = model.get_submodule(layer)
    shape = dense.weight.shape[1:]
    whole = nn.Linear(dense.weight[0].numel(), 16) if layer == "8" else nn.Conv2d(32, 32, 3)
    with torch.no_grad():
        dense.weight.copy_(kernel(randomised(of_form(whole, form)), *shape))
    x = torch.rand(2, 3, 14, 14)
    before = model(x)
    shuffled(model)
    assert close(model(x), before)
    torch.save(model.state_dict(), "net.pt")
    saved = ("--weights", "net.pt", "--save-weights", file, "--output-format", "json")
    document = here.suggest("net.py:Net", "--input", "3,14,14", "--kind", *arguments, *saved).document
    (one,) = document["suggestions"]
    assert (one["code"], one["instances"]) == (form.code, [layer])
    assert one["weight_error"] < 1e-5
    here.apply(document["rewritten"]["diff"])
    rewritten = here.load("net.py")["Net"]()
    path = here.folder / file
    state = safetensors.torch.load_file(path) if "safe" in file else torch.load(path)
    rewritten.load_state_dict(state)
    assert close(rewritten.eval()(x), before)


def test_where_channels_have_to_keep_their_order_a_shuffle_costs() -> None:
    torch.manual_seed(2)
    weight = kernel(randomised(nn.Conv2d(32, 32, 3, groups=2, bias=False)), 32, 3, 3)
    forms = {"": Replacement("CVL501", groups=2)}
    assert convert({"weight": weight}, forms)[1][""] < 1e-6
    assert convert({"weight": weight[torch.randperm(32)]}, forms)[1][""] > 0.5


@pytest.mark.slow
def test_errors_are_those_of_the_checkpoint_that_is_saved(here: Project) -> None:
    here.write(
        "net.py",
        "from torch import nn\n\n\ndef net():\n    return nn.Sequential(\n"
        "        nn.Conv2d(16, 64, 3),\n        nn.Conv2d(64, 64, 1),\n        nn.Conv2d(64, 64, 3),\n    )\n",
    )
    torch.manual_seed(3)
    torch.save(here.load("net.py")["net"]().state_dict(), "net.pt")
    saved = ("--weights", "net.pt", "--save-weights", "new.pt", "--output-format", "json")
    grouped = ("--kind", "grouped", "--groups", "2")
    document = here.suggest("net.py:net", "--input", "16,9,9", *grouped, *saved).document
    found = {one["instances"][0]: one["weight_error"] for one in document["suggestions"]}
    before, after = torch.load("net.pt"), torch.load("new.pt")
    assert found.keys() == {"0", "2"}
    for layer, error in found.items():  # what groups keep are weights of the dense layer
        kept = after[f"{layer}.weight"].square().sum() / before[f"{layer}.weight"].square().sum()
        assert error == pytest.approx((1 - kept.item()) ** 0.5, abs=1e-5)
