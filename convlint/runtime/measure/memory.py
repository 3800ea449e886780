"""Measure the memory of a model: the peak of an inference, and the tensors that autograd saves for backward.

Each measurement takes a forward of its own that computes shapes only (see ``shapes_only.py``).
"""

from __future__ import annotations

import random
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from convlint.ir import Graph
from convlint.runtime import isolation
from convlint.runtime.failures import one_line
from convlint.runtime.isolation import Args, CallModule, Kwargs
from convlint.runtime.measure import workspace
from convlint.runtime.record.names import ModelNames
from convlint.runtime.record.record import eager, set_training, training_flags_restored
from convlint.runtime.record.shapes_only import ShapesOnly, without_computing
from convlint.runtime.record.steps import tensors_in
from convlint.runtime.saved_tensors import saved
from convlint.support.dataclass import dataclass, field, replace


def with_memory(
    graph: Graph, model: nn.Module, args: Args, kwargs: Kwargs | None = None, *, peak: bool = True
) -> Graph:
    """Add the measured memory to a graph; see ``docs/costs.md``.

    ``peak_inference_bytes`` is the maximum of bytes alive at once in eval mode without gradients: parameters, buffers,
    inputs, and the tensors of the forward; not measured without ``peak``. ``saved_bytes`` is what autograd saves in a
    forward in train mode, or in eval mode if that raises (``saved_bytes_mode``); the share of a layer is what was saved
    while it was the innermost module.

    The model, its buffers and the random generators are left as they were. Where a forward raises, its figures stay
    None and ``unseen`` says why.
    """
    kwargs = kwargs or {}
    unseen = list(graph.untraced)
    with _state_restored(model):
        try:
            shapes = [graph.tensor(id).shape for node in graph.nodes[-1:] for id in node.inputs]
            most = _peak(model, args, kwargs, None if graph.training else shapes) if peak else None
        except Exception as error:
            most = None
            unseen.append(("", f"peak memory was not measured: {_described(error)}"))
        try:
            saved, mode = _saved(model, args, kwargs)
        except Exception as error:
            unseen.append(("", f"saved memory was not measured: {_described(error)}"))
            return replace(graph, peak_inference_bytes=most, untraced=tuple(unseen))
    return replace(
        graph,
        peak_inference_bytes=most,
        saved_bytes=sum(saved.by_module.values()),
        saved_bytes_mode=mode,
        called_in_training=tuple(saved.called) if mode == "train" else None,
        layers=tuple(replace(layer, saved_bytes=saved.by_module.get(layer.name, 0)) for layer in graph.layers),
        untraced=tuple(unseen),
    )


def _described(error: Exception) -> str:
    return f"another forward raised {type(error).__name__}: {one_line(error)}"


def _peak(model: nn.Module, args: Args, kwargs: Kwargs, expected: list[tuple[int, ...]] | None) -> int:
    """Maximum of bytes alive at once. Raises what the forward raises."""
    set_training(model, training=False)

    def run(*, compute: bool) -> tuple[int, list[tuple[int, ...]]]:
        given = [*model.parameters(), *model.buffers(), *tensors_in((args, kwargs))]
        with torch.no_grad(), _Liveness(given, compute=compute) as live:
            result = model(*args, **kwargs)
        return live.peak, [tuple(tensor.shape) for tensor in tensors_in(result)]

    peak, shapes = without_computing(run)
    if expected is not None and shapes != expected:
        peak, _ = run(compute=True)
    return peak


class _Liveness(ShapesOnly):
    """Counts the bytes of all storages that are alive; views and in-place results share a storage."""

    def __init__(self, given: list[Tensor], *, compute: bool) -> None:
        super().__init__(compute=compute)
        self.live = self.peak = 0
        self._alive: dict[int, weakref.ref[Any]] = {}
        self._threads = torch.get_num_threads()
        for tensor in given:
            self._see(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Args = (), kwargs: Any = None) -> Any:
        before = self.live
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if isinstance(result, Tensor):
            self._see(result)
            if func is torch.ops.aten.convolution.default:
                x, weight, _, stride, _, dilation, _, _, groups = args
                taken = workspace.of_convolution(x, weight, result, stride, dilation, groups, self._threads)
                self.peak = max(self.peak, before + taken)
        else:
            for tensor in tensors_in(result):
                self._see(tensor)
        return result

    def _see(self, tensor: Tensor) -> None:
        storage = _storage(tensor)
        if storage is None or id(storage) in self._alive:
            return
        key, size = id(storage), storage.nbytes()

        def freed(_: Any) -> None:
            del self._alive[key]
            self.live -= size

        self._alive[key] = weakref.ref(storage, freed)
        self.live += size
        self.peak = max(self.peak, self.live)


def _storage(tensor: Tensor) -> torch.UntypedStorage | None:
    """The storage of a tensor, the same object as long as it is alive; None for sparse tensors."""
    if tensor.layout is not torch.strided or nn.parameter.is_lazy(tensor):
        return None
    return tensor.untyped_storage()


@dataclass
class _Saved:
    """Bytes saved for backward by innermost module, and the modules called."""

    by_module: dict[str, int] = field(default_factory=dict)
    called: dict[str, None] = field(default_factory=dict)


def _saved(model: nn.Module, args: Args, kwargs: Kwargs) -> tuple[_Saved, str]:
    """The saved bytes of a forward and its mode: train, or eval if train raises. Raises what eval raises."""

    def run(*, compute: bool) -> _Saved:
        with ShapesOnly(compute=compute):
            return _saved_by_forward(model, args, kwargs)

    set_training(model, training=True)
    try:
        return without_computing(run), "train"
    except Exception:  # for example a norm of single values, or a detector without targets
        set_training(model, training=False)
        return without_computing(run), "eval"


def _saved_by_forward(model: nn.Module, args: Args, kwargs: Kwargs) -> _Saved:
    saved = _Saved()
    names = ModelNames(model).modules
    state = [_storage(tensor) for tensor in (*model.parameters(), *model.buffers())]
    seen = {id(storage): weakref.ref(storage) for storage in state if storage is not None}
    stack = [""]

    def call_inside(call: CallModule, module: nn.Module, args: Args, kwargs: Kwargs) -> Any:
        stack.append(names.get(id(module), stack[-1]))
        saved.called[stack[-1]] = None
        try:
            return call(module, *args, **kwargs)
        finally:
            stack.pop()

    def pack(tensor: Tensor) -> None:
        storage = _storage(tensor)
        if storage is None:
            return
        known = seen.get(id(storage))
        if known is None or known() is not storage:
            seen[id(storage)] = weakref.ref(storage)
            saved.by_module[stack[-1]] = saved.by_module.get(stack[-1], 0) + storage.nbytes()

    with (
        isolation.module_calls(call_inside),
        torch.enable_grad(),
        torch.autograd.graph.saved_tensors_hooks(pack, _no_backward),
    ):
        model(*args, **kwargs)
    return saved


def _no_backward(_: Any) -> Tensor:
    raise RuntimeError("a forward that only measures has no backward")


@contextmanager
def _state_restored(model: nn.Module) -> Iterator[None]:
    """Restore training flags, buffers and random generators on exit; run compiled submodules eagerly."""
    kept = [
        (module, name, buffer, saved(buffer))
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    cuda = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    python = random.getstate()
    with training_flags_restored(model), torch.random.fork_rng(cuda), eager():
        try:
            yield
        finally:
            random.setstate(python)
            for module, name, buffer, restore in kept:
                module._buffers[name] = buffer
                restore()
