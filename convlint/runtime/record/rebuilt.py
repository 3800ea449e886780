"""Layers with parameters that a forward builds, and builds again at the next call: they are never trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import CodeType

import torch
from torch import nn

from convlint.ir import Site
from convlint.runtime import code_sites
from convlint.runtime.build.construction_sites import Construction, construction_of
from convlint.runtime.record.steps import ModuleCall

_CONSTANT = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.PReLU)  # at first their weights are


def has_parameters(modules: Sequence[nn.Module]) -> bool:
    """Return whether one of the modules has parameters."""
    return any(parameter is not None for module in modules for parameter in module.parameters())


def rebuilt_layers(
    first: Sequence[nn.Module], second: Sequence[nn.Module], calls: Sequence[ModuleCall]
) -> Iterator[tuple[str, Site]]:
    """Yield the class of each layer that both of two forwards built, and the call that builds it.

    ``first`` and ``second`` are the modules that they built, ``calls`` the calls of modules in the first. A layer that
    is part of another one is not named. Nor is one with the same values both times: its weights come from elsewhere.
    """
    callers = {id(call.module): call.frame[0] for call in calls if call.frame is not None}
    again = _outermost(second)
    seen: set[Site] = set()
    for key, modules in _outermost(first).items():
        for module, other in zip(modules, again.get(key, ()), strict=False):
            built = construction_of(module)
            site = None if built is None else _site(built, callers.get(id(module)))
            if site is not None and site not in seen and _is_untrained(module, other):
                seen.add(site)
                yield type(module).__name__, site


def _outermost(modules: Sequence[nn.Module]) -> dict[object, list[nn.Module]]:
    """The modules that are not part of another one, by the code that built them."""
    parts = {id(part) for module in modules for part in module.modules() if part is not module}
    found: dict[object, list[nn.Module]] = {}
    for module in modules:
        built = construction_of(module)
        if id(module) not in parts and built is not None:
            found.setdefault((type(module), built.frames), []).append(module)
    return found


def _site(built: Construction, caller: CodeType | None) -> Site | None:
    """The constructor call, or the call of the helper that builds the layer for the function that calls it."""
    frames = [frame for frame in built.frames if not code_sites.is_installed(frame[0].co_filename)]
    own = [frame for frame in frames if frame[0] is caller] or frames
    return code_sites.site_of(own[0]) if own else None


def _is_untrained(module: nn.Module, other: nn.Module) -> bool:
    """Return whether a layer has new values in ``other``, or the constant ones with which a norm begins."""
    for part, same in zip(module.modules(), other.modules(), strict=False):
        for one, two in zip(part.parameters(recurse=False), same.parameters(recurse=False), strict=False):
            if one is two:  # a registered layer in a container that the forward builds
                continue
            if nn.parameter.is_lazy(one) or one.is_meta:
                return True
            if one.shape != two.shape or not torch.equal(one, two):
                return True
            if isinstance(part, _CONSTANT) and one.numel() > 0 and bool((one == one.flatten()[0]).all()):
                return True
    return False
