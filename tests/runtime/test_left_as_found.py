"""``convlint.check`` on a live model leaves the model and its process as they were, whatever the forward does."""

from __future__ import annotations

import copy
import gc
import inspect
import io
import os
import random
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import convlint


def _changes_flags(model: nn.Module) -> None:
    for number, module in enumerate(model.modules()):
        module.training = number % 3 == 0


def _writes_tensors(model: nn.Module) -> None:
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.add_(1)


def _adds_members(model: nn.Module) -> None:
    model.register_buffer("late", torch.zeros(1))
    model.register_forward_hook(lambda *_: None)
    model.add_module("late_child", nn.Linear(1, 1))
    model.note = "late"
    del model.conv.kernel_size


def _draws_numbers(model: nn.Module) -> None:
    del model
    random.random()
    torch.rand(3)
    np.random.rand(3)  # noqa: NPY002 - the generator that old code shares
    torch.manual_seed(5)


def _moves_process(model: nn.Module) -> None:
    del model
    sys.path.insert(0, "/nowhere")
    os.chdir("/")
    os.environ["CONVLINT_TEST"] = "1"


def _sets_modes(model: nn.Module) -> None:
    del model
    torch.set_grad_enabled(not torch.is_grad_enabled())
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(mode=True, warn_only=True)


