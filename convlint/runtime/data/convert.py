"""Convert a model on data: layer after layer, each fitted to the outputs of the dense layer."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from math import isnan

import torch
from torch import Tensor, nn

from convlint.ir import Replacement
from convlint.runtime.data.calibrate import on_batch_statistics
from convlint.runtime.data.fit import fit
from convlint.runtime.data.loader import Batch
from convlint.runtime.data.moments import Moments, is_fitted
from convlint.runtime.weights.checkpoint import convert_layer
from convlint.runtime.weights.replace_layers import replace_layers


@contextmanager
def calls_of(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, list[tuple[Tensor, Tensor]]]]:
    """Context in which the input and output of each call of some modules are collected; clear them in between."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in layers}
    hooks = []
    for name, layer in layers.items():

        def note(_: nn.Module, given: tuple[Tensor, ...], result: Tensor, name: str = name) -> None:
            if given:
                found[name].append((given[0].detach().clone(), result.detach().clone()))  # both may change in place

        hooks.append(layer.register_forward_hook(note))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def in_order(model: nn.Module, names: Iterable[str], batch: Batch) -> list[str]:
    """The names of layers in the order of their first call; those that are not called come last."""
    modules = dict(model.named_modules(remove_duplicate=False))
    names = list(names)
    order: dict[str, int] = {}
    hooks = []
    for name in names:

        def note(*_: object, name: str = name) -> None:
            order.setdefault(name, len(order))

        hooks.append(modules[name].register_forward_hook(note))
    with torch.no_grad():
        model(*batch.inputs.args, **batch.inputs.kwargs)
    for hook in hooks:
        hook.remove()
    return sorted(names, key=lambda name: order.get(name, len(names)))


def moments_of(model: nn.Module, names: Sequence[str], batches: Sequence[Batch]) -> dict[str, Moments]:
    """The moments of the inputs and outputs of layers in the model itself."""
    modules = dict(model.named_modules(remove_duplicate=False))
    layers = {name: modules[name] for name in names if is_fitted(modules[name])}
    found = {name: Moments(layer) for name, layer in layers.items()}
    with torch.no_grad(), calls_of(layers) as calls:
        for batch in batches:
            model(*batch.inputs.args, **batch.inputs.kwargs)
            for name, made in calls.items():
                for x, y in made:
                    found[name].add(x, y)
                made.clear()
    return found


def convert_on_data(
    model: nn.Module, forms: Mapping[str, Replacement], batches: Sequence[Batch], *, calibrated: bool
) -> tuple[nn.Module, dict[str, float]]:
    """Return a copy of a model with rewritten layers, and the relative error of the outputs of each on the data.

    The layers are fitted in the order of execution: to the outputs of the original, for the inputs that the layers
    converted before leave. ``calibrated``: the norms are going to be estimated again.
    """
    model.eval()
    converted = copy.deepcopy(model)
    originals = dict(model.named_modules(remove_duplicate=False))
    errors: dict[str, float] = {}
    for name in in_order(model, forms, batches[0]):
        layer, form = originals[name], forms[name]
        if is_fitted(layer) and form.between == "none":
            moments = _moments_between(model, converted, name, batches, calibrated=calibrated)
            fitted = fit(layer, form, moments)
            state = fitted.state
            if not isnan(fitted.error):
                errors[name] = fitted.error
        else:
            weight, bias = layer.weight, layer.bias
            assert isinstance(weight, Tensor)
            state, _ = convert_layer(weight.detach(), bias.detach() if isinstance(bias, Tensor) else None, form)
        converted = replace_layers(converted, {name: form})
        dict(converted.named_modules(remove_duplicate=False))[name].load_state_dict(state)
        converted.eval()
    return converted, errors


def _moments_between(
    model: nn.Module, converted: nn.Module, name: str, batches: Sequence[Batch], *, calibrated: bool
) -> Moments:
    """The moments of the inputs of a layer in the converted model, and of its outputs in the original."""
    one, two = (dict(m.named_modules(remove_duplicate=False))[name] for m in (model, converted))
    moments = Moments(one)
    with torch.no_grad(), calls_of({name: one}) as targets, calls_of({name: two}) as inputs:
        for batch in batches:
            model(*batch.inputs.args, **batch.inputs.kwargs)
            with on_batch_statistics(converted) if calibrated and batch.samples > 1 else nullcontext():
                converted(*batch.inputs.args, **batch.inputs.kwargs)
            for (_, y), (x, _) in zip(targets[name], inputs[name], strict=True):
                moments.add(x, y)
            targets[name].clear()
            inputs[name].clear()
    return moments
