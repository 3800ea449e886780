"""Paths of the modules of a model, and names of its parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from convlint.runtime.record.unregistered import unregistered


class ModelNames:
    """Names by the id of a module or tensor. The first name of a shared object has precedence.

    ``registered`` are the modules under all of their names, before a forward adds or removes any.
    """

    def __init__(self, model: nn.Module) -> None:
        self.modules: dict[int, str] = {}
        self.states: dict[int, str] = {}  # parameters and buffers
        self.registered = list(model.named_modules(remove_duplicate=False))
        self._add(self.registered, "")
        for _, _, path, module in unregistered(self.registered):
            self._add(module.named_modules(), path)

    def _add(self, modules: Iterable[tuple[str, nn.Module]], root: str) -> None:
        prefix = f"{root}." if root else ""
        for name, module in modules:
            path = prefix + name if name else root
            self.modules.setdefault(id(module), path)
            for states in (module._parameters, module._buffers):
                for key, tensor in states.items():
                    if tensor is not None:
                        self.states.setdefault(id(tensor), f"{path}.{key}" if path else key)

    def add_unknown(self, module: nn.Module, parent: str) -> str:
        """Name a module that a forward has found or created elsewhere; returns its path."""
        base = f"{parent}.<{type(module).__name__}>".lstrip(".")
        used = set(self.modules.values())
        path, count = base, 1
        while path in used:
            count += 1
            path = f"{base}#{count}"
        self._add(module.named_modules(), path)
        return path