def _freezes(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(requires_grad=False)
        parameter.grad = None


def _diverts_streams(model: nn.Module) -> None:
    del model
    sys.stdout = sys.stderr = io.StringIO()


def _writes_into_containers(model: nn.Module) -> None:
    model.memory["states"][0].add_(1)
    model.memory["states"].append(torch.ones(1))
    model.memory["steps"][0][0] += 1
    torch.rand(3, generator=model.generator)


def _changes_layout(model: nn.Module) -> None:
    model.double()
    model.conv.weight.data = model.conv.weight.data.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    model.norm.running_var.resize_(7)


def _leaks_modes(model: nn.Module) -> None:
    del model
    torch.set_default_device("meta")
    torch.set_autocast_enabled("cpu", True)
    torch.autograd.set_detect_anomaly(True)
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.benchmark = True
    nn.modules.module.register_module_forward_hook(lambda *_: None)
    sys.setrecursionlimit(3000)
    warnings.simplefilter("error")
    np.seterr(all="raise")


def _writes_other_values(model: nn.Module) -> None:
    model.memory["array"][0] += 1
    model.memory["counts"]["calls"] += 1
    for generator in model.memory["generators"]:
        generator.random()


def _changes_class(model: nn.Module) -> None:
    model.conv.__class__ = nn.ReLU


def _sets_the_interpreter(model: nn.Module) -> None:
    del model
    gc.disable()
    sys.setprofile(lambda *_: None)
    torch.set_printoptions(precision=2)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def _raises(model: nn.Module) -> None:
    del model
    raise RuntimeError("from the forward")


DEEDS: dict[str, Callable[[nn.Module], None]] = {
    "changes flags": _changes_flags,
    "writes tensors": _writes_tensors,
    "adds members": _adds_members,
    "draws numbers": _draws_numbers,
    "moves the process": _moves_process,
    "sets modes": _sets_modes,
    "freezes": _freezes,
    "diverts streams": _diverts_streams,
    "writes into containers": _writes_into_containers,
    "changes layout": _changes_layout,
    "leaks modes": _leaks_modes,
    "writes other values": _writes_other_values,
    "changes a class": _changes_class,
    "sets the interpreter": _sets_the_interpreter,
    "raises": _raises,
}


class Net(nn.Module):
    """A model that does things in its forward that no model should."""

    def __init__(self, deeds: tuple[str, ...], width: int) -> None:
        super().__init__()
        self.deeds = deeds
        self.conv = nn.Conv2d(3, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(0.5)
        self.plain = torch.zeros(2)
        self.handles = {"list": [1, 2]}
        self.memory = {
            "states": [torch.zeros(2)],
            "steps": [[0], 1],
            "array": np.zeros(2),
            "counts": Counter(),
            "generators": [random.Random(0), np.random.default_rng(0), np.random.RandomState(0)],
        }
        self.generator = torch.Generator()

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.norm(self.conv(x)))
        for deed in self.deeds:
            DEEDS[deed](self)
        return x


PATCHED = (
    (nn.Module, "__init__"),
    (nn.Module, "__call__"),
    (nn.Module, "_call_impl"),
    (nn.Module, "__setattr__"),
    (nn.Conv2d, "__init__"),
    (nn.Conv2d, "forward"),
    (nn.modules.conv._ConvNd, "__init__"),
    (nn.BatchNorm2d, "__init__"),
    (nn.functional, "conv2d"),
    (torch, "conv2d"),
    (torch.Tensor, "__torch_function__"),
)
GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks")


def _state(model: nn.Module) -> dict[str, Any]:
    """All that must be the same afterwards, as values that compare with ==."""

    def of_tensor(tensor: Tensor | None) -> Any:
        if tensor is None:
            return None
        grad = of_tensor(tensor.grad) if tensor.is_leaf else None
        layout = (tensor.dtype, tensor.stride(), tensor.data_ptr())
        return (id(tensor), layout, tensor.requires_grad, tensor.detach().tolist(), tensor._version, grad)

    modules = {
        name: {
            "identity": id(module),
            "class": type(module),
            "attributes": {
                key: dict(value) if isinstance(value, dict) else id(value)
                for key, value in vars(module).items()
                if not isinstance(value, Tensor) and key not in {"_parameters", "_buffers"}
            },
            "training": module.training,
        }
        for name, module in model.named_modules()
    }
    return {
        "modules": modules,
        "parameters": {name: of_tensor(p) for name, p in model.named_parameters()},
        "buffers": {name: of_tensor(b) for name, b in model.named_buffers()},
        "plain": of_tensor(model.plain),
        "memory": ([of_tensor(state) for state in model.memory["states"]], copy.deepcopy(model.memory["steps"])),
        "other values": (model.memory["array"].tolist(), dict(model.memory["counts"])),
        "generators": str([copy.deepcopy(each).random() for each in model.memory["generators"]]),
        "generator": model.generator.get_state().tolist(),
        "python": random.getstate(),
        "torch": torch.get_rng_state().tolist(),
        "numpy": [str(part) for part in np.random.get_state()],  # noqa: NPY002
        "path": list(sys.path),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "grad": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": torch.get_num_threads(),
        "device": torch.empty(0).device,  # torch 2.6 cannot get the default device after it was set to None
        "autocast": torch.is_autocast_enabled("cpu"),
        "anomaly": torch.is_anomaly_enabled(),
        "precision": (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark),
        "limit": sys.getrecursionlimit(),
        "warnings": list(warnings.filters),
        "errors": np.geterr(),
        "interpreter": (gc.isenabled(), signal.getsignal(signal.SIGUSR1), vars(torch._tensor_str.PRINT_OPTS).copy()),
        "patched": [id(inspect.getattr_static(owner, name)) for owner, name in PATCHED],
        "hooks": [dict(getattr(nn.modules.module, name)) for name in GLOBAL_HOOKS],
        "modes": torch.overrides._get_current_function_mode_stack(),
        "streams": (sys.stdin, sys.stdout, sys.stderr, sys.excepthook, sys.gettrace(), sys.getprofile()),
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    deeds=st.lists(st.sampled_from(sorted(DEEDS)), max_size=3, unique=True),
    flags=st.lists(st.booleans(), min_size=4, max_size=4),
    frozen=st.booleans(),
    graded=st.booleans(),
    train=st.booleans(),
    channels=st.sampled_from([3, 5]),
    as_tensor=st.booleans(),
    how=st.sampled_from([convlint.check, convlint.summary]),
)
def test_everything_is_as_it_was(
    deeds: list[str],
    flags: list[bool],
    frozen: bool,
    graded: bool,
    train: bool,
    channels: int,
    as_tensor: bool,
    how: Callable[..., convlint.Report],
) -> None:
    model = Net(tuple(deeds), width=2)
    for module, flag in zip(model.modules(), flags, strict=True):
        module.training = flag
    model.conv.register_forward_pre_hook(lambda *_: None)
    model.conv.weight.requires_grad_(not frozen)
    if graded:
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
    given_input: Any = torch.rand(2, channels, 8, 8) if as_tensor else (channels, 8, 8)
    before_input = given_input.clone() if as_tensor else None
    before = _state(model)

    how(model, input=given_input, train=train)

    after = _state(model)
    for key, value in before.items():
        assert after[key] == value, key
    if before_input is not None:
        assert torch.equal(given_input, before_input)


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_each_deed_is_undone(deed: str) -> None:
    model = Net((deed,), width=2)
    before = _state(model)
    convlint.check(model, input=(3, 8, 8))
    after = _state(model)
    for key, value in before.items():
        assert after[key] == value, key


def test_a_backward_that_is_still_to_come_works() -> None:
    model = Net((), width=2).train()
    loss = model(torch.rand(4, 3, 8, 8)).sum()
    convlint.check(model, input=(3, 8, 8), train=True)
    loss.backward()
    assert model.conv.weight.grad is not None


def test_layers_that_a_forward_removes_are_part_of_the_model() -> None:
    class Removes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleDict({"a": nn.Conv2d(3, 4, 1), "b": nn.Conv2d(3, 4, 1)})

        def forward(self, x: Tensor) -> Tensor:
            return self.heads.pop("a")(x) + self.heads.pop("b")(x)

    model = Removes()
    (report,) = convlint.check(model, input=(3, 8, 8)).models
    assert report.totals.params == sum(parameter.numel() for parameter in model.parameters()) == 32


class Notes:
    """An object of the project: a counter, a cache."""

    def __init__(self) -> None:
        self.calls = 0
        self.kept = [torch.zeros(2)]
        self.norm = nn.BatchNorm2d(3)


class Slotted:
    __slots__ = ("calls", "late")

    def __init__(self) -> None:
        self.calls = 0


class Record(dict[str, int]):
    """A dictionary whose methods are not those of a dictionary."""

    def __setitem__(self, key: str, value: int) -> None:
        super().__setitem__(key, 2 * value)

    def copy(self) -> Record:
        raise NotImplementedError


class Counts(nn.Module):
    built = 0
    names: list[str] = []  # noqa: RUF012 - the kind of mistake that models contain

    def __init__(self) -> None:
        super().__init__()
        self.notes, self.slotted, self.data, self.record = Notes(), Slotted(), bytearray(b"a"), Record(a=1)
        self.optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1, momentum=0.9)
        self.norms = [nn.BatchNorm2d(3)]
        object.__setattr__(self, "hidden", nn.BatchNorm2d(3))

    def forward(self, x: Tensor) -> Tensor:
        self.notes.calls += 1
        self.notes.kept[0] += 1
        self.notes.late = True
        self.slotted.calls += 1
        self.slotted.late = True
        self.data.append(1)
        self.record["b"] = 1
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.ones_like(parameter)
        self.optimizer.step()
        type(self).built += 1
        self.names.append("late")
        type(self).late = True
        for norm in (*self.norms, self.hidden, self.notes.norm):
            x = norm(x)
        return x


