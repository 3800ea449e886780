"""Estimated memory: small graphs by hand, and the peaks of real models compared with measurements."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from bench.zoo_models import Entry, build, example
from bench.zoo_models import entries as zoo
from convlint.analysis.cost.liveness import Timeline, timeline
from convlint.ir import Call, Graph, Layer, Node
from convlint.ir import Tensor as Shape
from convlint.runtime.measure.memory import with_memory
from convlint.runtime.record.record import record

FLOAT = 4  # bytes


def graph(*nodes: tuple[str, tuple[int, ...], int | None], calls: tuple[Call, ...] = ()) -> Graph:
    """A graph from (op, inputs, floats in the output); node ``n`` outputs tensor ``n``, ``_`` marks in-place ops."""
    return Graph(
        nodes=tuple(
            Node(
                id,
                op.rstrip("_"),
                inputs=inputs,
                outputs=() if floats is None else (Shape(id, (1, floats)),),
                attrs={"inplace": True} if op.endswith("_") else {},
            )
            for id, (op, inputs, floats) in enumerate(nodes)
        ),
        calls=calls,
        layers=(Layer("", "Net", "Module"), Layer("block", "Block", "Module")),
    )


def floats(found: Timeline) -> list[int]:
    return [bytes // FLOAT for bytes in found.live]


def test_a_tensor_lives_until_it_is_read_for_the_last_time() -> None:
    found = timeline(graph(("input", (), 1), ("relu", (0,), 10), ("relu", (1,), 100), ("relu", (2,), 1000)))
    assert floats(found) == [1, 1 + 10, 1 + 10 + 100, 1 + 100 + 1000]
    assert found.peak == 3


def test_the_caller_keeps_the_input_alive() -> None:
    found = timeline(graph(("input", (), 5), ("relu", (0,), 1), ("relu", (1,), 1)))
    assert floats(found) == [5, 5 + 1, 5 + 1 + 1]


def test_a_shortcut_keeps_its_tensor() -> None:
    found = timeline(
        graph(
            ("input", (), 1),
            ("relu", (0,), 10),
            ("conv", (1,), 10),
            ("conv", (2,), 10),
            ("add", (3, 1), 10),
            ("output", (4,), None),
        )
    )
    assert floats(found) == [1, 11, 21, 31, 31, 11]


@pytest.mark.parametrize("op", ["relu_", "reshape", "flatten", "transpose", "getitem", "dropout"])
def test_views_and_in_place_calls_need_no_memory(op: str) -> None:
    found = timeline(graph(("input", (), 1), ("conv", (0,), 10), (op, (1,), 10), ("relu", (2,), 7)))
    assert floats(found) == [1, 11, 11, 18]


def test_a_view_keeps_the_whole_alive() -> None:
    found = timeline(graph(("input", (), 1), ("conv", (0,), 10), ("chunk", (1,), 5), ("relu", (2,), 5)))
    assert floats(found) == [1, 11, 11, 16]


@pytest.mark.parametrize("op", ["reshape", "flatten", "contiguous"])
def test_a_transposed_tensor_is_copied_to_be_contiguous(op: str) -> None:
    """The copy has a storage of its own, as in torch."""
    x = torch.arange(6).reshape(2, 3)
    assert x.reshape(6).untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    assert x.t().reshape(6).untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
    found = timeline(graph(("input", (), 10), ("transpose", (0,), 10), (op, (1,), 10)))
    assert floats(found) == [10, 10, 20]


def test_a_call_holds_its_arguments_until_it_returns() -> None:
    """``block`` ran nodes 2 and 3, and reads its argument only in the first."""
    nodes = (("input", (), 1), ("conv", (0,), 10), ("conv", (1,), 20), ("conv", (2,), 30))
    call = Call("block", inputs=(1,), outputs=(3,), start=2, stop=4)
    assert floats(timeline(graph(*nodes))) == [1, 11, 31, 51]
    assert floats(timeline(graph(*nodes, calls=(call,)))) == [1, 11, 31, 61]


def test_parameters_and_running_statistics_are_held_all_the_time() -> None:
    """3*8*9 weights and 8 biases; a norm's weight and bias, mean and variance of 8 channels each."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    found = timeline(record(model, (torch.ones(1, 3, 8, 8),)).graph())
    assert found.held == (3 * 8 * 9 + 8 + 4 * 8) * FLOAT
    assert found.total[0] == found.held + 3 * 8 * 8 * FLOAT


def workspace(model: nn.Module, size: int) -> list[int]:
    """Floats of workspace for each layer of a chain, on maps of ``size`` times ``size``."""
    found = timeline(record(model, (torch.ones(1, 3, size, size),)).graph())
    return [bytes // FLOAT for bytes in found.workspace[1:-1]]


CONVS = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.Conv2d(8, 4, 3, bias=False), nn.Conv2d(4, 4, 1))


def test_the_workspace_of_a_convolution() -> None:
    """``max(in + weight + made, made + out) - out``, where 4 channels are made as 8; up to three channels are read as
    they are, and 1x1 needs nothing.
    """
    out, weight = 4 * 100**2, 8 * 4 * 9
    assert workspace(CONVS, 104) == [8 * 102**2, 8 * 102**2 + weight + 2 * out - out, 0]


def test_a_small_convolution_unfolds_its_input() -> None:
    assert workspace(CONVS, 14) == [3 * 9 * 12**2, 8 * 9 * 10**2, 0]


def test_nothing_ran() -> None:
    found = timeline(Graph())
    assert (found.live, found.total) == ((), ())


# --- against what was measured


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The estimate is for one thread, with more 1x1 convolutions take copies too; and for vectors of eight floats,
    as the measurement is here, whatever the machine has.
    """
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def error(model: nn.Module, *args: Tensor) -> float:
    """The relative error of the estimated peak."""
    found = with_memory(record(model, args).graph(), model, args)
    assert found.peak_inference_bytes is not None
    return max(timeline(found).total) / found.peak_inference_bytes - 1


def entry(name: str) -> Entry:
    return next(one for one in zoo() if one.name == name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("alexnet", "convnext_tiny", "efficientnet_b0", "googlenet", "inception_v3"),
        *("mobilenet_v2", "mnasnet1_0", "regnet_y_400mf", "resnet18", "shufflenet_v2_x1_0"),
        *("squeezenet1_0", "swin_t"),
    ],
)
def test_the_peak_of_a_zoo_model_is_the_measured_one(name: str) -> None:
    one = entry(f"torchvision/{name}")
    assert abs(error(build(one), *example(one))) < 0.005


def test_local_variables_make_the_estimate_slightly_low() -> None:
    """DenseNet keeps the concatenated features in a local variable."""
    one = entry("torchvision/densenet121")
    assert -0.05 < error(build(one), *example(one)) < 0


@pytest.mark.parametrize("size", [8, 32, 96])
def test_the_peak_of_a_small_model_is_the_measured_one(size: int) -> None:
    assert abs(error(CONVS, torch.ones(1, 3, size, size))) < 0.005


def test_the_peak_of_a_batch() -> None:
    one = entry("torchvision/resnet18")
    assert abs(error(build(one), *example(one, 4))) < 0.005
