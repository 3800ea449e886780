"""Run a model that works with batch size 1 on a batch of two, to find reshapes that merge the batch."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from convlint.analysis import ops
from convlint.analysis.batch_merges import merged_batches
from convlint.ir import Graph, MergedBatch
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.record.record import record
from convlint.support.dataclass import replace

_BATCH = 2


def merged_at_batch_two(model: nn.Module, inputs: Inputs, graph: Graph) -> tuple[MergedBatch, ...]:
    """The reshapes of a model because of which it fails with two samples; ``graph`` is its run with one.

    The second run is on the meta device, on a copy without data, and only where a reshape may merge the batch. A model
    that needs values cannot run there, and nothing is reported.
    """
    if inputs.batch_size != 1 or not _may_merge(graph):
        return ()
    try:
        twice = inputs.map(lambda tensor: _repeated(tensor, inputs.batch_size))
        again = record(_without_data(model), twice.args, twice.kwargs)
    except Exception:
        return ()
    return tuple([replace(merged, nodes=()) for merged in merged_batches(again.graph())])


def _may_merge(graph: Graph) -> bool:
    """Check whether a reshape drops the batch dimension, or declares its size, which may be the literal 1."""
    for node in graph.nodes:
        if node.op in ops.FLATTENING and node.inputs and node.outputs:
            before, after = graph.tensor(node.inputs[0]).shape, node.outputs[0].shape
            drops_batch = len(after) < 2 or (len(after) == 2 and node.attrs.get("shape", ())[:1] == (1,))
            if len(before) > 1 and before[0] == 1 and drops_batch:
                return True
    return False


def _repeated(tensor: Tensor, batch_size: int) -> Tensor:
    """A tensor without data for two samples; one without a batch dimension keeps its shape."""
    batched = tensor.dim() > 0 and tensor.shape[0] == batch_size
    shape = (_BATCH, *tensor.shape[1:]) if batched else tensor.shape
    return torch.empty(shape, dtype=tensor.dtype, device="meta")


def _without_data(model: nn.Module) -> nn.Module:
    """A copy of a model on the meta device."""
    known: dict[int, Any] = {}
    for parameter in model.parameters():
        known[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), requires_grad=False)
    for buffer in model.buffers():
        known[id(buffer)] = buffer.detach().to("meta")
    return copy.deepcopy(model, known)
