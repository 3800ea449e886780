"""Costs compared with PyTorch's and fvcore's counters, and the layer table of small models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from convlint.analysis import cost
from convlint.ir import Graph, Layer, Node, Row
from convlint.ir import Tensor as Shaped
from convlint.runtime.record.record import record


def graph_of(model: nn.Module, *args: Tensor) -> Graph:
    return record(model, args).graph()


def rows_of(model: nn.Module, *args: Tensor) -> list[Row]:
    return list(cost.rows(graph_of(model, *args)))


def flops(run: Callable[[], object]) -> int:
    """Floating point operations as PyTorch counts them: two per MAC."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


class Function(nn.Module):
    """A function of tensors as a model."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Tensor) -> object:
        return self.function(*args)


convolutions = st.fixed_dictionaries(
    {
        "spatial": st.integers(1, 3),
        "groups": st.integers(1, 4),
        "into": st.integers(1, 3),
        "out": st.integers(1, 3),
        "kernel": st.integers(1, 4),
        "stride": st.integers(1, 3),
        "padding": st.integers(0, 2),
        "dilation": st.integers(1, 2),
        "bias": st.booleans(),
        "transposed": st.booleans(),
        "batch": st.integers(1, 2),
        "size": st.integers(1, 9),
    }
)


@given(convolutions)
@settings(deadline=None, max_examples=60)
def test_convolutions_cost_what_pytorch_counts(a: dict[str, int]) -> None:
    kind = f"Conv{'Transpose' if a['transposed'] else ''}{a['spatial']}d"
    into, out = a["into"] * a["groups"], a["out"] * a["groups"]
    conv = getattr(nn, kind)(
        into, out, a["kernel"], a["stride"], a["padding"], dilation=a["dilation"], groups=a["groups"], bias=a["bias"]
    )
    x = torch.zeros(a["batch"], into, *[a["size"]] * a["spatial"])
    try:
        conv(x)
    except RuntimeError:
        assume(False)  # the kernel does not fit
    totals = cost.totals(graph_of(conv, x))
    assert 2 * totals.macs == flops(lambda: conv(x))
    assert totals.params == sum(p.numel() for p in conv.parameters())


def ones(*shape: int) -> Tensor:
    return torch.ones(shape)


PRODUCTS: dict[str, tuple[Callable[..., object], tuple[Tensor, ...]]] = {
    "conv2d": (lambda x, w: functional.conv2d(x, w, groups=2, padding="same"), (ones(1, 4, 6, 6), ones(8, 2, 3, 3))),
    "linear": (functional.linear, (ones(2, 5, 3), ones(7, 3))),
    "matmul": (torch.matmul, (ones(2, 1, 3, 4), ones(5, 4, 6))),
    "@": (lambda a, b: a @ b, (ones(3, 4), ones(4, 6))),
    "bmm": (torch.bmm, (ones(2, 3, 4), ones(2, 4, 5))),
    "addmm": (torch.addmm, (ones(5), ones(3, 4), ones(4, 5))),
    "baddbmm": (torch.baddbmm, (ones(2, 3, 5), ones(2, 3, 4), ones(2, 4, 5))),
    "tensordot": (lambda a, b: torch.tensordot(a, b, 2), (ones(2, 3, 4), ones(3, 4, 5))),
    "einsum": (lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b), (ones(2, 3, 4, 5), ones(2, 3, 6, 5))),
    "einsum without a sum": (lambda a, b: torch.einsum("ij,ij->ij", a, b), (ones(2, 3), ones(2, 3))),
    "einsum of three": (lambda a, b, c: torch.einsum("ij,jk,kl->il", a, b, c), (ones(2, 3), ones(3, 4), ones(4, 5))),
    "elementwise": (lambda a, b: torch.relu(a + b).mean(), (ones(3), ones(3))),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_functions_cost_what_pytorch_counts(name: str) -> None:
    function, args = PRODUCTS[name]
    totals = cost.totals(graph_of(Function(function), *args))
    assert 2 * totals.macs == flops(lambda: function(*args))


def test_attention_costs_what_its_two_products_cost() -> None:
    def products(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT).softmax(-1) @ v

    args = (ones(1, 2, 4, 8), ones(1, 2, 6, 8), ones(1, 2, 6, 3))
    totals = cost.totals(graph_of(Function(functional.scaled_dot_product_attention), *args))
    assert 2 * totals.macs == flops(lambda: products(*args))


def test_multi_head_attention_costs_what_its_products_cost() -> None:
    attention, x = nn.MultiheadAttention(8, 2, batch_first=True), ones(1, 5, 8)
    totals = cost.totals(graph_of(Function(lambda x: attention(x, x, x)[0]), x))
    projections, scores = 4 * 5 * 8 * 8, 2 * 5 * 5 * 8
    assert totals.macs == projections + scores


def test_a_recurrent_layer_applies_its_weights_at_every_step() -> None:
    lstm = nn.LSTM(3, 5, num_layers=2, bidirectional=True)
    weights = sum(p.numel() for name, p in lstm.named_parameters() if "weight" in name)
    assert cost.totals(graph_of(lstm, ones(7, 2, 3))).macs == 7 * 2 * weights


def test_zoo_model_costs_what_fvcore_counts() -> None:
    fvcore = pytest.importorskip("fvcore.nn")
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.ConvTranspose2d(8, 4, 2, 2), nn.Flatten(), nn.LazyLinear(5)
    )
    x = ones(1, 3, 17, 17)
    model(x)
    theirs = fvcore.FlopCountAnalysis(model, x).unsupported_ops_warnings(False).total()
    assert cost.totals(graph_of(model, x)).macs == theirs  # fvcore's "flop" is a MAC


def test_calls_that_were_not_traced_into_have_unknown_costs() -> None:
    x = Shaped(0, (1, 3))
    node = Node(1, "unseen", inputs=(0,), outputs=(Shaped(1, (1, 3)),))
    graph = Graph(nodes=(Node(0, "input", outputs=(x,)), node))
    assert cost.macs(graph, node) is None
    assert [(row.name, row.macs) for row in cost.rows(graph)] == [("unseen", None)]
    assert cost.totals(graph).macs == 0


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.same = self.conv

    def forward(self, x: Tensor) -> Tensor:
        return self.same(self.conv(x))


def test_a_shared_layer_counts_its_parameters_once_and_its_macs_per_call() -> None:
    (row,) = rows_of(Twice(), ones(1, 2, 4, 4))
    assert (row.calls, row.params, row.macs) == (2, 2 * 2 * 9 + 2, 2 * (2 * 16 * 2 * 9))
    assert row.output_bytes == 2 * (2 * 16 * 4)


class ClassToken(nn.Module):
    """A parameter of a container, a layer that is never called, and a function with weights."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(4))
        self.weight = nn.Parameter(torch.zeros(6, 4))
        self.idle = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(self.norm(x + self.token), self.weight)


