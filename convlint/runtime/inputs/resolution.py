"""Which other sizes of its input a model runs on, where something in it looks made for one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import nn

from convlint.analysis import ops
from convlint.ir import Graph, Shape
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.record.record import record

_LARGEST = 512  # input sizes above that would take too long to double
_LARGEST_KERNEL = 16
_SECONDS = 5.0

Tried = tuple[Shape, str | None]


def tried_sizes(model: nn.Module, inputs: Inputs, graph: Graph) -> tuple[Tried, ...]:
    """Spatial sizes tried beside that of ``inputs``, each with the module that refused it, None where
    it ran: half and double, and if neither runs, those next to the last that do.

    Nothing is tried unless a linear layer reads a whole map, or what a convolution as large as its
    map has made of one.
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
        arrived = graph.tensor(node.inputs[0]).shape
        if node.op == "linear":
            before = graph.producer(node.inputs[0])
            flat = before.op in ops.FLATTENING and len(arrived) == 2
            image = graph.tensor(before.inputs[0]).shape if flat and before.inputs else ()
            if len(image) > 2 and (arrived[1] > image[1] or is_global):
                return True
        elif node.op in ops.ALL_CONVS and node.attrs.get("kernel_size") == arrived[2:]:
            if max(arrived[2:]) > _LARGEST_KERNEL:
                return False  # it would take too long on a map that is larger
            is_global |= max(arrived[2:]) > 1
    return False


def _tried(model: nn.Module, inputs: Inputs) -> Iterator[Tried]:
    until = time.monotonic() + _SECONDS
    shape = inputs.tensors[0].shape
    least = min(shape[2:])
    known: dict[int, str | None] = {0: None}

    def runs(change: int) -> bool:
        """Whether a size that is larger by ``change`` in every direction runs."""
        if change not in known:
            known[change] = _refused_by(model, inputs, change)
        return known[change] is None

    if not runs(-(least // 2)) and not runs(least):  # the small one first: it costs less
        for direction, most in ((1, least), (-1, least // 2)):
            inside, step = 0, 1
            while step < most and runs(direction * step) and time.monotonic() < until:
                inside, step = step, 2 * step
            outside = min(step, most)
            while outside - inside > 1 and time.monotonic() < until:
                middle = (inside + outside) // 2
                inside, outside = (
                    (middle, outside) if runs(direction * middle) else (inside, middle)
                )
    for change, refused in sorted(known.items()):
        if change:
            yield tuple(size + change for size in shape[2:]), refused


def _refused_by(model: nn.Module, inputs: Inputs, change: int) -> str | None:
    """The module that refuses an input that is larger by ``change``; None if none does."""

    def other(tensor: torch.Tensor) -> torch.Tensor:
        spatial = (size + change for size in tensor.shape[2:])
        return torch.zeros((*tensor.shape[:2], *spatial), dtype=tensor.dtype, device=tensor.device)

    changed = inputs.map(other)
    graph = record(model, changed.args, changed.kwargs).graph()
    refusing = [node.layer or node.module for node in graph.nodes if node.error]
    if refusing:
        return refusing[0]
    return graph.failure.module if graph.failure else None
