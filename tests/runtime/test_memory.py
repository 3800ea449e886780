"""Measured memory: by hand on small models, and against what PyTorch's allocator really handed out."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import memory as bench
from bench.zoo_models import Entry, build, example
from convlint.analysis import cost
from convlint.ir import Graph
from convlint.runtime.measure.memory import with_memory
from convlint.runtime.record.record import record

FLOAT = 4  # bytes


def measure(model: nn.Module, *args: Any) -> Graph:
    return with_memory(record(model, args).graph(), model, args)


def saved(graph: Graph) -> dict[str, int | None]:
    """Saved bytes of the layers that saved something."""
    return {layer.name: layer.saved_bytes for layer in graph.layers if layer.saved_bytes}


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def trained(*shape: int) -> Tensor:
    return torch.ones(shape, requires_grad=True)


# --- what autograd keeps


def test_convolution_saves_its_input_and_no_weight() -> None:
    graph = measure(nn.Sequential(nn.Conv2d(3, 64, 3, bias=False)), torch.ones(1, 3, 10, 10))
    assert saved(graph) == {"0": 3 * 10 * 10 * FLOAT}
    assert (graph.saved_bytes, graph.saved_bytes_mode) == (3 * 10 * 10 * FLOAT, "train")


def test_a_storage_is_counted_once_where_it_is_saved_first() -> None:
    """The norm saves its input and a mean and deviation a channel; relu saves its output, which the
    second convolution saves again.
    """
    model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))
    graph = measure(model, torch.ones(1, 2, 5, 5))
    assert saved(graph) == {"0": 2 * 25 * FLOAT, "1": (4 * 25 + 2 * 4) * FLOAT, "2": 4 * 25 * FLOAT}


@pytest.mark.parametrize("padding", [0, 1, "valid", "same"])
def test_paddings_in_words_give_maps_of_the_same_size(padding: Any) -> None:
    def layers() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3, padding=padding), nn.Conv2d(8, 4, 3, padding=padding))

    model = layers()
    x = torch.rand(1, 3, 16, 16)
    between = model[0](x)  # type: ignore[index]
    assert with_memory(record(model, (x,)).graph(), model, (x,)).saved_bytes == ((x.numel() + between.numel()) * 4)


def test_an_activation_in_place_saves_nothing_more() -> None:
    def net(*, inplace: bool) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 5), nn.ReLU(inplace), nn.Linear(5, 2))

    assert saved(measure(net(inplace=True), torch.ones(7, 3))) == saved(measure(net(inplace=False), torch.ones(7, 3)))


def test_a_view_keeps_its_whole_storage() -> None:
    weight = nn.Parameter(torch.ones(2))
    graph = measure(Function(lambda x: x[:, :2] * weight), torch.ones(4, 100))
    assert graph.saved_bytes == 4 * 100 * FLOAT


def test_a_model_without_anything_to_train_saves_nothing() -> None:
    graph = measure(nn.Sequential(nn.Conv2d(1, 1, 1).requires_grad_(False)), torch.ones(1, 1, 3, 3))
    assert (graph.saved_bytes, graph.saved_bytes_mode) == (0, "train")


def test_where_training_cannot_run_eval_mode_is_measured_and_named() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4))
    graph = measure(model, torch.ones(1, 2, 3, 3))  # one value per channel
    assert graph.saved_bytes_mode == "eval"
    assert saved(graph)["0"] == 2 * 9 * FLOAT
    assert graph.called_in_training is None


def test_layers_that_only_training_calls_are_named() -> None:
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.aux = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Any:
            return (self.main(x), self.aux(x)) if self.training else self.main(x)

    graph = measure(Auxiliary(), torch.ones(1, 2))
    assert graph.called_in_training == ("", "main", "aux")
    assert {call.layer for call in graph.calls} == {"", "main"}


# --- peak of an inference


def test_peak_holds_parameters_inputs_and_what_is_alive() -> None:
    """Linear's input is held by the caller, its output until relu's is made."""
    model = nn.Sequential(nn.Linear(10, 20, bias=False), nn.ReLU())
    graph = measure(model, torch.ones(8, 10))
    assert graph.peak_inference_bytes == (10 * 20 + 8 * 10 + 2 * 8 * 20) * FLOAT


def test_views_and_in_place_calls_share_their_storage() -> None:
    model = nn.Sequential(nn.Linear(10, 20, bias=False), nn.ReLU(inplace=True), nn.Flatten())
    graph = measure(model, torch.ones(8, 10))
    assert graph.peak_inference_bytes == (10 * 20 + 8 * 10 + 8 * 20) * FLOAT


def test_what_is_dropped_is_no_longer_counted() -> None:
    x = torch.ones(1000)
    kept = measure(Function(lambda x: x + 1 + 1 + 1 + 1), x).peak_inference_bytes
    assert kept == (1 + 2) * 1000 * FLOAT  # the input, and two intermediates at a time


def test_meta_device_gives_the_same_figures() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4))
    x = torch.ones(2, 3, 16, 16)
    model(x)
    real = measure(model, x)
    meta = measure(copy.deepcopy(model).to("meta"), x.to("meta"))
    assert meta.peak_inference_bytes == real.peak_inference_bytes
    assert saved(meta) == saved(real)


def test_a_model_that_looks_at_values_runs_with_its_values() -> None:
    def positive(x: Tensor) -> Tensor:
        y = functional.conv2d(x, torch.full((1, 1, 1, 1), 2.0))
        return y[y > 1]

    graph = measure(Function(positive), torch.ones(1, 1, 10, 10))
    mask = 100  # one byte each
    assert graph.peak_inference_bytes == (100 + 100 + 100) * FLOAT + mask  # all values are taken


def test_values_that_steer_python_do_not_hang_the_measurement() -> None:
    def until(x: Tensor) -> Tensor:
        while x.mean().item() < 100:
            x = functional.linear(x, torch.full((2, 2), 2.0))
        return x

    graph = measure(Function(until), torch.ones(1, 2))
    assert graph.untraced == ()
    assert graph.peak_inference_bytes is not None


# --- failures, and the model as it was


def test_a_forward_that_raises_leaves_the_graph_and_says_so() -> None:
    class Once(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if hasattr(self, "ran"):
                raise ValueError("only once")
            self.ran = True
            return x + 1

    graph = measure(Once(), torch.ones(2))
    assert [node.op for node in graph.nodes] == ["input", "add", "output"]
    assert (graph.peak_inference_bytes, graph.saved_bytes, graph.saved_bytes_mode) == (None, None, "")
    assert [why for _, why in graph.untraced] == [
        "peak memory was not measured: another forward raised ValueError: only once",
        "saved memory was not measured: another forward raised ValueError: only once",
    ]
    assert cost.totals(graph).training_bytes is None


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(fails: bool) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5)).train()
    model[1].eval()
    if fails:
        model.append(Function(lambda x: x.view(-1, 7)))
    model[0].weight.grad = torch.ones(2, 1, 1, 1)
    x = torch.rand(2, 1, 3, 3)
    graph = record(model, (x,)).graph()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    flags = [module.training for module in model.modules()]
    states = torch.get_rng_state(), random.getstate()
    hooks = dict(nn.modules.module._global_forward_hooks)
    with_memory(graph, model, (x,))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert flags == [module.training for module in model.modules()]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert torch.equal(model[0].weight.grad, torch.ones(2, 1, 1, 1))
    assert model[0].bias.grad is None
    assert dict(nn.modules.module._global_forward_hooks) == hooks


def test_buffers_that_are_replaced_are_put_back() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            self.count = self.count + 1
            return x * self.count

    model = Counter()
    graph = record(model, (torch.ones(1),)).graph()
    buffer = model.count
    with_memory(graph, model, (torch.ones(1),))
    assert model.count is buffer


# --- against real allocations


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", ["mobilenet_v3_small", "resnet18", "shufflenet_v2_x1_0"])
def test_figures_are_what_the_allocator_hands_out(name: str, batch: int) -> None:
    entry = Entry(f"torchvision/{name}", 0, (3, 224, 224))
    model, arguments = build(entry), example(entry, batch)
    said = bench.predicted(model, arguments)
    params = bench.nbytes(list(model.parameters()))
    held = params + bench.nbytes(list(model.buffers()), arguments)
    inference = held + bench.peak_allocated(bench.inference(model, arguments))
    assert said.peak_inference_bytes == pytest.approx(inference, rel=0.001)
    training = held + 3 * params + bench.peak_allocated(bench.training(model, arguments))
    assert said.training_bytes == pytest.approx(training, rel=0.01)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_figures_are_what_the_gpu_hands_out() -> None:
    said, allocated = bench.compare_cuda(Entry("torchvision/resnet18", 0, (3, 224, 224)), 4)
    assert said == pytest.approx(allocated, rel=0.1)
