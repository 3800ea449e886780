"""Live models of unusual kinds: PyTorch runs them, so convlint checks them or reports one clear problem, and leaves
them as they were.
"""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import convlint
from convlint.runtime.saved_tensors import saved

Given = Any


pytestmark = pytest.mark.filterwarnings(  # PyTorch announces what is new or will be removed
    "ignore:.*(beta|prototype|deprecated|invariant checks|nested tensors):UserWarning",
    "ignore:\\s*torch.ao.quantization:DeprecationWarning",
)


def small() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))


PARAMS, MACS = 242, 224 * 196 - 8 * 196 + 16


def trains(model: nn.Module) -> None:
    """Fails if the model does not learn."""
    model.train()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.rand(2, 3, 16, 16)).sum().backward()
    optimizer.step()
    assert any(not torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))


def is_right(report: convlint.Report) -> None:
    assert not report.problems
    (model,) = report.models
    assert model.status == "complete"
    assert (model.totals.params, model.totals.macs) == (PARAMS, MACS)


# --- where and how it was built


@contextmanager
def _default_device() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


AROUND = {
    "inference mode": torch.inference_mode,
    "a default device": _default_device,
    "autocast": lambda: torch.autocast("cpu"),
    "gradients": torch.enable_grad,
}


@pytest.mark.parametrize("name", AROUND)
def test_a_check_within(name: str) -> None:
    model = small()
    with AROUND[name]():
        is_right(convlint.check(model, input=(3, 16, 16)))
    trains(model)


def test_a_model_built_in_inference_mode() -> None:
    with torch.inference_mode():
        model = nn.Sequential(small(), nn.BatchNorm1d(2))
        before = copy.deepcopy(model.state_dict())

        class Writes(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                with torch.inference_mode():
                    model[1].running_mean.add_(1)
                return x

        model.append(Writes())
    report = convlint.check(model, input=(3, 16, 16))
    assert not report.problems
    assert report.models[0].totals.params == PARAMS + 4
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model[1].running_mean.is_inference()


def test_a_model_on_the_meta_device() -> None:
    with torch.device("meta"):
        is_right(convlint.check(small(), input=(3, 16, 16)))


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.slow
def test_an_exported_model(mode: str) -> None:
    exported = torch.export.export(getattr(small(), mode)(), (torch.rand(2, 3, 16, 16),)).module()
    report = convlint.check(exported, input=torch.rand(2, 3, 16, 16))
    assert not report.problems
    assert (report.models[0].totals.params, report.models[0].totals.macs) == (PARAMS, 2 * MACS)
    exported(torch.rand(2, 3, 16, 16))


def test_a_converted_model_runs_and_its_packed_layers_are_named() -> None:
    model = nn.Sequential(torch.ao.quantization.QuantStub(), nn.Conv2d(3, 8, 3), torch.ao.quantization.DeQuantStub())
    model.eval().qconfig = torch.ao.quantization.get_default_qconfig("x86")
    prepared = torch.ao.quantization.prepare(model)
    prepared(torch.rand(1, 3, 8, 8))
    converted = torch.ao.quantization.convert(prepared)
    report = convlint.check(converted, input=(3, 8, 8))
    assert not report.problems
    assert [name for name, _ in report.models[0].graph.untraced] == ["1"]
    assert "Not traced into: 1." in str(report)
    converted(torch.rand(1, 3, 8, 8))


def test_a_layer_with_dynamic_quantization_is_named_and_the_others_are_counted() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear})
    report = convlint.check(quantized, input=(3, 16, 16))
    assert not report.problems
    assert report.models[0].totals.macs == 8 * 27 * 16 * 16
    assert [name for name, _ in report.models[0].graph.untraced] == ["3"]


