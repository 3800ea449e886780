"""Detect the changes that a tool leaves on a model and in PyTorch itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

PATCHED = (torch, torch.nn.functional, torch.Tensor)
"""Modules and classes in which tools replace functions while they count."""
_AS_LOADED = [dict(vars(owner)) for owner in PATCHED]


def patches() -> list[tuple[Any, str]]:
    """Return the replaced functions of PyTorch: owners and names."""
    return [
        (owner, name)
        for owner, was in zip(PATCHED, _AS_LOADED, strict=True)
        for name, value in was.items()
        if (now := vars(owner).get(name)) is not value
        # PyTorch replaces some itself when it loads more modules
        and getattr(now, "__globals__", {}).get("__name__", "").partition(".")[0] != "torch"
    ]


def unpatch() -> None:
    """Restore those functions, so that the changes of one model are not found with the next."""
    was = dict(zip(PATCHED, _AS_LOADED, strict=True))
    for owner, name in patches():
        setattr(owner, name, was[owner][name])


@dataclass(frozen=True, slots=True)
class Noted:
    """State of a model: training flags and attributes of its modules, and its buffers."""

    training: dict[str, bool]
    attributes: set[tuple[str, str]]
    buffers: set[str]

    def changes(self, model: nn.Module) -> str:
        """Describe the changes since then."""
        modules = dict(model.named_modules())
        added = _attributes(model) - self.attributes
        found = {
            "hooks": sum(
                len(m._forward_hooks) + len(m._forward_pre_hooks)  # noqa: SLF001
                for m in modules.values()
            ),
            "attributes": len(added),
            "buffers": len({name for name, _ in model.named_buffers()} - self.buffers),
            "training flags changed": sum(module.training != self.training[name] for name, module in modules.items()),
            "functions of PyTorch replaced": len(patches()),
        }
        return ", ".join(f"{what}: {count}" for what, count in found.items() if count) or "nothing"


def noted(model: nn.Module) -> Noted:
    """Return the state of a model without hooks."""
    return Noted(
        {name: module.training for name, module in model.named_modules()},
        _attributes(model),
        {name for name, _ in model.named_buffers()},
    )


def _attributes(model: nn.Module) -> set[tuple[str, str]]:
    return {(name, key) for name, module in model.named_modules() for key in vars(module)}
