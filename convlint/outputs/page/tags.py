"""Labels and colors of boxes in the drawn graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convlint.analysis import ops
from convlint.ir import Node
from convlint.outputs.parts.columns import sizes

_FAMILIES = {
    "end": {"input", "output"},
    "linear": {"linear", "matmul", "bmm", "mm", "addmm", "bilinear", "einsum"},
    "activation": ops.NONLINEARITIES | {"softmax", "log_softmax", "glu"},
    "merge": ops.MERGES | {"cat", "stack"},
    "shape": {
        *("reshape", "flatten", "unflatten", "permute", "transpose", "squeeze", "unsqueeze", "t", "getitem", "chunk"),
        *("split", "unbind", "contiguous", "expand", "roll", "narrow", "pad", "movedim", "pixel_shuffle"),
        *("pixel_unshuffle", "channel_shuffle", "select"),
    },
}
# Families by a part of the operator's name.
_PARTS = (("conv", "conv"), ("norm", "norm"), ("pool", "pool"), ("attention", "linear"))


def tag(node: Node) -> str:
    """The main attributes of a call: ``3x3, 64 to 128, stride 2``; empty if it has none."""
    return ", ".join(_parts(node.attrs))


def _parts(attrs: Mapping[str, Any]) -> Iterator[str]:
    if "kernel_size" in attrs:
        yield _sizes(attrs["kernel_size"])
        if {"in_channels", "out_channels"} <= attrs.keys():
            yield f"{attrs['in_channels']} to {attrs['out_channels']}"
        yield from _steps(attrs)
    elif "out_features" in attrs:
        yield f"{attrs.get('in_features', '?')} to {attrs['out_features']}"
    elif "num_features" in attrs:
        yield f"{attrs['num_features']} channels"
        if "num_groups" in attrs:
            yield f"{attrs['num_groups']} groups"
    elif "normalized_shape" in attrs:
        yield f"over {_sizes(attrs['normalized_shape'])}"
    elif isinstance(attrs.get("dim"), int):
        yield f"dim {attrs['dim']}"
    if attrs.get("inplace"):
        yield "in place"


def _steps(attrs: Mapping[str, Any]) -> Iterator[str]:
    """Stride, dilation and groups that are not 1."""
    for name in ("stride", "dilation"):
        value = _tuple(attrs.get(name))
        if any(step != 1 for step in value):
            yield f"{name} {_sizes(value[:1] if len(set(value)) == 1 else value)}"
    if (groups := attrs.get("groups", 1)) != 1:
        yield "depthwise" if groups == attrs.get("in_channels") else f"{groups} groups"


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _sizes(value: Any) -> str:
    return sizes(value if isinstance(value, str) else _tuple(value))


def family(op: str) -> str:
    """The family of a call, which gives its color: one of ``_FAMILIES`` or ``_PARTS``, or ``other``."""
    for name, members in _FAMILIES.items():
        if op in members:
            return name
    return next((name for name, part in _PARTS if part in op), "other")