def test_an_operator_of_another_library_is_not_that_of_pytorch() -> None:
    with torch.library._scoped_library("convlint_test", "DEF") as library:
        library.define("conv2d(Tensor x) -> Tensor")
        library.impl("conv2d", lambda x: x + 1, "CPU")

        class Custom(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                y: Tensor = torch.ops.convlint_test.conv2d(x)
                return y

        report = convlint.check(Custom(), input=(3, 8, 8))
    assert not report.problems
    assert not report.findings


# --- what it holds


class Holds(nn.Module):
    """Holds a tensor as a buffer, writes to it, and does not use it otherwise."""

    def __init__(self, tensor: Tensor, write: Callable[[Tensor], object] | None = None) -> None:
        super().__init__()
        self.register_buffer("held", tensor)
        self.linear = nn.Linear(4, 4)
        self.write = write

    def forward(self, x: Tensor) -> Tensor:
        if self.write is not None:
            self.write(self.held)
        y: Tensor = self.linear(x)
        return y


def jagged() -> Tensor:
    return torch.nested.nested_tensor([torch.rand(2, 4), torch.rand(3, 4)], layout=torch.jagged)


def in_inference_mode() -> Tensor:
    with torch.inference_mode():
        return torch.rand(4)


HELD: dict[str, tuple[Callable[[], Tensor], Callable[[Tensor], object] | None]] = {
    "sparse": (lambda: torch.eye(4).to_sparse(), lambda t: t.mul_(2)),
    "uncoalesced": (lambda: torch.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (4,)), lambda t: t._values().add_(1)),
    "CSR": (lambda: torch.eye(4).to_sparse_csr(), lambda t: t.values().add_(1)),
    "CSC": (lambda: torch.eye(4).to_sparse_csc(), None),
    "BSR": (lambda: torch.eye(4).to_sparse_bsr((2, 2)), lambda t: t.values().add_(1)),
    "nested": (lambda: torch.nested.nested_tensor([torch.rand(2), torch.rand(3)]), lambda t: t.mul_(2)),
    "jagged": (jagged, lambda t: t._values.add_(1)),
    "quantized": (lambda: torch.quantize_per_tensor(torch.rand(4), 0.1, 0, torch.qint8), None),
    "float8": (lambda: torch.ones(4).to(torch.float8_e4m3fn), lambda t: t.copy_(torch.zeros(4).to(t.dtype))),
    "complex": (lambda: torch.ones(4, dtype=torch.complex64), lambda t: t.add_(1)),
    "bool": (lambda: torch.ones(4, dtype=torch.bool), lambda t: t.zero_()),
    "expanded": (lambda: torch.zeros(1, 4).expand(3, 4), None),
    "inference": (in_inference_mode, None),
    "empty": (lambda: torch.empty(0), None),
    "conjugate": (lambda: torch.ones(4, dtype=torch.complex64).conj(), lambda t: t.add_(1)),
    "negative": (lambda: torch._neg_view(torch.ones(4)), lambda t: t.add_(1)),
    "transposed": (lambda: torch.rand(4, 3).t(), lambda t: t.add_(1)),
}


def plain(tensor: Tensor) -> list[object]:
    """The values of a tensor of any kind, to compare."""
    if tensor.is_nested:
        return [part.tolist() for part in tensor.unbind()]
    if tensor.layout is torch.strided:
        return [(tensor.dequantize() if tensor.is_quantized else tensor).tolist()]
    if tensor.layout is torch.sparse_coo:
        return [tensor._indices().tolist(), tensor._values().tolist()]
    return [tensor.to_dense().tolist()]


@pytest.mark.parametrize("name", HELD)
def test_a_model_that_holds(name: str) -> None:
    make, write = HELD[name]
    model = Holds(make(), write)
    held, before = model.held, plain(model.held)
    report = convlint.check(model, input=(4,))
    assert not report.problems
    assert report.models[0].totals.params == 20
    assert model.held is held
    assert plain(model.held) == before


