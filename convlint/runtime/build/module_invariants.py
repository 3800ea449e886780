"""Check the invariants of ``nn.Module`` that PyTorch and convlint rely on, and that layers have weights.

PyTorch's ``to``, ``eval`` and ``named_modules`` never return for a module that contains itself, and fail with an
obscure error if a submodule is not a module. These checks run before any of those calls.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from convlint.runtime.failures import ProblemError, one_line

_KIND = "broken-module"
_PARTS = {"_modules": nn.Module, "_parameters": Tensor, "_buffers": Tensor}


def check_modules(model: nn.Module) -> None:
    """Raise ProblemError for a model that violates an invariant of ``nn.Module``."""
    try:
        _check_parts(model)
    except RecursionError:
        raise ProblemError(_KIND, "its modules are nested too deeply for PyTorch") from None


def _check_parts(model: nn.Module) -> None:
    pending = [("", model, frozenset[int]())]
    seen: set[int] = set()
    while pending:
        name, module, above = pending.pop()
        if id(module) in above:
            raise ProblemError(_KIND, f"the module `{name}` contains itself, so to() and eval() never return")
        if id(module) in seen:
            continue
        seen.add(id(module))
        _check_one(name, module)
        above |= {id(module)}
        before = f"{name}." if name else ""
        pending += [(before + part, inner, above) for part, inner in module._modules.items() if inner is not None]
    given: Any = model.named_modules()
    if not isinstance(given, Iterable) or not all(
        isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], nn.Module) for pair in given
    ):
        raise ProblemError(_KIND, "its named_modules() returns something other than names and modules")


def _check_one(name: str, module: nn.Module) -> None:
    what = f"the module `{name}`" if name else type(module).__name__
    if not isinstance(module, Hashable):
        raise ProblemError(_KIND, f"{what} is not hashable, but PyTorch keeps modules in sets")
    if isinstance(module, torch.jit.ScriptModule):
        return  # its parts are in C++
    for key, wanted in _PARTS.items():
        parts = vars(module).get(key)
        if not isinstance(parts, dict):
            raise ProblemError(_KIND, f"{what} was not initialized: its __init__ must call super().__init__()")
        for part, value in parts.items():
            if not isinstance(part, str):
                raise ProblemError(_KIND, f"{what} has a member named {part!r}, which is not a string")
            if value is not None and not isinstance(value, wanted):
                text = f"{what} has {part!r} in its {key}, which is of type {type(value).__name__}"
                raise ProblemError(_KIND, text)


def move_to(model: nn.Module, device: str) -> nn.Module:
    """Move the model to a device. Raises ProblemError if PyTorch cannot."""
    try:
        found = model.to(device)
    except NotImplementedError as error:  # from the meta device
        text = f"the model cannot be moved to {device}: {one_line(error)}; use --device meta to run it as it is"
        raise ProblemError("device", text) from error
    return found if isinstance(found, nn.Module) else model
