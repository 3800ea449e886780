"""``Node.attrs`` of a call: its non-tensor arguments by name, and the sizes of its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional

from convlint.analysis import ops
from convlint.runtime.record.steps import Value

_FEATURES = ("in_features", "out_features", "num_features")
CHANNEL_COUNTS = ("in_channels", "out_channels", "groups", *_FEATURES, "num_channels", "num_groups")

# Parameter names of torch functions in order. Tensor arguments are bound, too, but do not become attributes.
_SIGNATURES: dict[str, tuple[str, ...]] = {
    name: tuple(parameters.split())
    for names, parameters in (
        (ops.CONVS, "input weight bias stride padding dilation groups"),
        (ops.TRANSPOSED_CONVS, "input weight bias stride padding output_padding groups dilation"),
        (("max_pool1d", "max_pool2d", "max_pool3d"), "input kernel_size stride padding dilation ceil_mode"),
        (("avg_pool1d", "avg_pool2d", "avg_pool3d"), "input kernel_size stride padding ceil_mode"),
        (ops.ADAPTIVE_POOLS, "input output_size"),
        (ops.REDUCTIONS, "input dim keepdim"),
        (("cat", "stack"), "tensors dim"),
        (("softmax", "log_softmax", "unsqueeze", "squeeze"), "input dim"),
        (("relu", "relu6", "silu", "mish", "hardswish", "hardsigmoid", "selu"), "input inplace"),
        (("elu", "celu"), "input alpha inplace"),
        (("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"), "input p training inplace"),
        (("convolution",), "input weight bias stride padding dilation transposed output_padding groups"),
        (("linear",), "input weight bias"),
        (("batch_norm",), "input running_mean running_var weight bias training"),
        (("instance_norm",), "input running_mean running_var weight bias training momentum eps"),
        (("group_norm",), "input num_groups weight bias"),
        (("layer_norm",), "input normalized_shape weight bias"),
        (("prelu",), "input weight"),
        ((ops.ATTENTION,), "query key value embed_dim"),
        (("flatten",), "input start_dim end_dim"),
        (("split",), "input split_size_or_sections dim"),
        (("chunk",), "input chunks dim"),
        (("pixel_shuffle",), "input upscale_factor"),
        (("pixel_unshuffle",), "input downscale_factor"),
        (("channel_shuffle",), "input groups"),
        (("pad",), "input pad mode"),
        (("interpolate",), "input size scale_factor mode"),
        (("transpose",), "input dim0 dim1"),
        (("einsum",), "equation"),
        (("leaky_relu",), "input negative_slope inplace"),
        (("hardtanh",), "input min_val max_val inplace"),
    )
    for name in names
}
# The builtin of the same name and the aten operators take the statistics last.
_BUILTIN_BATCH_NORM = ("input", "weight", "bias", "running_mean", "running_var", "training")
_BATCH_NORM_EVAL = ("input", "weight", "bias", "running_mean", "running_var")
_DEFAULTS: dict[str, dict[str, Any]] = {
    **{name: {"dim": 0} for name in ("cat", "stack", "split", "chunk")},
    "flatten": {"start_dim": 0, "end_dim": -1},
    "pad": {"mode": "constant"},
}
_PLAIN = frozenset({str, bool, float})
_INTS = {int}
_LIMIT = 1 << 31
_ANY_CONVOLUTION = frozenset({"convolution", "_convolution", "mkldnn_convolution"})
_CANONICAL = {"native_layer_norm": "layer_norm", "native_group_norm": "group_norm", "view": "reshape"}
_VARIADIC = {"reshape": "shape", "expand": "shape", "permute": "dims", "repeat": "shape"}


def canonical(op: str, arguments: Sequence[Any]) -> str:
    """``Node.op`` of a call, also for aten operators."""
    if op in _ANY_CONVOLUTION:
        weight = arguments[1]
        transposed = len(arguments) > 6 and arguments[6] is True
        return f"conv_transpose{len(weight.shape) - 2}d" if transposed else f"conv{len(weight.shape) - 2}d"
    if "batch_norm" in op:
        return "batch_norm"
    return _CANONICAL.get(op, op)


def bound(op: str, func: Callable[..., Any] | None, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name. Positional ones are left out if ``op`` is unknown."""
    named = dict(_DEFAULTS.get(op, {}))
    if op in _VARIADIC:
        rest = args[1:]
        whole = rest[0] if len(rest) == 1 and isinstance(rest[0], tuple | list) else rest
        named[_VARIADIC[op]] = tuple(whole)
    named.update(zip(_names(op, func), args, strict=False))
    named.update(kwargs)
    if "use_input_stats" in named:
        named["training"] = named.pop("use_input_stats")
    return named


def _names(op: str, func: Callable[..., Any] | None) -> tuple[str, ...]:
    if isinstance(func, torch._ops.OpOverload):
        name = func._schema.name.split("::")[-1]
        if name in ("convolution", "_convolution"):
            return _SIGNATURES["convolution"]
        if "no_training" in name:
            return _BATCH_NORM_EVAL
    if op == "batch_norm" and func is not functional.batch_norm:
        return _BUILTIN_BATCH_NORM
    return _SIGNATURES.get(op, ())


