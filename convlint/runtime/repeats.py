"""Models without the blocks that only repeat another one, for what takes time in proportion to their number.

What a library does with a block, it does with every equal block: a stage of 23 equal ones is exported where one of
them is, and so is the stage after it with twice as many channels, if it runs the same operators.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor, nn

from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.isolation import Args
from convlint.runtime.record.shapes_only import ShapesOnly, without_computing

_OWN = frozenset({"training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"})
_PLAIN = (int, float, str, bool, torch.dtype, torch.device, type(None))

Calls = dict[nn.Module, list[tuple[Hashable, ...] | None]]


def without_repeats(model: nn.Module, inputs: Inputs) -> bool:
    """Replace blocks of a model that repeat an earlier one with ``nn.Identity``; returns whether there are any.

    A block of a list repeats another one if it is built in the same way but for sizes, runs the same operators, and its
    output has the shape of its input.
    """
    lists = [each for each in model.modules() if isinstance(each, nn.Sequential | nn.ModuleList) and len(each) > 1]
    blocks = {block for each in lists for block in each if next(block.children(), None) is not None}
    if not blocks:
        return False
    calls = _calls(model, inputs, blocks)
    found = False
    known: set[Hashable] = set()
    for each in lists:
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


class _Operators(ShapesOnly):
    """Keeps the operators that run, in their order."""

    def __init__(self, operators: list[object], *, compute: bool) -> None:
        super().__init__(compute=compute)
        self._operators = operators

    def __torch_dispatch__(self, func: Any, types: Any, args: Args = (), kwargs: Any = None) -> Any:
        self._operators.append(func)
        return super().__torch_dispatch__(func, types, args, kwargs)


def _calls(model: nn.Module, inputs: Inputs, blocks: set[nn.Module]) -> Calls:
    """The kind of input and the operators of every call of a block; None unless the output is like the input."""
    found: Calls = {block: [] for block in blocks}
    starts: dict[nn.Module, int] = {}
    operators: list[object] = []

    def begin(block: nn.Module, _given: object) -> None:
        starts[block] = len(operators)

    def note(block: nn.Module, given: tuple[Any, ...], options: dict[str, Any], result: Any) -> None:
        plain = len(given) == 1 and not options and isinstance(given[0], Tensor) and isinstance(result, Tensor)
        same = plain and (given[0].shape, given[0].dtype) == (result.shape, result.dtype)
        key = (result.dim(), result.dtype, *operators[starts[block] :]) if same else None
        found[block].append(key)

    def run(*, compute: bool) -> None:
        for calls in found.values():
            calls.clear()
        operators.clear()
        with torch.no_grad(), _Operators(operators, compute=compute):
            model(*inputs.args, **inputs.kwargs)

    hooks = [block.register_forward_pre_hook(begin) for block in blocks]
    hooks += [block.register_forward_hook(note, with_kwargs=True) for block in blocks]
    try:
        without_computing(run)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _built(block: nn.Module) -> Hashable:
    """Describe what a block is built of: equal for blocks that differ in sizes and the values of tensors only."""
    parts: list[Hashable] = []
    for name, module in block.named_modules():
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        parts.append((name, type(module), *((key, t.dim(), t.dtype, t.requires_grad) for key, t in tensors)))
        parts += ((key, _value(value)) for key, value in vars(module).items() if key not in _OWN)
    return tuple(parts)


def _value(value: object) -> Hashable:
    """An attribute as something to compare: plain values by value, empty containers by type, all else by identity.

    Whole numbers are sizes, or change the operators that run.
    """
    if type(value) is int:
        return int
    if isinstance(value, _PLAIN):
        return (type(value), value)
    if isinstance(value, tuple | list):
        return (type(value), *map(_value, value))
    if isinstance(value, dict | set) and not value:
        return type(value)
    return id(value)
