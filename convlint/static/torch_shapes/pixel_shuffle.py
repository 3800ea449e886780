"""Rearranging channels: pixel shuffle and unshuffle, channel shuffle."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape, Tensor, Value
from convlint.static.torch_shapes.arguments import size
from convlint.static.torch_shapes.registry import functional_layer, operation
from convlint.static.torch_shapes.sizes import below, divided, plain, remainder, shape_of, shape_of_rank


def _check(op: str, shape: Shape, name: str, factor: Num) -> str | None:
    """Return PyTorch's error for an image or a factor that is too small."""
    if len(shape) < 3:
        return f"{op} expects input to have at least 3 dimensions, but got {len(shape)}"
    return f"{op} expects a positive {name}, but got {factor}" if below(factor, 1) else None


@operation("F.pixel_shuffle", "pixel_shuffle")
def _pixel_shuffle(run: Execution, input: Tensor, upscale_factor: Value) -> Value:
    factor, attrs = size(run, upscale_factor, "factor"), {"upscale_factor": upscale_factor}
    shape = shape_of_rank(run, input, 4)
    error = _check("pixel_shuffle", shape, "upscale_factor", factor)
    if error is not None:
        return run.emit("pixel_shuffle", [input], [None if len(shape) < 3 else shape], attrs, error)[0]
    square = plain(factor * factor)
    if not run.demand(remainder(shape[-3], square), 0):
        error = (
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={shape[-3]} is not divisible by {square}"
        )
    channels = divided(shape[-3], square)
    if error is not None and below(channels, 1):
        channels = 1
    result = (*shape[:-3], channels, plain(shape[-2] * factor), plain(shape[-1] * factor))
    return run.emit("pixel_shuffle", [input], [result], attrs, error)[0]


@operation("F.pixel_unshuffle", "pixel_unshuffle")
def _pixel_unshuffle(run: Execution, input: Tensor, downscale_factor: Value) -> Value:
    factor, attrs = size(run, downscale_factor, "factor"), {"downscale_factor": downscale_factor}
    shape = shape_of_rank(run, input, 4)
    error = _check("pixel_unshuffle", shape, "downscale_factor", factor)
    if error is not None:
        return run.emit("pixel_unshuffle", [input], [None if len(shape) < 3 else shape], attrs, error)[0]
    for name, length in (("height", shape[-2]), ("width", shape[-1])):
        if type(length) is int and type(factor) is int and length % factor:
            uneven = f"{length} is not divisible by {factor}"
            error = error or f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but {uneven}"
    result = (*shape[:-3], plain(shape[-3] * factor * factor), divided(shape[-2], factor), divided(shape[-1], factor))
    return run.emit("pixel_unshuffle", [input], [result], attrs, error)[0]


@operation("F.channel_shuffle", "channel_shuffle", "F.native_channel_shuffle")
def _channel_shuffle(run: Execution, input: Tensor, groups: Value) -> Value:
    count, attrs = size(run, groups, "groups"), {"groups": groups}
    shape, error = shape_of(run, input), None
    if shape is not None:
        if len(shape) < 3:
            error = f"channel_shuffle expects input with > 2 dims, but got {len(shape)}"
        elif below(count, 1):
            error = f"Number of groups to divide channels in must be positive. Value of groups: {count}"
        elif not run.demand(remainder(shape[1], count), 0):
            error = f"Number of channels must be divisible by groups. Got {shape[1]} channels and {count} groups."
    return run.emit("channel_shuffle", [input], [], attrs, error, like=input)[0]


functional_layer("PixelShuffle", "upscale_factor", "F.pixel_shuffle")
functional_layer("PixelUnshuffle", "downscale_factor", "F.pixel_unshuffle")
functional_layer("ChannelShuffle", "groups", "F.channel_shuffle")
