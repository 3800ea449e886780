"""Find modules in plain lists, tuples and dicts, which PyTorch does not register."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

_CONTAINERS = frozenset({list, tuple, dict})
_OWN = frozenset(vars(nn.Module()))  # parameters, hooks and the like
_MAX_DEPTH = 3  # of nested containers


def unregistered(modules: Sequence[tuple[str, nn.Module]]) -> Iterator[tuple[str, str, str, nn.Module]]:
    """Iterate over unregistered modules, each once: owner's path, attribute, own path (``net.convs[0]``), module.

    ``modules`` are the model's ``named_modules()``.
    """
    seen = {id(module) for _, module in modules}
    for path, owner in modules:
        if not owner._modules and str(type(owner).__module__).startswith("torch.nn."):
            continue  # the most frequent case; the lists of these contain sizes
        for attribute, value in vars(owner).items():
            if type(value) not in _CONTAINERS or attribute in _OWN:
                continue
            for key, module in _modules_in(value, _MAX_DEPTH):
                if id(module) not in seen:
                    seen.add(id(module))
                    yield path, attribute, f"{path}.{attribute}{key}" if path else f"{attribute}{key}", module


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
