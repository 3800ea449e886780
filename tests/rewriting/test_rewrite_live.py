"""``convlint.suggest`` and ``convlint.rewrite`` on live models, which they leave as they were."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import convlint
from convlint.runtime.weights.checkpoint import convert_layer
from convlint.support.errors import UsageError

NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, bias=False)
        )
        self.head = nn.Linear(2 * width * 12 * 12, 10)

    def forward(self, x):
        return self.head(self.body(self.stem(x)).flatten(1))
"""
SHAPE = (3, 14, 14)


def net() -> Any:
    names: dict[str, Any] = {"__name__": "net"}
    exec(NET, names)  # noqa: S102 - a text of this file
    return names["Net"]()


def state(model: nn.Module) -> list[tuple[Any, ...]]:
    """All that must be the same afterwards, as values that compare with ==."""
    tensors = {**model.state_dict(keep_vars=True), **dict(model.named_parameters())}
    return [
        *((name, id(t), t.tolist(), t.requires_grad, t._version) for name, t in tensors.items()),
        *((name, id(module), module.training) for name, module in model.named_modules()),
        *((name, list(vars(module))) for name, module in model.named_modules()),
        (torch.is_grad_enabled(), torch.get_default_dtype()),
    ]


def amounts(report: convlint.Report) -> tuple[int, int]:
    """Parameters before and after, of all that was chosen."""
    assert report.rewritten is not None
    return report.rewritten.before.params, report.rewritten.after.params


def params(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def chosen(report: convlint.Report) -> list[Any]:
    return [one for one in report.suggestions if one.chosen]


# --- suggestions


def test_each_layer_of_a_live_model_is_judged_by_itself() -> None:
    report = convlint.suggest(net(), SHAPE)
    assert (report.problems, report.findings) == ((), ())
    assert {(one.code, one.instances) for one in report.suggestions} == {
        ("CVL501", ("body.2",)),
        ("CVL502", ("body.2",)),
        ("CVL504", ("head",)),
    }
    assert all(one.verified and one.verified.ran and one.verified.trained for one in chosen(report))
    assert {(one.site, one.diff, one.edits) for one in report.suggestions} == {(None, "", ())}
    assert [one.code for one in chosen(report)] == ["CVL502", "CVL504"]


def test_the_model_and_the_process_are_left_as_they_were() -> None:
    model = net().train()
    model.body.eval()
    model.stem.weight.requires_grad_(requires_grad=False)
    before, random = state(model), torch.random.get_rng_state()
    report = convlint.suggest(model, SHAPE, measure=True, top=1)
    assert report.suggestions[0].latency
    assert state(model) == before
    assert torch.equal(torch.random.get_rng_state(), random)
    convlint.rewrite(model, report.suggestions)
    assert state(model) == before


@pytest.mark.parametrize("given", [SHAPE, "3,14,14", torch.rand(2, 3, 14, 14), {"x": SHAPE}])
def test_inputs_are_given_as_for_check(given: Any) -> None:
    report = convlint.suggest(net(), given, kind="grouped")
    assert [one.instances for one in report.suggestions] == [("body.2",)]


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ({"kind": "grouped"}, ["CVL501"]),
        ({"kind": ["grouped", "global-depthwise"]}, ["CVL504", "CVL501"]),
        ({"kind": "grouped", "groups": 4}, ["CVL501"]),
        ({"kind": "depthwise-separable", "pairs": 2}, ["CVL505"]),
        ({"layer": "body.*"}, ["CVL502", "CVL501"]),
        ({"layer": ["head", "stem"]}, ["CVL504"]),
        ({"top": 1}, ["CVL502"]),
        ({"min_saving": 0.5}, ["CVL502", "CVL504"]),
    ],
    ids=str,
)
def test_options(options: dict[str, Any], codes: list[str]) -> None:
    assert [one.code for one in convlint.suggest(net(), SHAPE, **options).suggestions] == codes


