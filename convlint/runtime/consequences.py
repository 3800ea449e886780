"""Try what a project does with a model besides running it: export, trace, script, quantize, fuse its layers."""

from __future__ import annotations

import copy
import functools
import importlib
import linecache
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from convlint.ir.nodes import Shape
from convlint.ir.suggestions import PROBES, TOO_LONG
from convlint.runtime.build.construction_sites import forget_construction
from convlint.runtime.failures import one_line
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.isolation import silent
from convlint.runtime.record.shapes_only import ShapesOnly, without_computing
from convlint.runtime.record.steps import tensors_in
from convlint.runtime.repeats import without_repeats
from convlint.runtime.worker.time_limit import TooLongError, at_most
from convlint.source_text import lines

_SECONDS = 30.0  # for one of them
_OTHER_SHAPE = "the shape of its output differs"
_TOLERANCE = 1e-2  # relative; fusing changes rounding
_LIBRARIES = ("torch.export._trace", "torch.ao.quantization.quantize_fx")


@functools.cache
def load_libraries() -> None:
    """Import what the probes need, once for all processes that are forked from this one: it takes as long as torch."""
    with suppress(Exception), silent(), warnings.catch_warnings():  # the probe that needs it reports the error
        warnings.simplefilter("ignore")
        for name in _LIBRARIES:
            importlib.import_module(name)


def run(model: nn.Module, inputs: Inputs, names: Sequence[str], texts: Mapping[str, str]) -> dict[str, str]:
    """Try ``names`` on copies of a model: for each the error, "" if it works; also if it takes too long.

    ``names`` are those of ``PROBES``, or ``Class.method`` for a method that must not change what the model computes.
    What works without the blocks that repeat others works; all else is tried with the whole model.
    """
    _show_source(texts)
    smaller = model
    with suppress(Exception), silent():  # the model is tried as it is
        copied = _prepared(model, sharing=True)
        if without_repeats(copied, inputs):
            smaller = copied
    found: dict[str, str] = {}
    some = [name for name in names if name in _PROBES] if smaller is not model else []
    if some:
        found = {name: error for name, error in _errors(_Tried(smaller, inputs), some).items() if not error}
    left = [name for name in names if name not in found]
    return {**found, **_errors(_Tried(model, inputs), left)}


