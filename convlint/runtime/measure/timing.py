"""Measure the time of a model and its layers, alternating between the original and the rewritten one."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from statistics import median

import torch
from torch import Tensor, nn

from convlint.ir import Replacement, Timing
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.isolation import Args, Kwargs
from convlint.runtime.weights.replace_layers import replace_layers

_WARM = 3  # calls before the first that counts
_LAYOUTS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}


def timings(model: nn.Module, inputs: Inputs, forms: Mapping[str, Replacement], runs: int) -> tuple[Timing, ...]:
    """Measure the seconds of the model and of each layer in ``forms``, in both memory layouts.

    The rewritten model is the original with its layers replaced, in the same process. Calls alternate between the two,
    so that changes in the machine's load affect both. Both are warmed up first.
    """
    rewritten = replace_layers(copy.deepcopy(model), forms)
    found: list[Timing] = []
    with torch.inference_mode():
        for layout in _LAYOUTS:
            pair = tuple(_laid_out(m.eval(), layout) for m in (model, rewritten))
            given = inputs.map(lambda tensor, layout=layout: _tensor(tensor, layout))  # type: ignore[misc]
            layers = _layer_calls(pair[0], given, list(forms))
            calls = tuple(_call(m, given.args, given.kwargs) for m in pair)
            found.append(_timed("model", layout, calls, runs, _device(given.tensors)))
            for name, x in layers.items():
                calls = tuple(_call(m.get_submodule(name), (x,), {}) for m in pair)
                found.append(_timed(name, layout, calls, runs, x.device.type))
    return tuple(found)


def _laid_out(model: nn.Module, layout: str) -> nn.Module:
    return model.to(memory_format=_LAYOUTS[layout])  # type: ignore[call-overload,no-any-return]


def _tensor(tensor: Tensor, layout: str) -> Tensor:
    return tensor.to(memory_format=_LAYOUTS[layout]) if tensor.dim() == 4 else tensor


def _device(tensors: list[Tensor]) -> str:
    return tensors[0].device.type if tensors else "cpu"


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
            module = model.get_submodule(name)
            hooks += [module.register_forward_pre_hook(note(name))]
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
    before, after = calls
    for _ in range(_WARM):
        before()
        after()
    seconds = list(_in_turns(before, after, runs))
    first, second = ([pair[side] for pair in seconds] for side in (0, 1))
    return Timing(
        what, device, layout, torch.get_num_threads(), runs, (min(first), median(first)), (min(second), median(second))
    )


def _in_turns(before: Callable[[], float], after: Callable[[], float], runs: int) -> Iterator[tuple[float, float]]:
    """Seconds of both calls for each run; the order changes from run to run."""
    for turn in range(runs):
        if turn % 2:
            second = after()
            yield before(), second
        else:
            yield before(), after()
