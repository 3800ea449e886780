"""Stand-ins for failing calls, so that one run finds every error.

A constructor of ``torch.nn`` that rejects its arguments receives the nearest arguments that it accepts. A call with
mismatched shapes returns zeros of the shape that the layer declares. The original arguments are recorded for the rules.
"""

# ruff: noqa: ARG001 - the stand-ins have the parameters of torch's own functions

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from convlint.analysis import ops
from convlint.runtime.record.call_attributes import sizes as sizes_of

Arguments = dict[str, Any]
Repair = Callable[[Arguments], Arguments | None]  # the nearest arguments that a constructor accepts


def repaired(
    original: Callable[..., None], module: nn.Module, args: Any, kwargs: Any, repair: Repair
) -> tuple[Arguments, Arguments | None]:
    """The arguments of a rejected call by name, and the nearest that it accepts, None if ``repair`` changes nothing."""
    call = inspect.signature(original).bind(module, *args, **kwargs)
    call.apply_defaults()
    declared = dict(list(call.arguments.items())[1:])
    accepted = repair(declared)
    return declared, accepted if accepted is not None and _changed(declared, accepted) else None


def _changed(declared: Arguments, accepted: Arguments) -> bool:
    return any(
        (accepted[name] is not declared[name] and accepted[name] != declared[name])
        or type(accepted[name]) is not type(declared[name])
        for name in accepted
    )


