"""Models without the blocks that only repeat another one, for what takes time in proportion to their number.

What a library does with a block, it does with every equal block: a stage of 23 equal ones is exported where one of
them is.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor, nn

from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.record.shapes_only import ShapesOnly, without_computing

_OWN = frozenset({"training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"})
_PLAIN = (int, float, str, bool, torch.dtype, torch.device, type(None))

Shapes = dict[nn.Module, list[tuple[Hashable, ...] | None]]


def without_repeats(model: nn.Module, inputs: Inputs) -> bool:
    """Replace blocks of a model that repeat their neighbor with ``nn.Identity``; returns whether there are any.

    A block repeats another one of the same list if it is built and called in the same way, and its output has the shape
    of its input.
    """
    lists = [each for each in model.modules() if isinstance(each, nn.Sequential | nn.ModuleList) and len(each) > 1]
    blocks = {block for each in lists for block in each if next(block.children(), None) is not None}
    if not blocks:
        return False
    calls = _calls(model, inputs, blocks)
    found = False
    for each in lists:
        known: set[Hashable] = set()
        for position, block in enumerate(each):
            shapes = calls.get(block, [])
            if len(shapes) != 1 or shapes[0] is None:
                continue
            built = (_built(block), shapes[0])
            if built in known:
                each[position] = nn.Identity().train(block.training)
                found = True
            known.add(built)
    return found


def _calls(model: nn.Module, inputs: Inputs, blocks: set[nn.Module]) -> Shapes:
    """The shape and type of the input of every call of a block; None unless the output has them too."""
    found: Shapes = {block: [] for block in blocks}

    def note(block: nn.Module, given: tuple[Any, ...], options: dict[str, Any], result: Any) -> None:
        plain = len(given) == 1 and not options and isinstance(given[0], Tensor) and isinstance(result, Tensor)
        kinds = [(tuple(t.shape), t.dtype) for t in (given[0], result)] if plain else [0, 1]
        found[block].append((kinds[0],) if kinds[0] == kinds[1] else None)

    def run(*, compute: bool) -> None:
        for calls in found.values():
            calls.clear()
        with torch.no_grad(), ShapesOnly(compute=compute):
            model(*inputs.args, **inputs.kwargs)

    hooks = [block.register_forward_hook(note, with_kwargs=True) for block in blocks]
    try:
        without_computing(run)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _built(block: nn.Module) -> Hashable:
    """Describe what a block is built of: equal for blocks that differ in the values of their tensors only."""
    parts: list[Hashable] = []
    for name, module in block.named_modules():
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        parts.append((name, type(module), *((key, t.shape, t.dtype, t.requires_grad) for key, t in tensors)))
        parts += ((key, _value(value)) for key, value in vars(module).items() if key not in _OWN)
    return tuple(parts)


def _value(value: object) -> Hashable:
    """An attribute as something to compare: plain values by value, empty containers by type, all else by identity."""
    if isinstance(value, _PLAIN):
        return (type(value), value)
    if isinstance(value, tuple | list):
        return (type(value), *map(_value, value))
    if isinstance(value, dict | set) and not value:
        return type(value)
    return id(value)