def test_rows_cover_all_parameters_and_calls() -> None:
    model = ClassToken()
    rows = rows_of(model, ones(1, 4))
    assert [(r.name, r.kind, r.calls, r.params, r.macs) for r in rows] == [
        ("", "ClassToken", 1, 4 + 24, 0),
        ("norm", "LayerNorm", 1, 8, 0),
        ("linear", "F.linear", 1, 0, 24),
        ("idle", "Linear", 0, 20, 0),
    ]
    assert sum(r.params for r in rows) == sum(p.numel() for p in model.parameters())


def test_functions_on_different_lines_have_separate_rows() -> None:
    class Products(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            x = x @ ones(3, 4)
            for _ in range(2):
                x = x @ ones(4, 4)
            return self.act(x)

    rows = rows_of(nn.Sequential(Products()), ones(2, 3))
    assert [(r.name, r.calls, r.macs) for r in rows] == [
        ("0.matmul", 1, 2 * 3 * 4),
        ("0.matmul#2", 2, 2 * (2 * 4 * 4)),
        ("0.act", 1, 0),
    ]


def test_a_bare_layer_is_one_row() -> None:
    (row,) = rows_of(nn.Conv2d(2, 3, 1, bias=False), ones(1, 2, 4, 4))
    assert (row.name, row.kind, row.macs, row.kernel_size) == ("", "Conv2d", 2 * 3 * 16, (1, 1))


def test_the_row_that_ended_the_run_is_marked() -> None:
    class Raises(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("no way")

    first, second = rows_of(nn.Sequential(nn.Conv2d(1, 1, 1), Raises()), ones(1, 1, 2, 2))
    assert (first.failed, second.failed) == (None, "RuntimeError: no way")


def test_a_layer_that_only_calls_others_counts_no_output() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    graph = graph_of(layer, ones(1, 5, 8))
    assert "" not in {row.name for row in cost.rows(graph)}
    assert sum(row.params for row in cost.rows(graph)) == sum(p.numel() for p in layer.parameters())


def test_classic_size_counts_every_leaf_output_twice() -> None:
    model = nn.Sequential(nn.Conv2d(64, 256, 3, padding=1))
    totals = cost.totals(graph_of(model, torch.zeros(1, 64, 224, 224)))
    assert f"{totals.forward_backward_bytes / 2**20:.2f}" == "98.00"


def test_training_bytes_are_states_and_what_is_saved() -> None:
    layer = Layer("fc", "Linear", "Linear", params=10, trainable_params=10, params_bytes=40)
    graph = Graph(layers=(layer,), saved_bytes=1000)
    assert cost.totals(graph).training_bytes == 4 * 40 + 1000
    frozen = replace(graph, layers=(replace(layer, trainable_params=0),))
    assert cost.totals(frozen).training_bytes == 40 + 1000
    assert cost.totals(replace(graph, saved_bytes=None)).training_bytes is None
    assert cost.totals(Graph(saved_bytes=0)).training_bytes == 0


def test_the_largest_parameter_counts_where_the_optimizer_needs_more_than_backward() -> None:
    layer = Layer(
        *("fc", "Linear", "Linear"),
        params=10,
        trainable_params=10,
        params_bytes=40,
        parameters=(("weight", (2, 4)), ("bias", (2,))),
    )
    assert cost.totals(Graph(layers=(layer,), saved_bytes=1)).training_bytes == 4 * 40 + 2 * 32


def test_a_report_has_the_table_and_the_sums() -> None:
    graph = replace(graph_of(Twice(), ones(1, 2, 4, 4)), target="net.py:Twice", input_bytes=128)
    report = cost.model_report(graph)
    assert (report.target, report.status, report.graph) == ("net.py:Twice", "complete", graph)
    assert report.layers == cost.rows(graph)
    assert report.totals.input_bytes == 128
