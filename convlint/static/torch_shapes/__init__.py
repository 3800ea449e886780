"""What the operations of PyTorch do to shapes, exactly as PyTorch decides it."""

from __future__ import annotations

# Importing a family registers its operations.
from convlint.static.torch_shapes import (  # noqa: F401
    activations,
    convolution,
    creation,
    elementwise,
    folding,
    helpers,
    layers_convolution,
    layers_norms,
    layers_plain,
    layers_pooling,
    layers_resizing,
    linear,
    merging,
    norms,
    order,
    padding,
    picking,
    pooling,
    reductions,
    resizing,
    sequences,
    shapes,
    splitting,
    stretching,
)
from convlint.static.torch_shapes.indexing import attribute, index, iterate
from convlint.static.torch_shapes.registry import LAYERS, LayerKind, fits, function, method

__all__ = ["LAYERS", "LayerKind", "attribute", "fits", "function", "index", "iterate", "method"]
