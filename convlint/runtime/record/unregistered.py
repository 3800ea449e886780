"""Modules that a model keeps in plain lists, tuples and dicts, where PyTorch does not see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

_DEEPEST = 3  # containers within containers


def unregistered(
    modules: Sequence[tuple[str, nn.Module]],
) -> Iterator[tuple[str, str, str, nn.Module]]:
    """Path of the owner, attribute, path of the module (``net.convs[0]``) and the module itself.

    ``modules`` are a model's ``named_modules()``.

    Modules that are registered somewhere in the model are left out, and each other one comes once.
    """
    seen = {id(module) for _, module in modules}
    for path, owner in modules:
        if not owner._modules and str(type(owner).__module__).startswith("torch.nn."):
            continue  # most of all modules, and their lists hold sizes
        kept = [
            (attribute, value)
            for attribute, value in vars(owner).items()
            if type(value) in _CONTAINERS and value and attribute not in _OWN
        ]
        for attribute, value in kept:
            for key, module in _modules_in(value, _DEEPEST):
                if id(module) not in seen:
                    seen.add(id(module))
                    name = f"{path}.{attribute}{key}" if path else f"{attribute}{key}"
                    yield path, attribute, name, module


_CONTAINERS = frozenset({list, tuple, dict})
_OWN = frozenset(vars(nn.Module()))  # parameters, hooks and the like


def _modules_in(value: Any, depth: int) -> Iterator[tuple[str, nn.Module]]:
    if type(value) in (list, tuple):
        items = [(f"[{index}]", item) for index, item in enumerate(value)]
    elif type(value) is dict:
        items = [(f"[{key!r}]", item) for key, item in value.items()]
    else:
        return
    for key, item in items:
        if issubclass(type(item), nn.Module):
            yield key, item
        elif depth > 1:
            yield from ((key + inner, module) for inner, module in _modules_in(item, depth - 1))