@pytest.mark.parametrize("name", sorted(HELD.keys() - {"empty", "expanded", "quantized", "CSC", "inference"}))
def test_values_are_written_back(name: str) -> None:
    make, write = HELD[name]
    tensor = make()
    before, restore = plain(tensor), saved(tensor)
    assert write is not None
    write(tensor)
    assert plain(tensor) != before
    restore()
    assert plain(tensor) == before


def test_slots_are_restored() -> None:
    class Slots(nn.Module):
        __slots__ = ("__private", "calls", "last")

        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            self.__private = ["here"]
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            self.__private = []
            self.last = x
            y: Tensor = self.linear(x)
            return y

        def state(self) -> tuple[int, bool, list[str]]:
            return self.calls, hasattr(self, "last"), self.__private

    model = Slots()
    convlint.check(model, input=(4,))
    assert model.state() == (0, False, ["here"])


def test_lazy_norms_and_layers() -> None:
    model = nn.Sequential(nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    report = convlint.check(model, input=(3, 8, 8))
    assert not report.problems
    assert report.models[0].totals.params == 224 + 16 + 8 * 36 * 2 + 2
    assert all(map(nn.parameter.is_lazy, model.parameters()))
    model(torch.rand(2, 3, 8, 8))


def test_lazy_layers_that_cannot_be_copied_are_a_problem() -> None:
    model = nn.Sequential(nn.LazyConv2d(8, 3))
    model.lock = threading.Lock()  # type: ignore[assignment]
    report = convlint.check(model, input=(3, 8, 8))
    assert [problem.kind for problem in report.problems] == ["lazy-layers"]
    assert nn.parameter.is_lazy(model[0].weight)


# --- what it gets


@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
def test_nested_tensors_are_one_problem(layout: torch.layout) -> None:
    given = torch.nested.nested_tensor([torch.rand(2, 4), torch.rand(3, 4)], layout=layout)
    report = convlint.check(nn.Sequential(nn.Linear(4, 2), nn.ReLU()), input=given)
    assert [problem.kind for problem in report.problems] == ["nested-tensor"]


def test_a_complex_model_gets_a_complex_input() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, dtype=torch.complex64), nn.Flatten())
    report = convlint.check(model, input=(3, 8, 8))
    assert not report.problems
    assert report.models[0].inputs == ("input: 1x3x8x8 complex64",)
    assert not report.findings


@pytest.mark.parametrize("code", [0, 3, "a message", None])
def test_a_forward_that_exits_is_a_problem(code: object) -> None:
    class Exits(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            del x
            sys.exit(code)

    report = convlint.check(Exits(), input=(4,))
    assert [(problem.kind, problem.message) for problem in report.problems] == [
        ("exit", f"the code of the model called sys.exit({code!r})")
    ]


# --- distributed


@pytest.mark.slow
@pytest.mark.parametrize("layers", [(0, 4), (4,), ()])
def test_a_sharded_model_trains_as_if_it_had_not_been_checked(
    layers: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    fsdp = pytest.importorskip("torch.distributed.fsdp")
    if not torch.distributed.is_available() or not hasattr(fsdp, "fully_shard"):
        pytest.skip("this PyTorch has no FSDP2")
    from torch.distributed.device_mesh import init_device_mesh

    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "RANK": "0", "WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        mesh = init_device_mesh("cpu", (1,))
        torch.manual_seed(0)
        model = small()
        plain_model = copy.deepcopy(model)
        for layer in (*(model[position] for position in layers), model):
            fsdp.fully_shard(layer, mesh=mesh)
        is_right(convlint.check(model, input=(3, 16, 16)))
        for each in (model, plain_model):
            torch.manual_seed(0)
            optimizer = torch.optim.SGD(each.parameters(), lr=0.1)
            for _ in range(2):
                optimizer.zero_grad()
                each(torch.rand(2, 3, 16, 16)).sum().backward()
                optimizer.step()
        pairs = zip(model.parameters(), plain_model.parameters(), strict=True)
        assert all(torch.allclose(one.full_tensor(), other) for one, other in pairs)
    finally:
        torch.distributed.destroy_process_group()