def _errors(tried: _Tried, names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        start = time.monotonic()
        try:
            with silent(), warnings.catch_warnings(), at_most(_SECONDS):
                warnings.simplefilter("ignore")
                found[name] = tried.error(name)
            continue
        except TooLongError:
            found[name] = f"{TOO_LONG} {_SECONDS:g} seconds"
        except Exception as error:
            found[name] = f"{type(error).__name__}: {one_line(error)}"
            if time.monotonic() - start >= _SECONDS:  # torch has made another exception of TooLongError
                found[name] = f"{TOO_LONG} {_SECONDS:g} seconds"
        tried.forget()
    return found


class _Tried:
    """A model, and a copy for everything that leaves it as it was."""

    def __init__(self, model: nn.Module, inputs: Inputs) -> None:
        self._model = model
        self._inputs = inputs
        self._shared: nn.Module | None = None
        self._outputs: list[Shape] | None = None  # computed once

    def forget(self) -> None:
        """Drop the copy, which an error may have left in any state."""
        self._shared = None

    def error(self, name: str) -> str:
        """Try one of ``PROBES`` or a method; "" if it works. Raises what it raises."""
        probe = _PROBES.get(name)
        if probe is None:
            return _after_method(_prepared(self._model), self._inputs, name)
        traced = probe(_prepared(self._model, sharing=True) if probe in _WRITES else self._copy(), self._inputs)
        if traced is None:
            return ""
        # What was traced does what the model did, and only its shapes are worth another forward.
        if self._outputs is None:
            self._outputs = _shapes(self._copy(), self._inputs)
        return "" if _shapes(traced, self._inputs) == self._outputs else _OTHER_SHAPE

    def _copy(self) -> nn.Module:
        if self._shared is None:
            self._shared = _prepared(self._model, sharing=True)
        return self._shared


def _show_source(texts: Mapping[str, str]) -> None:
    """Let ``inspect`` see replaced files, which torch.jit.script compiles from their text."""
    for path, text in texts.items():
        with suppress(SyntaxError, UnicodeError, LookupError):  # not Python: nothing to show
            source = lines.split(lines.decode(text.encode("latin-1"))[0])
            linecache.cache[path] = (len(text), None, source, path)


def _prepared(model: nn.Module, *, sharing: bool = False) -> nn.Module:
    """A copy in eval mode, without the record of its construction, and with norms that are not the identity.

    ``sharing``: with the same parameters, which libraries do not write.
    """
    copied = copy.deepcopy(model, {id(p): p for p in model.parameters()} if sharing else None).eval()
    generator = torch.Generator().manual_seed(0)
    for module in copied.modules():
        forget_construction(module)
        for name, low in (("running_mean", -0.5), ("running_var", 0.5)):
            values = getattr(module, name, None)
            if isinstance(values, Tensor) and values.is_floating_point() and not values.is_meta:
                drawn = torch.rand(values.shape, generator=generator) + low
                values.copy_(drawn.to(values))
    return copied


def _outputs(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    torch.manual_seed(0)
    return list(tensors_in(model(*inputs.args, **inputs.kwargs)))


def _shapes(model: nn.Module, inputs: Inputs) -> list[Shape]:
    """The shapes of the outputs, computed without values where possible."""

    def run(*, compute: bool) -> list[Shape]:
        with torch.no_grad(), ShapesOnly(compute=compute):
            return [tuple(tensor.shape) for tensor in _outputs(model, inputs)]

    return without_computing(run)


def _difference(before: Sequence[Tensor], after: Sequence[Tensor]) -> str:
    """Describe how two outputs differ; "" if they are close."""
    if [t.shape for t in before] != [t.shape for t in after]:
        return _OTHER_SHAPE
    for first, second in zip(before, after, strict=True):
        if not first.is_floating_point() or not first.numel():
            continue
        away = (first - second).abs().max().item()
        size = first.abs().max().item()
        if not away <= _TOLERANCE * max(size, 1e-6):
            return f"its output differs by {away:.2g} (the largest value is {size:.2g})"
    return ""


# --- libraries


def _symbolic_trace(model: nn.Module, _: Inputs) -> nn.Module:
    return torch.fx.symbolic_trace(model)


def _script(model: nn.Module, _: Inputs) -> None:
    # torch knows its operators by their addresses, also those that it has freed: a list may be at one of them now.
    operators: Any = torch.jit._builtins
    for value in (value for module in model.modules() for value in vars(module).values() if not callable(value)):
        operators._get_builtin_table().pop(id(value), None)
    torch.jit.script(model)


def _trace(model: nn.Module, inputs: Inputs) -> None:
    torch.jit.trace(model, example_inputs=inputs.args, check_trace=False)


def _export(model: nn.Module, inputs: Inputs) -> None:
    torch.export.export(model, tuple(inputs.args), dict(inputs.kwargs), strict=False)


def _prepare_eager(model: nn.Module, _: Inputs) -> None:
    from torch.ao import quantization

    model.qconfig = quantization.get_default_qconfig()
    quantization.prepare(model, inplace=True)


def _prepare_fx(model: nn.Module, inputs: Inputs) -> None:
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import prepare_fx

    prepare_fx(model, get_default_qconfig_mapping(), tuple(inputs.args))


_PROBES: Mapping[str, Callable[[nn.Module, Inputs], nn.Module | None]]
_PROBES = dict(zip(PROBES, (_export, _symbolic_trace, _script, _trace, _prepare_eager, _prepare_fx), strict=True))
_WRITES = (_prepare_eager, _prepare_fx)  # these change the model


# --- methods of the project


def _after_method(model: nn.Module, inputs: Inputs, name: str) -> str:
    """Call a method of the model, or else of all its modules of a class: its outputs must stay the same."""
    cls, _, method = name.partition(".")
    modules = [model] if hasattr(type(model), method) else list(_of_class(model, cls))
    if not modules:
        raise LookupError(f"the model has no {cls}")
    with torch.no_grad():
        before = [tensor.clone() for tensor in _outputs(model, inputs)]
        result: Any = None
        for module in modules:
            result = getattr(module, method)()
        changed = result if modules[0] is model and isinstance(result, nn.Module) else model
        return _difference(before, _outputs(changed, inputs))


def _of_class(model: nn.Module, name: str) -> Iterator[nn.Module]:
    yield from (module for module in model.modules() if any(c.__name__ == name for c in type(module).__mro__))
