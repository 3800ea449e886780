"""Errors of many forms of the layers of a model, of which a search for a size chooses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from math import isnan

from torch import Tensor, nn

from convlint.ir import Replacement, StudiedCall, StudiedForm
from convlint.rewriting.kinds import of_code
from convlint.rewriting.layer_use import LayerArguments
from convlint.rewriting.rank_kind import RankKind
from convlint.runtime.data.convert import convert_on_data, moments_of
from convlint.runtime.data.fit import fit, whitened
from convlint.runtime.data.loader import Batch
from convlint.runtime.data.measure import outputs_of, relative_error
from convlint.runtime.data.moments import Moments
from convlint.runtime.weights.checkpoint import convert_layer
from convlint.support.dataclass import replace

_SENSED = 2  # batches for the sensitivity of layers
_SECONDS_SHARE = 0.6  # of the time limit, after which no further call is studied


def study(
    model: nn.Module, calls: Sequence[StudiedCall], batches: Sequence[Batch], timeout: float
) -> Iterator[StudiedForm]:
    """Judge every form of every call: on data by its output error, else by its weight error."""
    until = time.monotonic() + _SECONDS_SHARE * timeout
    modules = dict(model.named_modules(remove_duplicate=False))
    names = [name for call in calls for name in call.layers]
    moments = moments_of(model, names, batches) if batches else {}
    for call in calls:
        if time.monotonic() > until:
            return
        layers = [modules[name] for name in call.layers]
        found = []
        for form in call.forms:
            better = refined(layers[0], form, moments.get(call.layers[0])) if len(layers) == 1 else form
            errors = [_error(layer, better, moments.get(name)) for name, layer in zip(call.layers, layers, strict=True)]
            found.append((better, errors))
        weight = 1.0
        if batches and found:
            weight = _sensitivity(model, call, found, batches[:_SENSED])
        for form, errors in found:
            yield StudiedForm(call.layers, form, weight * sum(error**2 for error in errors), max(errors))


def _error(layer: nn.Module, form: Replacement, moments: Moments | None) -> float:
    """The relative error of the outputs of a form, or of its weight where there are no moments."""
    if moments is not None:
        error = fit(layer, form, moments).error
        if not isnan(error):
            return error
    assert isinstance(layer.weight, Tensor)
    return convert_layer(layer.weight.detach(), None, form)[1]


def _sensitivity(
    model: nn.Module, call: StudiedCall, found: Sequence[tuple[Replacement, Sequence[float]]], batches: Sequence[Batch]
) -> float:
    """The squared output error of the model for the squared error of the layers of a call, at a medium form."""
    sums = [(sum(error**2 for error in errors), form) for form, errors in found]
    square, form = min(sums, key=lambda pair: abs(pair[0] / len(call.layers) - 0.06))
    if square < 1e-12:
        return 1.0
    converted, _ = convert_on_data(model, dict.fromkeys(call.layers, form), batches, calibrated=False)
    error = relative_error(outputs_of(converted, batches), outputs_of(model, batches))
    return max(error**2 / square, 1e-6)


def refined(layer: nn.Module, form: Replacement, moments: Moments | None) -> Replacement:
    """The form with the two ranks that keep most of the outputs, or of the weight, at no more parameters."""
    kind = of_code(form.code)
    if not isinstance(kind, RankKind) or len(form.ranks) != 2 or form.per or form.groups != 1:
        return form
    weight = layer.weight
    assert isinstance(weight, Tensor)
    kernel = weight.detach().double()
    if "Transpose" in form.base:
        kernel = kernel.transpose(0, 1)
    energy = whitened(kernel, moments)  # of each pair of an input and an output component
    into, out = energy.shape
    kept = energy.cumsum(0).cumsum(1)
    arguments = LayerArguments(into, out, tuple(kernel.shape[2:]))
    most = kind.params(arguments, form.ranks)
    best, ranks = float("-inf"), form.ranks
    for r in range(1, into + 1):
        rest = most - into * r
        s = min(rest // (arguments.window * r + out), out)
        if s < 1:
            continue
        if (value := float(kept[r - 1, s - 1])) > best:
            best, ranks = value, (r, s)
    return replace(form, ranks=ranks)
