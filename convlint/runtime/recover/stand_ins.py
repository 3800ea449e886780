"""Stand-ins for failing calls, so that one run finds every error.

A constructor of ``torch.nn`` that rejects its arguments receives the nearest arguments that it accepts. A call with
mismatched shapes returns zeros of the shape that the layer declares. The original arguments are recorded for the rules.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from convlint.analysis import ops

Arguments = dict[str, Any]
Repair = Callable[[Callable[..., None], nn.Module, tuple[Any, ...], Arguments], tuple[Arguments, Arguments | None]]


# --- constructors


def _bound(original: Callable[..., None], module: nn.Module, args: Any, kwargs: Any) -> Arguments:
    """The arguments of a constructor call by name, with defaults, without ``self``."""
    call = inspect.signature(original).bind(module, *args, **kwargs)
    call.apply_defaults()
    return dict(list(call.arguments.items())[1:])


def _count(value: Any) -> int | None:
    """A channel count that torch accepts: the value rounded, at least 1; None if it is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return max(1, round(value))


def _changed(declared: Arguments, accepted: Arguments) -> bool:
    return any(
        (accepted[name] is not declared[name] and accepted[name] != declared[name])
        or type(accepted[name]) is not type(declared[name])
        for name in accepted
    )


def _repair_conv(
    original: Callable[..., None], module: nn.Module, args: Any, kwargs: Any
) -> tuple[Arguments, Arguments | None]:
    declared = _bound(original, module, args, kwargs)
    accepted = dict(declared)
    channels = [_count(declared[name]) for name in ("in_channels", "out_channels")]
    groups = _count(declared["groups"])
    if None in channels or groups is None:
        return declared, None
    into, out = (channel or 1 for channel in channels)
    accepted.update(in_channels=into, out_channels=out)
    fits = isinstance(declared["groups"], int) and declared["groups"] > 0
    fits = fits and into % groups == 0 and out % groups == 0
    accepted["groups"] = declared["groups"] if fits else 1
    for name in ("kernel_size", "stride", "dilation"):
        accepted[name] = tuple([max(1, int(size)) for size in declared[name]])
    if isinstance(declared["padding"], str):
        strided = any(step != 1 for step in accepted["stride"])
        known = declared["padding"] in ("same", "valid")
        if not known or (declared["padding"] == "same" and strided):
            spread = zip(accepted["kernel_size"], accepted["dilation"], strict=True)
            accepted["padding"] = tuple([(size - 1) * step // 2 for size, step in spread])
    if declared["padding_mode"] not in ("zeros", "reflect", "replicate", "circular"):
        accepted["padding_mode"] = "zeros"
    return declared, accepted if _changed(declared, accepted) else None


def _repair_counts(*names: str) -> Repair:
    """Repair for a constructor whose arguments ``names`` are channel or feature counts."""

    def repair(
        original: Callable[..., None], module: nn.Module, args: Any, kwargs: Any
    ) -> tuple[Arguments, Arguments | None]:
        declared = _bound(original, module, args, kwargs)
        counts = {name: _count(declared[name]) for name in names}
        if None in counts.values():
            return declared, None
        accepted = declared | counts
        return declared, accepted if _changed(declared, accepted) else None

    return repair


def _repair_group_norm(
    original: Callable[..., None], module: nn.Module, args: Any, kwargs: Any
) -> tuple[Arguments, Arguments | None]:
    declared = _bound(original, module, args, kwargs)
    channels, groups = _count(declared["num_channels"]), _count(declared["num_groups"])
    if channels is None or groups is None:
        return declared, None
    accepted = declared | {"num_channels": channels, "num_groups": math.gcd(channels, groups)}
    return declared, accepted if _changed(declared, accepted) else None


CONSTRUCTORS: dict[type[nn.Module], Repair] = {
    nn.modules.conv._ConvNd: _repair_conv,
    nn.Linear: _repair_counts("in_features", "out_features"),
    nn.modules.batchnorm._NormBase: _repair_counts("num_features"),
    nn.GroupNorm: _repair_group_norm,
}


# --- calls


def stand_in(name: str, args: Sequence[Any], kwargs: Arguments, output_channels: int | None) -> Any:
    """Return zeros of the shape that a failing call should return; None if the shapes do not determine it.

    ``name`` is the name of the function (``conv2d``), ``output_channels`` the declared channels of the enclosing layer.
    """
    maker = _STAND_INS.get(name)
    if maker is None:
        return None
    try:
        return maker(args, kwargs, output_channels)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError):
        return None  # the call was not even well-formed: it stays the failure that it is


def _argument(args: Sequence[Any], kwargs: Arguments, position: int, name: str, default: Any) -> Any:
    return args[position] if len(args) > position else kwargs.get(name, default)


def _sizes(value: Any, count: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * count
    sizes = tuple(int(size) for size in value)
    return sizes * count if len(sizes) == 1 else sizes


def _window(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return max(1, ops.output_size(size, kernel, max(1, stride), padding, dilation))


def _conv(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    x = _argument(args, kwargs, 0, "input", None)
    weight = _argument(args, kwargs, 1, "weight", None)
    spatial = weight.dim() - 2
    stride = _sizes(_argument(args, kwargs, 3, "stride", 1), spatial)
    padding = _argument(args, kwargs, 4, "padding", 0)
    dilation = _sizes(_argument(args, kwargs, 5, "dilation", 1), spatial)
    kernel = tuple(weight.shape[2:])
    if padding == "same":
        sizes = tuple(x.shape[-spatial:])
    else:
        around = _sizes(0 if padding == "valid" else padding, spatial)
        sizes = tuple(map(_window, x.shape[-spatial:], kernel, stride, around, dilation))
    if x.dim() not in (spatial + 1, spatial + 2):
        return None
    return x.new_zeros((*x.shape[: -spatial - 1], weight.shape[0], *sizes))


def _conv_transpose(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    x = _argument(args, kwargs, 0, "input", None)
    weight = _argument(args, kwargs, 1, "weight", None)
    spatial = weight.dim() - 2
    stride = _sizes(_argument(args, kwargs, 3, "stride", 1), spatial)
    padding = _sizes(_argument(args, kwargs, 4, "padding", 0), spatial)
    extra = _sizes(_argument(args, kwargs, 5, "output_padding", 0), spatial)
    groups = _argument(args, kwargs, 6, "groups", 1)
    dilation = _sizes(_argument(args, kwargs, 7, "dilation", 1), spatial)
    if x.dim() not in (spatial + 1, spatial + 2):
        return None
    sizes = [
        max(1, ops.transposed_output_size(size, kernel, step, around, spread, more))
        for size, step, around, spread, kernel, more in zip(
            x.shape[-spatial:], stride, padding, dilation, weight.shape[2:], extra, strict=True
        )
    ]
    return x.new_zeros((*x.shape[: -spatial - 1], weight.shape[1] * groups, *sizes))


def _linear(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    x = _argument(args, kwargs, 0, "input", None)
    weight = _argument(args, kwargs, 1, "weight", None)
    return x.new_zeros((*x.shape[:-1], weight.shape[0]))


def _same_shape(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    return _argument(args, kwargs, 0, "input", None).clone()


def _norm(args: Sequence[Any], kwargs: Arguments, channels: int | None) -> Any:
    x = _argument(args, kwargs, 0, "input", None)
    if channels is None or x.dim() < 2 or channels == x.shape[1]:
        return x.clone()
    return x.new_zeros((x.shape[0], channels, *x.shape[2:]))


def _broadcast(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    left, right = args[0], _argument(args, kwargs, 1, "other", None)
    dims = max(left.dim(), right.dim())
    shapes = [(1,) * (dims - t.dim()) + tuple(t.shape) for t in (left, right)]
    return left.new_zeros([max(pair) for pair in zip(*shapes, strict=True)])


def _cat(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    tensors = list(_argument(args, kwargs, 0, "tensors", None))
    dim = _argument(args, kwargs, 1, "dim", 0)
    if len({t.dim() for t in tensors}) != 1:
        return None
    shape = list(tensors[0].shape)
    shape[dim] = sum(t.shape[dim] for t in tensors)
    return tensors[0].new_zeros(shape)


def _stack(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    tensors = list(_argument(args, kwargs, 0, "tensors", None))
    first = tensors[0]
    return torch.stack([torch.zeros_like(first)] * len(tensors), _argument(args, kwargs, 1, "dim", 0))


def _pool(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    x = _argument(args, kwargs, 0, "input", None)
    kernel_size = _argument(args, kwargs, 1, "kernel_size", None)
    spatial = x.dim() - 2 if x.dim() > 2 else 1
    kernel = _sizes(kernel_size, spatial)
    given = _argument(args, kwargs, 2, "stride", None)
    stride = kernel if given is None or given == [] else _sizes(given, spatial)
    padding = _sizes(_argument(args, kwargs, 3, "padding", 0), spatial)
    sizes = map(_window, x.shape[-spatial:], kernel, stride, padding, (1,) * spatial)
    return x.new_zeros((*x.shape[:-spatial], *sizes))


def _reshape(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    x = args[0]
    shape = list(args[1] if len(args) == 2 and not isinstance(args[1], int) else args[1:])
    shape = [int(size) for size in shape or kwargs["shape"]]
    if -1 not in shape:
        return x.new_zeros(shape)
    wildcard = shape.index(-1)
    if wildcard == 0:  # x.view(-1, features): -1 stands for the batch
        shape[0] = x.shape[0]
    else:
        known = math.prod(size for size in shape if size != -1)
        shape[wildcard] = max(1, x.numel() // max(1, known))
    return x.new_zeros(shape)


def _matmul(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    left, right = args[0], _argument(args, kwargs, 1, "other", None)
    if left.dim() < 2 or right.dim() < 2:
        return None
    return left.new_zeros((*left.shape[:-1], right.shape[-1]))


def _pixel_shuffle(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    x = args[0]
    factor = int(_argument(args, kwargs, 1, "upscale_factor", 1))
    *batch, channels, height, width = x.shape
    return x.new_zeros((*batch, max(1, channels // factor**2), height * factor, width * factor))


def _pad(args: Sequence[Any], kwargs: Arguments, _: int | None) -> Any:
    x = _argument(args, kwargs, 0, "input", None)
    shape = list(x.shape)
    around = list(_argument(args, kwargs, 1, "pad", ()))
    for back, (before, after) in enumerate(zip(around[::2], around[1::2], strict=True), start=1):
        shape[-back] = max(1, shape[-back] + before + after)
    return x.new_zeros(shape)


_STAND_INS: dict[str, Callable[[Sequence[Any], Arguments, int | None], Any]] = {
    **dict.fromkeys(ops.CONVS, _conv),
    **dict.fromkeys(ops.TRANSPOSED_CONVS, _conv_transpose),
    "linear": _linear,
    **dict.fromkeys(ops.PER_CHANNEL_NORMS, _norm),
    **dict.fromkeys(("layer_norm", "group_norm", "prelu"), _same_shape),
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), _same_shape),
    **dict.fromkeys(("add", "sub", "mul", "div", "true_divide"), _broadcast),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    "stack": _stack,
    **dict.fromkeys(ops.WINDOW_POOLS, _pool),
    **dict.fromkeys(("view", "reshape"), _reshape),
    **dict.fromkeys(("matmul", "bmm", "mm"), _matmul),
    "pixel_shuffle": _pixel_shuffle,
    "pad": _pad,
}