def test_a_budget_is_reached_in_a_live_model_too() -> None:
    model = net()
    report = convlint.suggest(model, SHAPE, target_params="25k")
    assert report.rewritten is not None
    assert report.rewritten.goal == "at most 25,000 parameters: reached"
    made = convlint.rewrite(model, chosen(report))
    assert (params(model), params(made)) == amounts(report)
    assert params(made) <= 25_000


def test_a_report_of_suggestions_shows_itself() -> None:
    report = convlint.suggest(net(), SHAPE, kind="grouped")
    assert "body.2: CVL501 2 groups\n" in repr(report) == str(report)
    assert "Found" not in repr(report)
    assert "<table" in report._repr_html_()
    assert report.exit_code == 0


def test_a_layer_with_a_forward_of_its_own_stays() -> None:
    class Scaled(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input) * 0.5

    report = convlint.suggest(nn.Sequential(Scaled(32, 32, 3)), (32, 14, 14))
    assert report.suggestions == ()
    assert [refusal.code for refusal in report.refusals] == ["CVL501", "CVL502", "CVL503"]
    assert all("Scaled is a subclass of Conv2d, whose forward" in r.reason for r in report.refusals)


def test_a_model_that_does_not_run_is_a_problem() -> None:
    (problem,) = convlint.suggest(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(9, 8, 3)), SHAPE).problems
    assert "the model does not run, so nothing can be verified" in problem.message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "group"}, "kind 'group' is unknown; did you mean 'grouped'"),
        ({"groups": 1}, "of at least 2"),
        ({"min_saving": 2}, "must be a share of the model"),
        ({"target_macs": "few"}, "'few' is not a number"),
        ({"save_weights": "new.pt"}, "save_weights requires weights=FILE"),
        ({"device": "cuda"}, "device only applies to targets"),
    ],
    ids=str,
)
def test_what_cannot_be_understood_is_a_usage_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        convlint.suggest(net(), SHAPE, **options)


def test_an_unknown_argument_names_the_nearest() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'kinds'; did you mean 'kind'"):
        convlint.suggest(net(), SHAPE, kinds="grouped")  # type: ignore[call-arg]


# --- rewriting


