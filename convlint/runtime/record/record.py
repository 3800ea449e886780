"""Record one real forward.

A forward that raises is run again with stand-ins for the calls that fail (see ``recover/stand_ins.py``), so that one
run reports all independent errors. A forward that succeeds runs unchanged.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import torch
from torch import Tensor, fx, nn

from convlint.runtime import isolation
from convlint.runtime.build.construction_sites import WatchedConstruction
from convlint.runtime.failures import ProblemError, failure_of, one_line
from convlint.runtime.isolation import Args, Kwargs
from convlint.runtime.record.rebuilt import has_parameters, rebuilt_layers
from convlint.runtime.record.recorder import Recorder
from convlint.runtime.record.steps import tensors_in
from convlint.runtime.record.to_graph import Recording
from convlint.runtime.recover import dimension_checks
from convlint.support.dataclass import replace


def record(
    model: nn.Module, args: Args = (), kwargs: Kwargs | None = None, *, train: bool = False, target: str | None = None
) -> Recording:
    """Run ``model(*args, **kwargs)`` once without gradients and record the calls.

    The run is in eval mode, or in train mode with ``train``; the training flags are restored. Saving buffers and random
    generators is up to the caller. A forward that raises is run again with stand-ins; an exception of this second run
    becomes ``Recording.failure``.
    """
    first = _run(model, args, kwargs or {}, train, target, repairing=False)
    if first.failure is None:
        if has_parameters(first.built):
            with isolation.silent():
                second = _run(model, args, kwargs or {}, train, target, repairing=False)
            first.rebuilt = tuple(rebuilt_layers(first.built, second.built, first.recorder.calls))
        return first
    second = _run(model, args, kwargs or {}, train, target, repairing=True)
    second.rebuilt = tuple(rebuilt_layers(second.built, first.built, second.recorder.calls))
    if second.failure is not None and not any(step.error for step in second.recorder.steps):
        return replace(first, rebuilt=second.rebuilt)
    return second


def trace(model: nn.Module, args: Args, kwargs: Kwargs, *, train: bool = False) -> fx.Graph:
    """The FX graph of one forward, as ``record`` runs it. Raises what the forward raises."""
    recording = _run(model, args, kwargs, train, None, repairing=False)
    if recording.error is not None:
        raise recording.error
    return recording.fx_graph.graph


def _run(
    model: nn.Module, args: Args, kwargs: Kwargs, train: bool, target: str | None, *, repairing: bool
) -> Recording:
    recorder = Recorder(model, repairing)
    for name, tensor in _named_inputs(model, args, kwargs):
        recorder.add_input(name, tensor)
    result, failure, error = None, None, None
    with ExitStack() as stack:
        flags = stack.enter_context(training_flags_restored(model))
        construction = stack.enter_context(WatchedConstruction(collect=True))
        stack.enter_context(isolation.module_calls(recorder.call_module))
        stack.enter_context(eager())
        if repairing:
            stack.enter_context(dimension_checks.recorded(recorder.refuse))
        if any(flag is not train for flag in flags):
            set_training(model, training=train)
        stack.enter_context(torch.no_grad())
        try:
            with recorder:
                result = model(*args, **kwargs)
        except ProblemError:
            raise
        except Exception as raised:
            error = raised
            failure = failure_of(raised, "forward", recorder.failed_in or "")
            if recorder.operator_error is not None:
                failure = replace(failure, message=one_line(recorder.operator_error))
    recorder.close(result)
    if error is None:
        recorder.keep_alive_outputs()
    return Recording(model, recorder, result, failure, train, target, error, construction.built)


@contextmanager
def training_flags_restored(model: nn.Module) -> Iterator[list[bool]]:
    """Context that restores the training flag of every module on exit; yields the flags."""
    # A frozen module of TorchScript has no flag.
    flags = [(module, module.training) for module in model.modules() if hasattr(module, "training")]
    try:
        yield [flag for _, flag in flags]
    finally:
        for module, flag in flags:
            if module.training is not flag:
                module.training = flag


def set_training(model: nn.Module, *, training: bool) -> None:
    """Set the mode of a model. One that refuses keeps its own: an exported graph has that in which it was exported."""
    with suppress(Exception):
        model.train(training)


@contextmanager
def eager() -> Iterator[None]:
    """Context in which compiled submodules run eagerly. Without torch._dynamo loaded there are none."""
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def _named_inputs(model: nn.Module, args: Args, kwargs: Kwargs) -> Iterator[tuple[str, Tensor]]:
    """The input tensors of a model, named after the parameters of its ``forward``."""
    forward = inspect.getattr_static(type(model), "forward", None)  # a scripted module has none in its class
    code = getattr(forward, "__code__", None)
    names = list(code.co_varnames[1 : code.co_argcount]) if code is not None else []
    by_position = [(names[i] if i < len(names) else f"input_{i}", value) for i, value in enumerate(args)]
    for name, value in (*by_position, *kwargs.items()):
        found = list(tensors_in(value))
        for count, tensor in enumerate(found):
            yield name if len(found) == 1 else f"{name}_{count}", tensor
