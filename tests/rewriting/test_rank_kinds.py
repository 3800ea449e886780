"""Decompositions with ranks: exact at full rank, and as expensive as estimated, in all classes of convolutions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from convlint.ir import Costs, Replacement
from convlint.rewriting.base import CONVOLUTIONS, KindOptions
from convlint.rewriting.kinds import kinds
from convlint.rewriting.layer_use import LayerArguments, LayerUse, layer_arguments, layer_use
from convlint.rewriting.rank_kind import RankKind
from convlint.runtime.measure.memory import with_memory
from convlint.runtime.record import layers
from convlint.runtime.record.record import record
from convlint.runtime.weights.checkpoint import convert_layer
from convlint.runtime.weights.replace_layers import replacement_for
from tests.rewriting.suggest_project import project

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

KINDS = [kind for kind in kinds().values() if isinstance(kind, RankKind)]
measures = settings(deadline=None, max_examples=40)


@st.composite
def convolutions(draw: Any) -> nn.Module:
    """Convolutions in one to three dimensions, some of them transposed, with any arguments and up to three groups."""
    base = draw(st.sampled_from(CONVOLUTIONS))
    count, transposed = int(base[-2]), "Transpose" in base

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(count))

    groups = draw(st.sampled_from([1, 1, 2, 3]))
    stride, kernel = each(1, 2), each(1, 3)
    options: dict[str, Any] = {"stride": stride, "padding": each(0, 1), "dilation": each(1, 2), "groups": groups}
    if transposed:
        options["output_padding"] = tuple(draw(st.integers(0, s - 1)) for s in stride)
    elif draw(st.booleans()):
        options |= {"stride": 1, "padding": "same"}
    elif draw(st.integers(0, 9)) == 0:
        options["padding_mode"] = "circular"
    channels = [groups * draw(st.integers(6, 12)) for _ in range(2)]
    return getattr(nn, base)(*channels, kernel, bias=draw(st.booleans()), **options).double()  # type: ignore[no-any-return]


def use_of(layer: nn.Module, x: Tensor) -> LayerUse:
    graph = with_memory(record(layer, (x,)).graph(), layer, (x,))
    found = graph.layer("")
    assert found is not None
    return layer_use(graph, found)


def arguments_of(layer: nn.Module) -> LayerArguments:
    (found,) = layers.layers(layer, ())
    return layer_arguments(found.attrs, found.base)


def image_for(layer: Any) -> Tensor:
    sizes = [9, 8, 7][: len(layer.kernel_size)]
    return torch.randn(2, layer.in_channels, *sizes, dtype=torch.float64)


def amounts(model: nn.Module, x: Tensor) -> Costs:
    """What PyTorch counts: parameters, MACs, bytes of the outputs of convolutions, bytes that autograd saves."""
    made: list[Tensor] = []
    for module in model.modules():
        if not module._modules:
            module.register_forward_hook(lambda *args: made.append(args[2]))
    with FlopCounterMode(display=False) as flops:
        model(x)
    return Costs(
        sum(parameter.numel() for parameter in model.parameters()),
        flops.get_total_flops() // 2,
        sum(tensor.nbytes for tensor in made),
        with_memory(record(model, (x,)).graph(), model, (x,)).saved_bytes,
    )


def full_ranks(kind: RankKind, n: LayerArguments) -> tuple[int, ...]:
    """Ranks that reproduce every kernel: those of the matrices that are decomposed."""
    g = n.groups
    if kind.name == "tucker":
        return n.in_channels, n.out_channels
    return (g * min(n.in_channels // g * n.window, n.out_channels // g * n.window),)


@measures
@given(convolutions(), st.sampled_from(KINDS))
def test_at_full_rank_a_layer_computes_what_it_did(layer: Any, kind: RankKind) -> None:
    n, x = arguments_of(layer), image_for(layer)
    assume(n.window > 1 and n.padding_mode == "zeros")
    form = Replacement(kind.code, groups=n.groups, ranks=full_ranks(kind, n), base=type(layer).__name__)
    parts, error = convert_layer(layer.weight, layer.bias, form)
    assert error < 1e-9
    namespace: dict[str, Any] = {"nn": nn}
    # The function that convlint writes keeps layers that would not become smaller; here it may not.
    text = kind.function_text(form).replace("        return conv\n", "        pass\n")
    exec(text, namespace)  # noqa: S102 - convlint's own text
    made = namespace[kind.function(form)](layer, form.ranks)
    made.load_state_dict(parts, strict=True)
    torch.testing.assert_close(made(x), layer(x), rtol=1e-9, atol=1e-9)


@pytest.mark.slow  # PyTorch's counter takes half a second for each layer
@settings(deadline=None, max_examples=8)
@given(convolutions(), st.sampled_from(KINDS), st.integers(1, 10))
def test_costs_are_those_that_pytorch_counts(layer: Any, kind: RankKind, parts: int) -> None:
    assert_costs_are_counted(layer, kind, parts)


@pytest.mark.sweep
@settings(deadline=None, max_examples=200)
@given(convolutions(), st.sampled_from(KINDS), st.integers(1, 10))
def test_costs_of_many_layers_are_those_that_pytorch_counts(layer: Any, kind: RankKind, parts: int) -> None:
    assert_costs_are_counted(layer, kind, parts)


def assert_costs_are_counted(layer: Any, kind: RankKind, parts: int) -> None:
    n, x = arguments_of(layer), image_for(layer)
    assume(kind.refusal(n, KindOptions()) is None and n.padding != "same")
    use = use_of(layer, x)
    form = kind.form([use], KindOptions(rank=parts / 16), _NO_GRAPH)
    assert isinstance(form, Replacement)
    assume(kind.fits(n, form, KindOptions()))
    made = replacement_for(layer, form)
    assert made is not layer
    assert kind.costs(use, form) == amounts(made, x)
    assert made(x).shape == layer(x).shape


@measures
@given(convolutions(), st.sampled_from(KINDS), st.integers(1, 16), st.booleans())
def test_the_function_around_a_call_leaves_alone_what_does_not_fit(
    layer: Any, kind: RankKind, parts: int, training: bool
) -> None:
    n = arguments_of(layer)
    base = type(layer).__name__
    count = len(kind.widths(n))
    for form in (
        Replacement(kind.code, groups=n.groups, ranks=(parts,) * count, per=16, base=base),
        Replacement(kind.code, groups=n.groups, ranks=(parts,) * count, base=base),
    ):
        made = replacement_for(layer.train(training), form)
        assert (made is not layer) == kind.fits(n, form, KindOptions())
        assert made.training == training


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("base", CONVOLUTIONS)
def test_the_class_has_the_layers_of_the_function(kind: RankKind, base: str) -> None:
    layer = getattr(nn, base)(12, 8, 3, 2, 1)
    form = Replacement(kind.code, ranks=(3, 4)[: len(kind.widths(arguments_of(layer)))], base=base)
    namespace: dict[str, Any] = {"nn": nn}
    helper = kind.class_helper(form)
    exec(helper.text, namespace)  # noqa: S102 - convlint's own text
    one, two = namespace[helper.name](12, 8, 3, 2, 1, ranks=form.ranks), replacement_for(layer, form)
    one.load_state_dict(two.state_dict(), strict=True)
    x = torch.randn(1, 12, *[7] * int(base[-2]))
    torch.testing.assert_close(one(x), two(x))
    assert len(helper.text.splitlines()) <= 18


@measures
@given(convolutions(), st.sampled_from(KINDS))
def test_the_error_falls_with_the_rank(layer: Any, kind: RankKind) -> None:
    n = arguments_of(layer)
    assume(n.window > 1)
    count, errors = len(kind.widths(n)), []
    for parts in (4, 8, 16):
        form = Replacement(kind.code, groups=n.groups, ranks=(parts,) * count, per=16, base=type(layer).__name__)
        errors.append(convert_layer(layer.weight, None, form)[1])
    assert errors == sorted(errors, reverse=True)


_NO_GRAPH: Any = None


READS = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(32, 64, 3)
        self.conv.weight.data.fill_(0.5)
        self.head = nn.Linear(self.conv.out_channels, 10)

    def forward(self, x):
        return self.head(self.conv(x).mean(2))
"""


@pytest.mark.parametrize(("kind", "last"), [("tucker", "expand"), ("low-rank", "second")])
def test_code_that_reads_the_layer_reads_its_last_convolution(tmp_path: Path, kind: str, last: str) -> None:
    with project(tmp_path) as here:
        here.write("net.py", READS)
        here.apply(here.suggest("net.py:Net", "--input", "32,8", "--kind", kind, "--output-format", "diff").out)
        conv = here.load("net.py")["Net"]().conv
    assert (getattr(conv, last).weight == 0.5).all()