def attributes(op: str, named: Mapping[str, Any]) -> dict[str, Any]:
    """``Node.attrs`` of a call from its arguments by name, with ``Value`` for tensors."""
    if op in ops.ALL_CONVS:
        return _of_convolution(op, named)
    if op in ops.NORMS:
        return _of_norm(op, named)
    weight = named.get("weight")
    if op == "linear" and isinstance(weight, Value):
        features = {"in_features": weight.shape[-1], "out_features": weight.shape[0]}
        return features | {"bias": named.get("bias") is not None}
    if op == ops.ATTENTION:
        return {"embed_dim": named.get("embed_dim", named.get("embed_dim_to_check"))}
    if op == "prelu" and isinstance(weight, Value):
        return {"num_parameters": weight.shape[0] if weight.shape else 1}
    found = plain_values({name: value for name, value in named.items() if name != "training" and name[0] != "_"})
    if not found.get("inplace", True):
        del found["inplace"]
    if op in ops.WINDOW_POOLS:
        found |= _of_pool(op, found)
    return found


def _of_convolution(op: str, named: Mapping[str, Any]) -> dict[str, Any]:
    weight, spatial = named.get("weight"), ops.spatial_dims(op)
    transposed = op in ops.TRANSPOSED_CONVS
    groups = int(named.get("groups", 1))
    found = {
        "groups": groups,
        "stride": sizes(named.get("stride", 1), spatial),
        "padding": sizes(named.get("padding", 0), spatial),
        "dilation": sizes(named.get("dilation", 1), spatial),
        "bias": named.get("bias") is not None,
        "transposed": transposed,
        "output_padding": sizes(named.get("output_padding", 0), spatial),
    }
    if isinstance(weight, Value) and len(weight.shape) >= 2:
        first, second = weight.shape[0], weight.shape[1] * groups
        found["in_channels"], found["out_channels"] = (first, second) if transposed else (second, first)
        found["kernel_size"] = weight.shape[2:]
    return found


def _of_norm(op: str, named: Mapping[str, Any]) -> dict[str, Any]:
    weight, mean = named.get("weight"), named.get("running_mean")
    found: dict[str, Any] = {"affine": weight is not None}
    if op == "layer_norm":
        return found | {"normalized_shape": sizes(named.get("normalized_shape", ()), 1)}
    widths = [s.shape[0] for s in (mean, weight) if isinstance(s, Value) and s.shape]
    if widths:
        found["num_features"] = widths[0]
    if op == "group_norm":
        return found | {"num_groups": int(named.get("num_groups", 1))}
    usual = op == "instance_norm"
    return found | {"track_running_stats": mean is not None, "training": bool(named.get("training", usual))}


def _of_pool(op: str, found: Mapping[str, Any]) -> dict[str, Any]:
    spatial = ops.spatial_dims(op)
    kernel = sizes(found.get("kernel_size", 1), spatial)
    stride = found.get("stride")
    return {
        "kernel_size": kernel,
        "stride": sizes(stride, spatial) if stride not in (None, ()) else kernel,
        "padding": sizes(found.get("padding", 0), spatial),
        "dilation": sizes(found.get("dilation", 1), spatial),
        "ceil_mode": bool(found.get("ceil_mode", False)),
    }


def sizes(value: Any, count: int) -> Any:
    """One size for each of ``count`` spatial dimensions; a string such as "same" is returned as it is."""
    if isinstance(value, str) or (type(value) is tuple and len(value) == count and is_of_ints(value)):
        return value
    if isinstance(value, int):
        return (int(value),) * count
    found = tuple(int(size) for size in value)
    return found * count if len(found) == 1 else found


def plain_values(named: Mapping[str, Any]) -> dict[str, Any]:
    """The values that ``is_plain`` accepts, in plain types, without None."""
    found = {}
    for name, value in named.items():
        kind = type(value)
        if kind in _PLAIN or (kind is tuple and is_of_ints(value)):  # the most frequent cases first
            found[name] = value
        elif value is not None and is_plain(value):
            found[name] = plain(value)
    return found


def is_of_ints(values: tuple[Any, ...]) -> bool:
    """Return whether values are integers of the base class that fit in 32 bits."""
    return not values or (set(map(type, values)) == _INTS and min(values) > -_LIMIT and max(values) < _LIMIT)


def is_plain(value: Any) -> bool:
    """Return whether a value is a number, string, None, or a tuple or list of them. Integers must fit in 64 bits."""
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 63
    if value is None or isinstance(value, float | str):
        return True
    return isinstance(value, tuple | list) and all(is_plain(item) for item in value)


def plain(value: Any) -> Any:
    """Replace subclasses of int and float with the base class, and lists with tuples."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return tuple(plain(item) for item in value)
