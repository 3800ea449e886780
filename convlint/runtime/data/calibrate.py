"""Statistics of norms, estimated again by forward passes over data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from convlint.runtime.data.loader import Batch

_Norm = nn.modules.batchnorm._BatchNorm


def norms_of(model: nn.Module) -> list[_Norm]:
    """The norms with running statistics."""
    return [m for m in model.modules() if isinstance(m, _Norm) and m.track_running_stats]


def recalibrate(model: nn.Module, batches: Iterable[Batch]) -> int:
    """Estimate the running statistics of all norms again, as the mean over batches. Returns the number of norms.

    Weights do not change, and dropout stays inactive.
    """
    norms = norms_of(model)
    before = [(norm.momentum, norm.training) for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.training = True
    with torch.no_grad():
        for batch in batches:
            if batch.samples > 1 and norms:
                model(*batch.inputs.args, **batch.inputs.kwargs)
    for norm, (momentum, training) in zip(norms, before, strict=True):
        norm.momentum, norm.training = momentum, training
    model.eval()
    return len(norms)


@contextmanager
def on_batch_statistics(model: nn.Module) -> Iterator[None]:
    """Context in which norms use the statistics of their batch, and keep those of their own."""
    norms = norms_of(model)
    before = [(norm.momentum, norm.training, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.training, norm.num_batches_tracked = 0.0, True, None
    try:
        yield
    finally:
        for norm, (momentum, training, count) in zip(norms, before, strict=True):
            norm.momentum, norm.training, norm.num_batches_tracked = momentum, training, count