def test_objects_classes_and_modules_that_are_not_registered_are_as_they_were() -> None:
    model = Counts()

    def found() -> list[object]:
        norms = (*model.norms, model.hidden, model.notes.norm)
        return [
            {name: value for name, value in vars(model.notes).items() if isinstance(value, int)},
            model.notes.kept[0].tolist(),
            (model.slotted.calls, hasattr(model.slotted, "late")),
            (bytes(model.data), dict(model.record)),
            (len(model.optimizer.state), [p.tolist() for p in model.optimizer.param_groups[0]["params"]]),
            (Counts.built, list(Counts.names), hasattr(Counts, "late")),
            [(norm.running_mean.tolist(), norm.num_batches_tracked.item(), norm.training) for norm in norms],
        ]

    before = found()
    report = convlint.check(model, input=(3, 8, 8))
    assert report.problems == ()
    assert {finding.code for finding in report.findings} == {"CVL206"}
    assert found() == before


def test_lazy_layers_stay_lazy() -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3))
    report = convlint.check(model, input=(3, 8, 8))
    assert report.models[0].totals.params == 112
    assert nn.parameter.is_lazy(model[0].weight)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_traced_model_keeps_its_flags_and_values() -> None:
    model = nn.Sequential(torch.jit.trace(nn.BatchNorm2d(2), torch.rand(2, 2, 4, 4)))
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    convlint.check(model, input=(2, 4, 4), batch_size=2, train=True)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_also_when_it_is_interrupted(error: type[BaseException]) -> None:
    class Stopped(Net):
        def forward(self, x: Tensor) -> Tensor:
            _moves_process(self)
            super().forward(x)
            raise error

    model = Stopped(("writes tensors",), width=2)
    before = _state(model)
    with pytest.raises(error) if error is KeyboardInterrupt else nullcontext():  # an exit is a problem
        convlint.check(model, input=(3, 8, 8))
    after = _state(model)
    for key, value in before.items():
        assert after[key] == value, key


def test_streams_are_restored_while_other_threads_live() -> None:
    over = threading.Event()
    waiting = threading.Thread(target=over.wait)
    waiting.start()
    before = sys.stdout, sys.stderr
    try:
        convlint.check(Net(("diverts streams",), width=2), input=(3, 8, 8))
        assert (sys.stdout, sys.stderr) == before
    finally:
        sys.stdout, sys.stderr = before
        over.set()
        waiting.join()
