"""What PyTorch takes for granted of every module, and so does convlint.

``to``, ``eval`` and ``named_modules`` of PyTorch never end on a module that contains itself, and fail somewhere inside
on one whose parts are no modules: that is said here, before anything leans on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from convlint.runtime.failures import ProblemError, one_line

_KIND = "broken-module"


def check_modules(model: nn.Module) -> None:
    """Raise ProblemError for a model that is not made as PyTorch wants it."""
    try:
        _check_parts(model)
    except RecursionError:
        text = "its modules are nested too deep: PyTorch itself gives up on them"
        raise ProblemError(_KIND, text) from None


def _check_parts(model: nn.Module) -> None:
    pending = [("", model, frozenset[int]())]
    seen: set[int] = set()
    while pending:
        name, module, above = pending.pop()
        if id(module) in above:
            raise ProblemError(
                _KIND, f"the module `{name}` contains itself: to() and eval() never end"
            )
        if id(module) in seen:
            continue
        seen.add(id(module))
        _check_one(name, module)
        above |= {id(module)}
        before = f"{name}." if name else ""
        pending += [
            (before + part, inner, above)
            for part, inner in module._modules.items()
            if inner is not None
        ]
    given: Any = model.named_modules()
    if not isinstance(given, Iterable) or not all(map(_is_named_module, given)):
        raise ProblemError(_KIND, "its named_modules() gives something else than names and modules")


def _is_named_module(given: Any) -> bool:
    return isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], nn.Module)


def _check_one(name: str, module: nn.Module) -> None:
    what = f"the module `{name}`" if name else type(module).__name__
    kind: Any = type(module)
    if kind.__hash__ is None:
        raise ProblemError(_KIND, f"{what} cannot be hashed, and PyTorch keeps modules in sets")
    for key, wanted in _PARTS.items():
        parts = vars(module).get(key)
        if not isinstance(parts, dict):
            text = f"{what} has not been set up: its __init__ must call super().__init__()"
            raise ProblemError(_KIND, text)
        for part, value in parts.items():
            if not isinstance(part, str):
                raise ProblemError(
                    _KIND, f"{what} has a part that is called {part!r}, which is no text"
                )
            if value is not None and not isinstance(value, wanted):
                of = f"which is of type {type(value).__name__}"
                raise ProblemError(_KIND, f"{what} has {part!r} in its {key}, {of}")


_PARTS = {"_modules": nn.Module, "_parameters": Tensor, "_buffers": Tensor}


def move_to(model: nn.Module, device: str) -> nn.Module:
    """The model on a device. Raises ProblemError where PyTorch cannot put it there."""
    try:
        found = model.to(device)
    except NotImplementedError as error:  # from the meta device
        text = f"it cannot be put on {device}: {one_line(error)}; --device meta runs it as it is"
        raise ProblemError("device", text) from error
    return found if isinstance(found, nn.Module) else model
