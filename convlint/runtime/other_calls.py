"""Build the other models in the files of a model, and run them for the shapes of their outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from convlint.ir import BuiltLayer, OtherCall
from convlint.rewriting.kinds import kinds
from convlint.runtime.build import construction_sites, load_target
from convlint.runtime.failures import one_line
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.record import layers
from convlint.runtime.record.shapes_only import ShapesOnly, ValuesReadError
from convlint.runtime.record.steps import tensors_in
from convlint.runtime.worker.time_limit import TooLongError, at_most
from convlint.settings.jobs import Job
from convlint.settings.targets import parse_target

_CALL_SECONDS = 5.0  # for one of them
_REWRITABLE = {base for kind in kinds().values() for base in kind.bases}
_CALLS_SHARE = 0.3  # of the job's time limit, after which no further call starts


def run(targets: tuple[str, ...], inputs: Inputs, job: Job) -> Iterator[OtherCall]:
    """Build other targets in order until the time limit."""
    until = time.monotonic() + _CALLS_SHARE * job.timeout
    for target in targets:
        if time.monotonic() > until:
            return
        yield _run_other_call(target, inputs, job)


def _run_other_call(text: str, inputs: Inputs, job: Job) -> OtherCall:
    """Build a target, on the meta device if possible, and run it on the job's input."""
    target = parse_target(text)
    try:
        with at_most(_CALL_SECONDS), torch.no_grad():
            made, meta = _build(load_target.constructor_call(load_target.find_object(target, job.root), target))
            model = load_target.check_model(made, target)
            built = tuple(_rewritable_layers(model))
            try:
                result = _outputs(model.eval(), inputs, meta=meta)
            except Exception:  # a block needs other inputs than the model
                return OtherCall(text, "built", built=built)
            shapes = tuple("x".join(map(str, tensor.shape)) for tensor in tensors_in(result))
            return OtherCall(text, "ran", shapes, built=built)
    except (Exception, TooLongError) as error:
        return OtherCall(text, "failed", error=f"{type(error).__name__}: {one_line(error)}")


def _build(make: Callable[[], Any]) -> tuple[Any, bool]:
    """Build a model on the meta device, or with values if its constructor reads them. Returns whether it is on meta."""
    try:
        with construction_sites.WatchedConstruction(), torch.device("meta"):
            return make(), True
    except Exception:
        with construction_sites.WatchedConstruction():
            return make(), False


def _outputs(model: nn.Module, inputs: Inputs, *, meta: bool) -> Any:
    """The outputs of a model, which may be on the meta device, for their shapes.

    Without values where possible: the functions for the meta device take a second to import.
    """
    if not meta:
        return model(*inputs.args, **inputs.kwargs)
    try:
        _without_meta(model)
        with ShapesOnly(compute=False):
            return model(*inputs.args, **inputs.kwargs)
    except (ValuesReadError, Exception):
        on_meta = inputs.map(lambda tensor: tensor.to("meta"))
        return model.to("meta")(*on_meta.args, **on_meta.kwargs)


def _without_meta(model: nn.Module) -> None:
    """Give memory without values to the parameters of a model; its buffers of integers may be indices, and are 0."""
    for module in model.modules():
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is None or not tensor.is_meta:
                continue
            make = torch.empty if tensor.is_floating_point() else torch.zeros
            values = make(tensor.shape, dtype=tensor.dtype)
            if isinstance(tensor, nn.Parameter):
                module._parameters[name] = nn.Parameter(values, requires_grad=False)
            else:
                module._buffers[name] = values


def _rewritable_layers(model: nn.Module) -> Iterator[BuiltLayer]:
    """The layers that could be rewritten, without duplicates of the same call with the same arguments."""
    seen: set[tuple[Any, str]] = set()
    for layer in layers.layers(model, ()):
        if layer.base in _REWRITABLE and layer.site is not None:
            key = (layer.site, f"{layer.kind} {sorted(layer.attrs.items())}")
            if key not in seen:
                seen.add(key)
                yield BuiltLayer(layer.site, layer.kind, layer.attrs)
