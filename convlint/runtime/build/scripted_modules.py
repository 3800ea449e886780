"""Scripted and traced modules: the Python modules that they were made from are run in their place.

A scripted module runs outside of Python, so neither the lines nor the calls of its forward can be recorded. Its
original computes the same with the same parameters. A module that was loaded as TorchScript has none, and runs as it
is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from convlint.runtime.isolation import in_run

_ORIGINAL = "_convlint_original"
_EXAMPLE = "_convlint_example"


@contextmanager
def originals_remembered() -> Iterator[None]:
    """Context in which ``torch.jit.script`` and ``torch.jit.trace`` remember the modules that they are called with."""
    with ExitStack() as stack:
        for name, function in (("script", _remembering_script), ("trace", _remembering_trace)):
            before = getattr(torch.jit, name)
            stack.callback(setattr, torch.jit, name, before)
            setattr(torch.jit, name, function(before))
        yield


def _remembering_script(script: Callable[..., Any]) -> Callable[..., Any]:
    def remembering(obj: Any, *args: Any, **kwargs: Any) -> Any:
        return _remembered(script(obj, *args, **kwargs), obj)

    return remembering


def _remembering_trace(trace: Callable[..., Any]) -> Callable[..., Any]:
    def remembering(func: Any, example_inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
        try:
            traced = trace(func, example_inputs, *args, **kwargs)
        except Exception:
            # Tracing runs the module. If that is what fails, the recorded run reports it with its line.
            if not (in_run() and isinstance(func, nn.Module) and _fails(func, example_inputs)):
                raise
            return func
        return _remembered(traced, func, example_inputs)

    return remembering


def _fails(module: nn.Module, inputs: Any) -> bool:
    try:
        with torch.no_grad():
            module(*(inputs if isinstance(inputs, tuple) else (inputs,)))
    except Exception:
        return True
    return False


def _remembered(module: Any, original: Any, example: Any = None) -> Any:
    if in_run() and isinstance(module, torch.jit.ScriptModule) and isinstance(original, nn.Module):
        module.__dict__[_ORIGINAL] = original_of(original)
        if example is not None:
            original.__dict__[_EXAMPLE] = example
    return module


def original_of(module: nn.Module) -> nn.Module:
    """The Python module that a module was scripted or traced from; the module itself if there is none."""
    found: nn.Module = module.__dict__.get(_ORIGINAL, module)
    return found


def traced_inputs(module: nn.Module) -> Any:
    """The example inputs with which a module was traced; None if it was not."""
    return module.__dict__.get(_EXAMPLE)


def with_originals(model: nn.Module) -> nn.Module:
    """Return a model in which the originals replace scripted and traced modules."""
    model = original_of(model)
    pending, seen = [model], {id(model)}
    while pending:
        module = pending.pop()
        parts = vars(module).get("_modules")
        for name, part in list(parts.items()) if isinstance(parts, dict) else ():
            if isinstance(part, nn.Module):
                original = original_of(part)
                if original is not part:
                    parts[name] = original  # type: ignore[index]
                if id(original) not in seen:
                    seen.add(id(original))
                    pending.append(original)
    return model