def test_the_chosen_layers_are_replaced_in_a_copy() -> None:
    torch.manual_seed(0)
    model, x = net().eval(), torch.rand(2, *SHAPE)
    report = convlint.suggest(model, SHAPE)
    made: Any = convlint.rewrite(model, chosen(report))
    assert type(made) is type(model)
    assert made(x).shape == model(x).shape
    assert (params(model), params(made)) == amounts(report)
    assert [name for name, _ in made.named_children()] == [n for n, _ in model.named_children()]
    assert torch.equal(made.stem.weight, model.stem.weight)
    assert made.stem.weight is not model.stem.weight
    made(x).sum().backward()
    assert all(parameter.grad is not None for parameter in made.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_new_layers_have_the_nearest_weights_or_fresh_ones() -> None:
    torch.manual_seed(0)
    model = net()
    (one,) = convlint.suggest(model, SHAPE, kind="depthwise-separable").suggestions
    weight = model.body[2].weight.detach()
    nearest, _ = convert_layer(weight, None, one.changes[0].replacement)
    made: Any = convlint.rewrite(model, one)
    assert all(torch.equal(made.body[2].state_dict()[n], t) for n, t in nearest.items())
    fresh: Any = convlint.rewrite(model, one, weights=False)
    assert not torch.equal(fresh.body[2].pointwise.weight, made.body[2].pointwise.weight)
    assert torch.equal(fresh.head.weight, model.head.weight)


@settings(deadline=None, max_examples=10)
@given(st.booleans(), st.sampled_from([torch.float32, torch.float64]), st.integers(0, 9))
def test_weights_that_a_rewritten_layer_can_have_are_kept(training: bool, dtype: torch.dtype, seed: int) -> None:
    torch.manual_seed(seed)
    model: Any = nn.Sequential(nn.Conv2d(8, 16, 3), nn.Tanh(), nn.Conv2d(16, 8, 3)).to(dtype)
    with torch.no_grad():
        for conv in (model[0], model[2]):
            points = torch.rand(len(conv.weight), conv.in_channels, 1, 1, dtype=dtype)
            conv.weight.copy_(points * torch.rand(conv.in_channels, 3, 3, dtype=dtype))
    model.train(training)
    report = convlint.suggest(model, (8, 9, 9), kind="depthwise-separable")
    made: Any = convlint.rewrite(model, report.suggestions)
    x = torch.rand(2, 8, 9, 9, dtype=dtype)
    assert torch.allclose(made(x), model(x), atol=1e-5)
    assert {module.training for module in made.modules()} == {training}
    assert {parameter.dtype for parameter in made.parameters()} == {dtype}
    assert {type(made[0]), type(made[2])}.isdisjoint({nn.Conv2d})


@pytest.mark.slow
def test_a_suggestion_for_the_source_fits_the_model_that_it_builds(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    report = convlint.suggest(f"{tmp_path}/net.py:Net", SHAPE)
    assert report.rewritten is not None
    assert "class GlobalDepthwiseLinear" in report.rewritten.diff
    assert params(convlint.rewrite(net(), chosen(report))) == amounts(report)[1]
    wide = type(net())(width=48)
    convlint.rewrite(wide, chosen(report))(torch.rand(1, *SHAPE))


def test_a_model_that_is_a_single_layer_is_replaced_itself() -> None:
    model = nn.Conv2d(32, 32, 3)
    (one,) = convlint.suggest(model, (32, 9, 9), kind="grouped").suggestions
    assert one.instances == ("",)
    made = convlint.rewrite(model, one)
    assert isinstance(made, nn.Conv2d)
    assert (made.groups, model.groups) == (2, 1)


# --- layers with several names, and none


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(32, 32, 3, padding=1)
        self.parts = nn.ModuleList([nn.ReLU(), self.first])
        self.parts.append(nn.Sequential(self.first))

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        y: Tensor = self.first(x)
        return y


@pytest.mark.parametrize("weights", [True, False])
def test_a_layer_with_several_names_is_replaced_under_all(weights: bool) -> None:
    model = Shared()
    report = convlint.suggest(model, (32, 14, 14))
    assert {one.instances for one in report.suggestions} == {("first",)}
    for one in report.suggestions:
        made: Any = convlint.rewrite(model, one, weights=weights)
        assert made.first is made.parts[1] is made.parts[2][0]
        assert made.first is not model.first
        assert params(made) == one.after.params
        assert made(torch.rand(1, 32, 14, 14)).shape == (1, 32, 14, 14)


def renamed(model: nn.Module) -> nn.Module:
    return nn.Sequential(model)


def pooled(model: Any) -> nn.Module:
    made = copy.deepcopy(model)
    made.body[2] = nn.MaxPool2d(3)
    assert isinstance(made, nn.Module)
    return made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (renamed, "the model has no Conv2d called 'body.2': no such layer"),
        (pooled, "the model has no Conv2d called 'body.2': of class MaxPool2d"),
    ],
)
@pytest.mark.parametrize("weights", [True, False])
def test_names_that_the_model_does_not_have_are_a_usage_error(
    change: Callable[[Any], nn.Module], message: str, weights: bool
) -> None:
    model = net()
    (one,) = convlint.suggest(model, SHAPE, kind="grouped").suggestions
    with pytest.raises(UsageError, match=message):
        convlint.rewrite(change(model), one, weights=weights)


def test_a_parametrized_layer_stays_as_it_is_and_says_why() -> None:
    normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(32, 64, 3))
    report = convlint.suggest(nn.Sequential(normed), input=(32, 9, 9), kind="grouped")
    assert not report.suggestions
    ((names, reason),) = [(refusal.instances, refusal.reason) for refusal in report.refusals]
    assert names == ("0",)
    assert "its weight is parametrized" in reason
