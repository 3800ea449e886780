"""The recorder: what a forward did, as a graph, beside PyTorch's own account."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as people write it
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from convlint.ir import Graph, Node
from convlint.runtime.build import construction_sites
from convlint.runtime.record.record import record


class Block(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)).relu()


def built(make: Callable[[], nn.Module]) -> nn.Module:
    with construction_sites.WatchedConstruction():
        return make()


def graph_of(make: Callable[[], nn.Module], *shape: int, **options: Any) -> Graph:
    return record(built(make), (torch.rand(*(shape or (1, 3, 16, 16))),), **options).graph()


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def convs(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.op.startswith("conv")]


def wrapped(function: Callable[..., Any], *parts: nn.Module) -> nn.Module:
    """A model whose forward is ``function(x, *parts)``."""

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList(parts)

        def forward(self, x: Any) -> Any:
            return function(x, *self.parts)

    return Wrapped()


class ConvolutionsRun(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.overloadpacket.__name__ in ("convolution", "_convolution")
        return func(*args, **(kwargs or {}))


def test_a_graph_of_calls_tensors_and_layers() -> None:
    graph = graph_of(Block)
    assert ops(graph) == ["input", "conv2d", "batch_norm", "relu", "output"]
    conv = graph.nodes[1]
    assert (conv.layer, conv.module, conv.outputs[0].shape) == ("conv", "conv", (1, 8, 14, 14))
    assert conv.attrs == {
        "in_channels": 3,
        "out_channels": 8,
        "kernel_size": (3, 3),
        "stride": (1, 1),
        "padding": (0, 0),
        "dilation": (1, 1),
        "groups": 1,
        "bias": True,
        "transposed": False,
        "output_padding": (0, 0),
    }
    assert graph.consumers(conv.outputs[0].id) == (graph.nodes[2],)
    assert (graph.inputs, graph.outputs) == (("x: 1x3x16x16 float32",), ("1x8x14x14 float32",))


def test_a_call_belongs_to_the_layer_around_it_and_to_no_user_class() -> None:
    graph = graph_of(Block)
    assert [node.layer for node in graph.nodes[1:4]] == ["conv", "norm", None]
    assert graph.nodes[3].site is not None
    assert graph.nodes[3].site.function == "Block.forward"


def test_the_fx_graph_runs_to_the_same_result() -> None:
    model = built(lambda: nn.Sequential(Block(), nn.Conv2d(8, 4, 1), nn.MaxPool2d(2))).eval()
    x = torch.rand(1, 3, 16, 16)
    recording = record(model, (x,))
    module = torch.fx.GraphModule(model, recording.fx_graph.graph)
    with torch.no_grad():
        assert torch.equal(module(x), model(x))


def test_values_that_go_in_and_come_out_of_module_calls() -> None:
    graph = graph_of(lambda: nn.Sequential(Block(), nn.Conv2d(8, 4, 1)))
    (block,) = graph.calls_of("0")
    (last,) = graph.calls_of("1")
    assert block.outputs == last.inputs
    assert ops(graph)[block.start : block.stop] == ["conv2d", "batch_norm", "relu"]


# --- what other tracers lose


def functional(x: Tensor) -> Tensor:
    return F.conv2d(x, torch.ones(6, 1, 3, 3), stride=2, padding=1, groups=3)


def views_and_writes(x: Tensor, conv: nn.Module) -> Tensor:
    x = conv(x)
    x[:, 0] = 1
    left, right = x.chunk(2, 1)
    return torch.cat([left + left, right.mul_(2)], 1)


class Custom(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight)


def custom(x: Tensor) -> Tensor:
    return Custom.apply(x, torch.ones(4, 3, 1, 1))  # type: ignore[no-any-return, no-untyped-call]


CASES: dict[str, Callable[[], nn.Module]] = {
    "functional": lambda: wrapped(functional),
    "reused": lambda: wrapped(lambda x, conv: conv(conv(x)), nn.Conv2d(3, 3, 1)),
    "views and writes": lambda: wrapped(views_and_writes, nn.Conv2d(3, 4, 1)),
    "custom autograd function": lambda: wrapped(custom),
    "reentrant checkpoint": lambda: wrapped(lambda x, block: checkpoint(block, x, use_reentrant=True), Block()),
    "checkpoint": lambda: wrapped(lambda x, block: checkpoint(block, x, use_reentrant=False), Block()),
    "compiled": lambda: nn.Sequential(torch.compile(Block()), nn.Conv2d(8, 4, 1)),
    "scripted": lambda: nn.Sequential(torch.jit.script(Block()), nn.Conv2d(8, 4, 1)),
    "traced": lambda: nn.Sequential(torch.jit.trace(Block().eval(), torch.rand(1, 3, 16, 16)), nn.Conv2d(8, 4, 1)),
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)),
    "old weight norm": lambda: nn.utils.weight_norm(nn.Conv2d(3, 4, 3)),
    "spectral norm": lambda: nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 4, 3)),
    "subclass": lambda: type("Conv", (nn.Conv2d,), {})(3, 4, 3),
    "lazy": lambda: nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.LazyConv2d(2, 1)),
    "transposed": lambda: nn.ConvTranspose2d(3, 4, 3, stride=2, output_padding=1),
    "reflecting": lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
}


@pytest.fixture(autouse=True)
def _deprecated_but_used() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (FutureWarning, DeprecationWarning))  # old weight norm, jit
        warnings.filterwarnings("ignore", message="Lazy modules are a new feature")
        warnings.filterwarnings("ignore", message="None of the inputs have requires_grad")
        yield


@pytest.mark.parametrize("name", CASES)
def test_every_convolution_is_seen_once(name: str) -> None:
    model = built(CASES[name]).eval()
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad(), ConvolutionsRun() as run:
        expected = model(x)
    recording = record(model, (x,))
    graph = recording.graph()
    assert (graph.status, graph.failure, graph.untraced) == ("complete", None, ())
    assert len(convs(graph)) == run.count > 0
    assert torch.equal(recording.result, expected)
    assert sum(layer.params for layer in graph.layers) == sum(p.numel() for p in model.parameters())
    assert convs(graph)[-1].outputs[0].shape[1] == convs(graph)[-1].attrs["out_channels"]


def test_lazy_layers_say_what_they_became() -> None:
    graph = graph_of(CASES["lazy"])
    first, second = convs(graph)
    assert (first.attrs["in_channels"], second.attrs["in_channels"]) == (3, 4)


def test_a_parametrised_layer_is_still_of_its_class() -> None:
    normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    layer = graph_of(lambda: nn.Sequential(normed)).layer("0")
    assert layer is not None
    assert (layer.base, layer.attrs["out_channels"]) == ("Conv2d", 4)


def test_weights_are_no_activations() -> None:
    (conv,) = convs(graph_of(lambda: nn.Conv2d(3, 4, 3)))
    assert len(conv.inputs) == 1


def test_a_computed_weight_is_one() -> None:
    graph = graph_of(CASES["weight norm"])
    (conv,) = convs(graph)
    assert graph.producer(conv.inputs[1]).op == "_weight_norm"


def test_a_layer_called_twice_has_two_calls_and_counts_once() -> None:
    graph = graph_of(CASES["reused"])
    assert len(graph.calls_of("parts.0")) == len(graph.nodes_of("parts.0")) == 2
    assert sum(layer.params for layer in graph.layers) == 3 * 3 + 3


def test_a_module_under_two_names_is_one_layer() -> None:
    conv = nn.Conv2d(3, 3, 1)
    graph = graph_of(lambda: nn.Sequential(conv, nn.ReLU(), conv))
    layer = graph.layer("2")
    assert layer is graph.layer("0")
    assert layer is not None
    assert layer.aliases == ("2",)


def test_attention_is_seen_inside() -> None:
    graph = graph_of(lambda: wrapped(lambda x, a: a(x, x, x)[0], nn.MultiheadAttention(8, 2)), 5, 1, 8)
    assert ops(graph).count("addmm") == 2
    assert ops(graph).count("bmm") == 2
    assert {node.layer for node in graph.nodes if node.op == "addmm"} == {"parts.0"}
    assert "parts.0.out_proj.weight" in graph.read_parameters


def test_layers_in_a_plain_list_are_named_and_count_no_parameters() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = [nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)]
            self.heads = {"out": nn.Conv2d(3, 1, 1)}

        def forward(self, x: Tensor) -> Tensor:
            return self.heads["out"](self.convs[1](self.convs[0](x)))

    graph = graph_of(Hidden)
    assert [node.layer for node in convs(graph)] == ["convs[0]", "convs[1]", "heads['out']"]
    assert [(owner, name) for owner, name, _ in graph.unregistered_layers] == [("", "convs"), ("", "heads")]
    assert sum(layer.params for layer in graph.layers) == 0
    assert all(len(node.inputs) == 1 for node in convs(graph))


def make_and_call(x: Tensor) -> Any:
    conv = nn.Conv2d(3, 4, 1)
    return conv(x)


def test_a_layer_made_in_forward_is_named() -> None:
    graph = graph_of(lambda: wrapped(make_and_call))
    assert [node.layer for node in convs(graph)] == ["<Conv2d>"]


def test_what_numpy_makes_is_said_not_to_be_seen() -> None:
    class Opaque(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.from_dlpack(x.numpy() + 1)

    graph = graph_of(lambda: nn.Sequential(Opaque(), nn.Conv2d(3, 4, 1)))
    assert [name for name, _ in graph.untraced] == ["0"]
    assert "unseen" in ops(graph)


# --- inputs and outputs


@dataclasses.dataclass
class Out:
    logits: Tensor
    extra: dict[str, Tensor]


def test_nested_outputs_are_described_by_name() -> None:
    def forward(x: Tensor, conv: nn.Module) -> Any:
        y = conv(x)
        return Out(y, {"mean": y.mean(), "pair": (y, x)})  # type: ignore[dict-item]

    graph = graph_of(lambda: wrapped(forward, nn.Conv2d(3, 4, 1)))
    assert graph.outputs == (
        "logits: 1x4x16x16 float32",
        "extra.mean: scalar float32",
        "extra.pair[0]: 1x4x16x16 float32",
        "extra.pair[1]: 1x3x16x16 float32",
    )


def test_inputs_are_named_after_the_parameters_of_forward() -> None:
    class Two(nn.Module):
        def forward(self, image: Tensor, mask: Tensor, scale: Tensor) -> Tensor:
            return image * mask * scale

    graph = record(Two(), (torch.rand(1, 3, 4, 4), torch.ones(1, 1, 4, 4)), {"scale": torch.tensor(2)}).graph()
    assert graph.inputs == ("image: 1x3x4x4 float32", "mask: 1x1x4x4 float32", "scale: scalar int64")


def test_train_mode_is_run_as_such_and_flags_stay() -> None:
    model = built(Block).eval()
    graph = record(model, (torch.rand(2, 3, 8, 8),), train=True).graph()
    assert graph.training
    assert graph.nodes[2].attrs["training"] is True
    assert not model.training


def test_the_meta_device_gives_the_same_graph() -> None:
    graph = graph_of(Block)
    with torch.device("meta"):
        model = built(Block)
        meta = record(model, (torch.empty(1, 3, 16, 16),)).graph()
    assert [(n.op, n.attrs, n.outputs) for n in meta.nodes] == [(n.op, n.attrs, n.outputs) for n in graph.nodes]


# --- failures


def test_a_failure_names_the_deepest_line_of_the_user() -> None:
    def broken(x: Tensor) -> Tensor:
        return x.nonsense()  # type: ignore[no-any-return, operator]

    graph = graph_of(lambda: nn.Sequential(Block(), wrapped(broken)))
    assert graph.status == "partial"
    assert graph.failure is not None
    assert (graph.failure.type, graph.failure.module) == ("AttributeError", "1")
    assert graph.failure.site is not None
    assert graph.failure.site.function.endswith("broken")
    assert "conv2d" in ops(graph)


def test_a_model_that_fails_before_any_call_has_failed() -> None:
    def broken(x: Tensor) -> Tensor:
        raise KeyError("sorry")

    assert graph_of(lambda: wrapped(broken)).status == "failed"


def test_all_errors_of_a_model_come_out_of_one_run() -> None:
    def make() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 10, 3), nn.BatchNorm2d(12), nn.Conv2d(14, 4, 1), nn.Flatten(), nn.Linear(5, 2)
        )

    graph = graph_of(make)
    assert [node.op for node in graph.nodes if node.error] == ["batch_norm", "conv2d", "linear"]
    assert graph.status == "complete"


def test_nothing_patched_stays_patched() -> None:
    before = nn.Module.__call__, nn.Module.__init__, torch.nn.Conv2d.__init__
    graph_of(Block)
    graph_of(lambda: nn.Conv2d(4, 4, 3))  # fails: three channels arrive
    assert (nn.Module.__call__, nn.Module.__init__, torch.nn.Conv2d.__init__) == before
