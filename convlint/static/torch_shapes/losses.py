"""Losses, as functions and as layers."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import UNKNOWN, Value
from convlint.static.torch_shapes.arguments import Attrs, tensors
from convlint.static.torch_shapes.registry import layer, operation

_LOSSES = {
    "CrossEntropyLoss": "cross_entropy",
    "NLLLoss": "nll_loss",
    "MSELoss": "mse_loss",
    "L1Loss": "l1_loss",
    "SmoothL1Loss": "smooth_l1_loss",
    "HuberLoss": "huber_loss",
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "KLDivLoss": "kl_div",
    "CosineEmbeddingLoss": "cosine_embedding_loss",
    "TripletMarginLoss": "triplet_margin_loss",
    "MarginRankingLoss": "margin_ranking_loss",
    "HingeEmbeddingLoss": "hinge_embedding_loss",
    "SoftMarginLoss": "soft_margin_loss",
    "MultiMarginLoss": "multi_margin_loss",
    "PoissonNLLLoss": "poisson_nll_loss",
    "GaussianNLLLoss": "gaussian_nll_loss",
    "CTCLoss": "ctc_loss",
}


def _reduction(keywords: Attrs) -> Value:
    """Return how a loss is reduced; unknown if the deprecated flags are used instead."""
    return keywords.get("reduction", "mean" if {"reduce", "size_average"}.isdisjoint(keywords) else UNKNOWN)


def _construct(run: Execution, args: tuple[Value, ...], kwargs: Attrs) -> Attrs:
    return {"reduction": UNKNOWN if args else _reduction(kwargs)}


def _record(run: Execution, op: str, values: tuple[Value, ...], reduction: Value) -> Value:
    """Record a loss: a scalar if it is reduced."""
    inputs = tensors(values)
    if not inputs:
        return UNKNOWN
    return run.emit(op, inputs, [() if reduction in ("mean", "sum") else None])[0]


def _forward(run: Execution, layer: Instance, op: str, args: tuple[Value, ...], kwargs: Attrs) -> Value:
    return _record(run, op, (*args, *kwargs.values()), layer.attrs["reduction"])


def _loss(run: Execution, op: str, args: tuple[Value, ...], kwargs: Attrs) -> Value:
    return _record(run, op, (*args, *kwargs.values()), _reduction(kwargs))


for _name, _op in _LOSSES.items():
    operation(f"F.{_op}", signature="*args, **kwargs", op=_op)(_loss)
    layer(_name, "*args, **kwargs", _forward, _construct, "*args, **kwargs", op=_op)
