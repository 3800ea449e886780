"""The operations of PyTorch: what they do to shapes, and the errors that PyTorch raises."""

from __future__ import annotations

# Importing a family registers its operations.
from convlint.static.torch_shapes import (  # noqa: F401
    activations,
    attention,
    concatenation,
    convolution,
    convolution_layers,
    creation,
    einsum,
    elementwise,
    environment,
    expansion,
    float_functional,
    fourier,
    interpolation,
    linear,
    losses,
    normalization,
    normalization_layers,
    padding,
    permutation,
    pixel_shuffle,
    pooling,
    recurrent,
    reductions,
    reshaping,
    selection,
    sliding_blocks,
    splitting,
    tensor_queries,
)
from convlint.static.torch_shapes.float_functional import LAYER_NAMES as FLOAT_FUNCTIONAL
from convlint.static.torch_shapes.float_functional import float_functional_method
from convlint.static.torch_shapes.indexing import attribute, index, iterate
from convlint.static.torch_shapes.registry import LAYERS, NOT_TAKEN, LayerKind, Operation, function, method

__all__ = [
    "FLOAT_FUNCTIONAL",
    "LAYERS",
    "NOT_TAKEN",
    "LayerKind",
    "Operation",
    "attribute",
    "float_functional_method",
    "function",
    "index",
    "iterate",
    "method",
]
