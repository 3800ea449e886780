"""What a tool leaves behind: on a model that it was given, and in PyTorch itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

PATCHED = (torch, torch.nn.functional, torch.Tensor)
"""What tools put functions of their own into while they count."""
_AS_LOADED = [dict(vars(owner)) for owner in PATCHED]


def patches() -> list[tuple[Any, str]]:
    """The functions of PyTorch in whose place there is one of somebody else: owners and names."""
    return [
        (owner, name)
        for owner, was in zip(PATCHED, _AS_LOADED, strict=True)
        for name, value in was.items()
        if (now := vars(owner).get(name)) is not value
        # PyTorch replaces some by itself when more of it is loaded.
        and getattr(now, "__globals__", {}).get("__name__", "").partition(".")[0] != "torch"
    ]


def unpatch() -> None:
    """Put those functions back, so that what one model left is not found with the next."""
    was = dict(zip(PATCHED, _AS_LOADED, strict=True))
    for owner, name in patches():
        setattr(owner, name, was[owner][name])


@dataclass(frozen=True, slots=True)
class Noted:
    """A model as it was: of its modules the training flags and attributes, and its buffers."""

    training: dict[str, bool]
    attributes: set[tuple[str, str]]
    buffers: set[str]

    def changes(self, model: nn.Module) -> str:
        """What is different about it now, in words."""
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
    """What a model is like that has no hooks yet."""
    return Noted(
        {name: module.training for name, module in model.named_modules()},
        _attributes(model),
        {name for name, _ in model.named_buffers()},
    )


def _attributes(model: nn.Module) -> set[tuple[str, str]]:
    return {(name, key) for name, module in model.named_modules() for key in vars(module)}
