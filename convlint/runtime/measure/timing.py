"""Measure the time of a model and its layers, alternating between the original and the rewritten one."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from statistics import median

import torch
from torch import Tensor, nn

from convlint.ir import Replacement, Timing
from convlint.ir.suggestions import is_certain
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.isolation import Args, Kwargs
from convlint.runtime.weights.replace_layers import replace_layers

_WARM = 3  # calls before the first that counts
_STEP = 20  # turns after which the verdict is looked at again
_MOST_RUNS = 5  # times the requested turns, where the verdict stays uncertain
_MOST_SECONDS = 20.0  # for one subject, after the requested turns
_CONFIDENCE = 0.998  # of one of at most five looks: together 99 %
_LAYOUTS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}


def timings(model: nn.Module, inputs: Inputs, forms: Mapping[str, Replacement], runs: int) -> tuple[Timing, ...]:
    """Measure the seconds of the model and of each layer in ``forms``, in both memory layouts.

    The rewritten model is the original with its layers replaced, in the same process. Calls alternate between the two,
    so that changes in the machine's load affect both. Both are warmed up first.
    """
    rewritten = replace_layers(copy.deepcopy(model), forms)
    found: list[Timing] = []
    with torch.inference_mode():
        for layout, memory in _LAYOUTS.items():
            pair = [m.eval().to(memory_format=memory) for m in (model, rewritten)]  # type: ignore[call-overload]
            given = inputs.map(lambda t, memory=memory: t.to(memory_format=memory) if t.dim() == 4 else t)  # type: ignore[misc]
            layers = _layer_calls(pair[0], given, list(forms))
            calls = tuple(_call(m, given.args, given.kwargs) for m in pair)
            device = next((tensor.device.type for tensor in given.tensors), "cpu")
            found.append(_timed("model", layout, calls, runs, device))
            for name, x in layers.items():
                calls = tuple(_call(m.get_submodule(name), (x,), {}) for m in pair)
                found.append(_timed(name, layout, calls, runs, x.device.type))
    return tuple(found)


def _layer_calls(model: nn.Module, inputs: Inputs, names: list[str]) -> dict[str, Tensor]:
    """The first input of each layer. The model itself (the empty name) is left out."""
    found: dict[str, Tensor] = {}
    hooks = []

    def note(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, args: Args) -> None:
            if args and isinstance(args[0], Tensor):
                found.setdefault(name, args[0].clone())

        return hook

    try:
        for name in filter(None, names):
            hooks += [model.get_submodule(name).register_forward_pre_hook(note(name))]
        model(*inputs.args, **inputs.kwargs)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _call(module: nn.Module, args: Args, kwargs: Kwargs) -> Callable[[], float]:
    """A function that calls ``module`` and returns the seconds; it synchronizes with a CUDA device."""
    cuda = any(isinstance(a, Tensor) and a.is_cuda for a in (*args, *kwargs.values()))

    def run() -> float:
        start = time.perf_counter()
        module(*args, **kwargs)
        if cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - start

    return run


def _timed(what: str, layout: str, calls: tuple[Callable[[], float], ...], runs: int, device: str) -> Timing:
    for _ in range(_WARM):
        for call in calls:
            call()
    seconds: tuple[list[float], list[float]] = ([], [])
    turn = 0
    until = time.monotonic() + _MOST_SECONDS
    while not _is_enough(seconds, runs) and (turn < runs or time.monotonic() < until):
        for side in (1, 0) if turn % 2 else (0, 1):  # the order changes from run to run
            seconds[side].append(calls[side]())
        turn += 1
    first, second = ((min(some), median(some)) for some in seconds)
    return Timing(what, device, layout, torch.get_num_threads(), turn, first, second, _wins(seconds))


def _is_enough(seconds: tuple[list[float], list[float]], runs: int) -> bool:
    """Return whether the verdict is certain, or would not be after more turns."""
    turns = len(seconds[0])
    if turns < runs or (turns - runs) % _STEP:  # few looks, so that chance is not asked too often
        return turns >= _MOST_RUNS * runs
    return is_certain(_wins(seconds), turns, _CONFIDENCE) or turns >= _MOST_RUNS * runs


def _wins(seconds: tuple[list[float], list[float]]) -> int:
    return sum(after < before for before, after in zip(*seconds, strict=True))
