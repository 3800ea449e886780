"""Find out which other input sizes a model accepts, if one of its layers seems to fix the size."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import nn

from convlint.analysis import ops
from convlint.ir import Graph, Node, Shape
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.record.record import record

_LARGEST = 512  # larger input sizes take too long to double
_LARGEST_KERNEL = 16
_SECONDS = 5.0
_MOST_BETWEEN = 16

Tried = tuple[Shape, str | None]


def tried_sizes(model: nn.Module, inputs: Inputs, graph: Graph) -> tuple[Tried, ...]:
    """Try other spatial sizes than that of ``inputs``: half and double, and if both fail, the nearest that fail.

    Returns the sizes, each with the path of the module that fails, None if it works. Tries nothing unless a linear
    layer reads a flattened map, or the output of a convolution with a kernel as large as its input.
    """
    tensors = inputs.tensors
    if len(tensors) != 1 or tensors[0].dim() < 3 or max(tensors[0].shape[2:]) > _LARGEST:
        return ()
    return tuple(_tried(model, inputs)) if _looks_fixed(graph) else ()


def _looks_fixed(graph: Graph) -> bool:
    is_global = False
    for node in graph.nodes:
        if not node.inputs:
            continue
        shape = graph.tensor(node.inputs[0]).shape
        if node.op == "linear":
            before = graph.producer(node.inputs[0])
            flat = before.op in ops.FLATTENING and len(shape) == 2
            image = graph.tensor(before.inputs[0]).shape if flat and before.inputs else ()
            if len(image) > 2 and (shape[1] > image[1] or is_global):
                return True
        elif node.op in ops.ALL_CONVS and node.attrs.get("kernel_size") == shape[2:]:
            if max(shape[2:]) > _LARGEST_KERNEL:
                return False  # takes too long on a larger map
            is_global |= max(shape[2:]) > 1
    return False


def _tried(model: nn.Module, inputs: Inputs) -> Iterator[Tried]:
    until = time.monotonic() + _SECONDS
    shape = inputs.tensors[0].shape
    least = min(shape[2:])
    known: dict[int, str | None] = {0: None}

    def runs(change: int) -> bool:
        """Return whether the model runs on an input that is larger by ``change`` in every spatial dimension."""
        if change not in known:
            known[change] = _failing_module(model, inputs, change)
        return known[change] is None

    if not runs(-(least // 2)) and not runs(least):  # the smaller one first, because it is faster
        for direction, most in ((1, least), (-1, least // 2)):
            inside, step = 0, 1
            while step < most and runs(direction * step) and time.monotonic() < until:
                inside, step = step, 2 * step
            outside = min(step, most)
            while outside - inside > 1 and time.monotonic() < until:
                middle = (inside + outside) // 2
                inside, outside = (middle, outside) if runs(direction * middle) else (inside, middle)
        working = [change for change, refused in known.items() if refused is None]
        low, high = min(working), max(working)
        # Sizes between, and next to the ends: another size may work where every second one does.
        others = [*range(low, high), low - 2, high + 2] if high - low <= _MOST_BETWEEN else []
        for change in others:
            if change > -least and time.monotonic() < until:
                runs(change)
    for change, refused in sorted(known.items()):
        if change:
            yield tuple(size + change for size in shape[2:]), refused


def _failing_module(model: nn.Module, inputs: Inputs, change: int) -> str | None:
    """The path of the module that fails on an input that is larger by ``change``; None if none does."""

    def other(tensor: torch.Tensor) -> torch.Tensor:
        spatial = (size + change for size in tensor.shape[2:])
        return torch.zeros((*tensor.shape[:2], *spatial), dtype=tensor.dtype, device=tensor.device)

    changed = inputs.map(other)
    graph = record(model, changed.args, changed.kwargs).graph()
    refusing = (
        node.layer or node.module for node in graph.nodes if node.error or _merges_samples(graph, node, changed)
    )
    return next(refusing, graph.failure.module if graph.failure else None)


def _merges_samples(graph: Graph, node: Node, inputs: Inputs) -> bool:
    """Return whether a linear layer reads rows other than samples: ``view(-1, features)`` cuts a larger map up."""
    if node.op != "linear":
        return False
    shape, before = graph.tensor(node.inputs[0]).shape, graph.producer(node.inputs[0])
    return len(shape) == 2 and before.op in ops.FLATTENING and shape[0] != inputs.batch_size
