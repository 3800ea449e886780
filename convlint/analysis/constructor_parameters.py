"""The parameters of the constructors of layers: which number of a layer each is, and its position."""

from __future__ import annotations

from convlint.analysis import ops

_PARAMETERS: dict[str, tuple[str, ...]] = {
    "conv": ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"),
    "conv_transpose": (
        *("in_channels", "out_channels", "kernel_size", "stride", "padding"),
        *("output_padding", "groups", "bias", "dilation"),
    ),
    "linear": ("in_features", "out_features"),
    "batch_norm": ("num_features",),
    "instance_norm": ("num_features",),
    "group_norm": ("num_groups", "num_channels"),
    "layer_norm": ("normalized_shape",),
    "prelu": ("num_parameters",),
    "pool": ("kernel_size", "stride", "padding"),
    "interpolate": ("size", "scale_factor"),
    "embedding": ("num_embeddings", "embedding_dim"),
    **dict.fromkeys(ops.RECURRENT, ("input_size", "hidden_size", "num_layers")),
    **dict.fromkeys(ops.RECURRENT_CELLS, ("input_size", "hidden_size")),
    ops.ATTENTION: ("embed_dim", "num_heads"),
}
"""The first parameters of layers in their order, by operator without its dimensions."""

_NORM_WIDTHS = {"group_norm": "num_channels", "layer_norm": "normalized_shape", "prelu": "num_parameters"}


def position(op: str, parameter: str) -> int | None:
    """Return the position of a parameter in the constructor of an operator's layer; None if it has none that is known.

    >>> position("conv_transpose2d", "dilation")
    8
    """
    names = _PARAMETERS.get(_family(op), ())
    return names.index(parameter) if parameter in names else None


def parameter_of(op: str, label: str) -> str | None:
    """Return the parameter of a number of a layer.

    ``label`` is the meaning of the number: "in" and "out" for what the layer reads and returns, or "groups". A norm has
    only the one that it returns.

    >>> parameter_of("conv2d", "in")
    'in_channels'
    """
    family = _family(op)
    if family in ("conv", "conv_transpose"):
        return {"in": "in_channels", "out": "out_channels"}.get(label, label)
    if family == "linear":
        return {"in": "in_features", "out": "out_features"}.get(label)
    if op in ops.RECURRENT or op in ops.RECURRENT_CELLS:
        return "input_size" if label == "in" else None
    if op == ops.ATTENTION:
        return "embed_dim" if label == "in" else None
    if op == "embedding":
        return "embedding_dim" if label == "out" else None
    if label == "out" and family in _PARAMETERS and family not in ("pool", "interpolate"):
        return _NORM_WIDTHS.get(family, "num_features")
    return None


def _family(op: str) -> str:
    return "pool" if op in ops.WINDOW_POOLS else op.rstrip("123d") if op[-2:] in ("1d", "2d", "3d") else op
