"""Output errors and metrics of a model on data."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import torch
from torch import Tensor, nn

from convlint.runtime.data.loader import Batch
from convlint.runtime.failures import ProblemError
from convlint.runtime.record.steps import tensors_in


def outputs_of(model: nn.Module, batches: Sequence[Batch]) -> list[Tensor]:
    """The floating point outputs of each batch, as one row a sample."""
    model.eval()
    found = []
    with torch.no_grad():
        for batch in batches:
            result = [t for t in tensors_in(model(*batch.inputs.args, **batch.inputs.kwargs)) if t.is_floating_point()]
            rows = [
                t.reshape(batch.samples, -1) if t.numel() % batch.samples == 0 else t.reshape(1, -1) for t in result
            ]
            found.append(torch.cat([row.float().flatten() for row in rows]) if rows else torch.zeros(0))
    return found


def relative_error(outputs: Sequence[Tensor], reference: Sequence[Tensor]) -> float:
    """``|y - y'| / |y|`` over all batches."""
    away = sum(float((a - b).double().square().sum()) for a, b in zip(outputs, reference, strict=True))
    size = sum(float(b.double().square().sum()) for b in reference)
    error = (away / max(size, 1e-30)) ** 0.5
    return error if isfinite(error) else 1e9


def metric_of(model: nn.Module, batches: Sequence[Batch]) -> tuple[str, float] | None:
    """The accuracy for integer targets, or the mean squared error for targets like the outputs; else None."""
    model.eval()
    right = total = 0
    squared = 0.0
    name = ""
    with torch.no_grad():
        for batch in batches:
            if batch.target is None:
                return None
            result = next(tensors_in(model(*batch.inputs.args, **batch.inputs.kwargs)), None)
            if result is None:
                return None
            target = batch.target
            if not target.is_floating_point() and result.dim() == target.dim() + 1:
                name = "accuracy"
                if (classified := (*result.shape[:1], *result.shape[2:])) != target.shape:
                    sizes = ["x".join(map(str, shape)) for shape in (target.shape, classified)]
                    raise ProblemError("data", f"--data yields targets of {sizes[0]} for outputs of {sizes[1]}")
                right += int((result.argmax(1) == target).sum())
                total += target.numel()
            elif target.is_floating_point() and result.shape == target.shape:
                name = "mean squared error"
                squared += float((result.double() - target.double()).square().sum())
                total += target.numel()
            else:
                return None
    if not total:
        return None
    return name, (right / total if name == "accuracy" else squared / total)