def _count(value: Any) -> int | None:
    """A channel count that torch accepts: the value rounded, at least 1; None if it is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return max(1, round(value))


def _with_counts(declared: Arguments, *names: str) -> Arguments | None:
    """The arguments with accepted channel or feature counts for ``names``; None if one of them is not a number."""
    counts = {name: _count(declared[name]) for name in names}
    return None if None in counts.values() else declared | counts


def _repair_conv(declared: Arguments) -> Arguments | None:
    accepted = _with_counts(declared, "in_channels", "out_channels", "groups")
    if accepted is None:
        return None
    groups = accepted["groups"]
    divides = accepted["in_channels"] % groups == 0 and accepted["out_channels"] % groups == 0
    if not (divides and isinstance(declared["groups"], int) and groups == declared["groups"]):
        accepted["groups"] = 1
    for name in ("kernel_size", "stride", "dilation"):
        accepted[name] = tuple([max(1, int(size)) for size in declared[name]])
    if isinstance(declared["padding"], str):
        strided = any(step != 1 for step in accepted["stride"])
        if declared["padding"] != "valid" and (declared["padding"] != "same" or strided):
            spread = zip(accepted["kernel_size"], accepted["dilation"], strict=True)
            accepted["padding"] = tuple([(size - 1) * step // 2 for size, step in spread])
    if declared["padding_mode"] not in ("zeros", "reflect", "replicate", "circular"):
        accepted["padding_mode"] = "zeros"
    return accepted


def _repair_group_norm(declared: Arguments) -> Arguments | None:
    accepted = _with_counts(declared, "num_channels", "num_groups")
    return accepted and accepted | {"num_groups": math.gcd(accepted["num_channels"], accepted["num_groups"])}


CONSTRUCTORS: dict[type[nn.Module], Repair] = {
    nn.modules.conv._ConvNd: _repair_conv,
    nn.Linear: lambda declared: _with_counts(declared, "in_features", "out_features"),
    nn.modules.batchnorm._NormBase: lambda declared: _with_counts(declared, "num_features"),
    nn.GroupNorm: _repair_group_norm,
}


def stand_in(name: str, args: Sequence[Any], kwargs: Arguments, output_channels: int | None) -> Any:
    """Return zeros of the shape that a failing call should return; None if the shapes do not determine it.

    ``name`` is the name of the function (``conv2d``), ``output_channels`` the declared channels of the enclosing layer.
    """
    try:
        if name in ops.PER_CHANNEL_NORMS:
            return _norm(output_channels, *args, **kwargs)
        return _STAND_INS[name](*args, **kwargs)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError):
        return None  # the call was not even well-formed: it stays the failure that it is


def _window(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return max(1, ops.output_size(size, kernel, max(1, stride), padding, dilation))


def _conv(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: Any = 1
) -> Any:
    spatial = weight.dim() - 2
    if input.dim() not in (spatial + 1, spatial + 2):
        return None
    sizes = input.shape[-spatial:]
    if padding != "same":
        steps = [sizes_of(value, spatial) for value in (stride, 0 if padding == "valid" else padding, dilation)]
        sizes = tuple(map(_window, sizes, weight.shape[2:], *steps))
    return input.new_zeros((*input.shape[: -spatial - 1], weight.shape[0], *sizes))


def _conv_transpose(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: Any = 1,
    dilation: Any = 1,
) -> Any:
    spatial = weight.dim() - 2
    if input.dim() not in (spatial + 1, spatial + 2):
        return None
    steps = [sizes_of(value, spatial) for value in (stride, padding, dilation, output_padding)]
    every = zip(input.shape[-spatial:], weight.shape[2:], *steps, strict=True)
    sizes = [max(1, ops.transposed_output_size(*numbers)) for numbers in every]
    return input.new_zeros((*input.shape[: -spatial - 1], weight.shape[1] * groups, *sizes))


def _linear(input: Any, weight: Any, bias: Any = None) -> Any:
    return input.new_zeros((*input.shape[:-1], weight.shape[0]))


def _same_shape(input: Any, *_: Any, **__: Any) -> Any:
    return input.clone()


def _norm(channels: int | None, input: Any, *_: Any, **__: Any) -> Any:
    if channels is None or input.dim() < 2 or channels == input.shape[1]:
        return input.clone()
    return input.new_zeros((input.shape[0], channels, *input.shape[2:]))


def _broadcast(left: Any, other: Any, **_: Any) -> Any:
    dims = max(left.dim(), other.dim())
    shapes = [(1,) * (dims - t.dim()) + tuple(t.shape) for t in (left, other)]
    return left.new_zeros([max(pair) for pair in zip(*shapes, strict=True)])


def _cat(tensors: Any, dim: Any = 0, **_: Any) -> Any:
    if len({t.dim() for t in tensors}) != 1:
        return torch.zeros_like(max(tensors, key=torch.Tensor.dim))
    shape = list(tensors[0].shape)
    shape[dim] = sum(t.shape[dim] for t in tensors)
    return tensors[0].new_zeros(shape)


def _stack(tensors: Any, dim: Any = 0, **_: Any) -> Any:
    return torch.stack([torch.zeros_like(tensors[0])] * len(tensors), dim)


def _pool(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, *_: Any, **__: Any) -> Any:
    spatial = input.dim() - 2 if input.dim() > 2 else 1
    kernel = sizes_of(kernel_size, spatial)
    step = kernel if stride is None or stride == [] else sizes_of(stride, spatial)
    sizes = map(_window, input.shape[-spatial:], kernel, step, sizes_of(padding, spatial), (1,) * spatial)
    return input.new_zeros((*input.shape[:-spatial], *sizes))


def _reshape(x: Any, /, *sizes: Any, **kwargs: Any) -> Any:
    given = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    shape = [int(size) for size in list(given) or kwargs["shape"]]
    if -1 not in shape:
        return x.new_zeros(shape)
    wildcard = shape.index(-1)
    if wildcard == 0:  # x.view(-1, features): -1 stands for the batch
        shape[0] = x.shape[0]
    else:
        shape[wildcard] = max(1, x.numel() // max(1, math.prod(size for size in shape if size != -1)))
    return x.new_zeros(shape)


def _matmul(left: Any, other: Any, **_: Any) -> Any:
    if left.dim() < 2 or other.dim() < 2:
        return None
    return left.new_zeros((*left.shape[:-1], other.shape[-1]))


def _attention(query: Any, key: Any, value: Any, embed_dim_to_check: Any, *_: Any, **__: Any) -> Any:
    return query.new_zeros((*query.shape[:-1], embed_dim_to_check)), None


def _recurrent(
    input: Any, state: Any, weights: Any, bias: bool, layers: int, dropout: float, train: bool, both: bool, first: bool
) -> Any:
    states = state if isinstance(state, tuple) else (state,)
    directions = 2 if both else 1
    return input.new_zeros((*input.shape[:-1], directions * states[0].shape[-1])), *states


def _pixel_shuffle(x: Any, /, upscale_factor: Any = 1) -> Any:
    factor = int(upscale_factor)
    *batch, channels, height, width = x.shape
    return x.new_zeros((*batch, max(1, channels // factor**2), height * factor, width * factor))


def _pad(input: Any, pad: Any = (), *_: Any, **__: Any) -> Any:
    shape = list(input.shape)
    for back, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True), start=1):
        shape[-back] = max(1, shape[-back] + before + after)
    return input.new_zeros(shape)


_STAND_INS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(ops.CONVS, _conv),
    **dict.fromkeys(ops.TRANSPOSED_CONVS, _conv_transpose),
    "linear": _linear,
    **dict.fromkeys(("layer_norm", "group_norm", "prelu", "channel_shuffle", "native_channel_shuffle"), _same_shape),
    **dict.fromkeys(("add", "sub", "mul", "div", "true_divide", "maximum", "minimum"), _broadcast),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    "stack": _stack,
    **dict.fromkeys(ops.WINDOW_POOLS, _pool),
    **dict.fromkeys(("view", "reshape"), _reshape),
    **dict.fromkeys(("matmul", "bmm", "mm"), _matmul),
    ops.ATTENTION: _attention,
    **dict.fromkeys(ops.RECURRENT, _recurrent),
    "pixel_shuffle": _pixel_shuffle,
    "pad": _pad,
}
