"""Functions that make maps larger or smaller: interpolation, shuffles, folds."""

from __future__ import annotations

from typing import Any

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape, Tensor, Value
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizing import (
    below,
    divided,
    number,
    plain,
    remainder,
    shape_of,
    show,
    size,
    sizes,
    unseen,
)

_RANKS = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}
_SMALL = 64  # floats with a denominator up to this are fractions that were meant
_Size = Value


def interpolated(
    run: Execution,
    x: Value,
    size: Value,
    scale_factor: Value,
    mode: Value,
    align_corners: Value = None,
) -> Value:
    """Resize the spatial dimensions to a size, or by factors."""
    if type(x) is not Tensor:
        return unseen(run, x)
    attrs: dict[str, Any] = {"mode": mode}
    attrs |= {"size": size} if size is not None else {"scale_factor": scale_factor}
    shape = shape_of(run, x, _rank(size, scale_factor, mode))
    if shape is None:
        return run.emit("interpolate", [x], [None], attrs)[0]
    error = _refused(shape, size, scale_factor, mode, align_corners)
    spatial = len(shape) - 2
    if spatial < 1:
        return run.emit("interpolate", [x], [None], attrs, error)[0]
    around = shape[2:]
    if size is not None:
        moved = sizes(run, size, spatial)
    else:
        factors = scale_factor if type(scale_factor) in (tuple, list) else (scale_factor,) * spatial
        if len(factors) != spatial:
            factors = (None,) * spatial
        moved = tuple([_scaled(run, a, f) for a, f in zip(around, factors, strict=True)])
    if error is None and mode != "area" and any(below(one, 1) for one in moved):
        error = (
            f"Input and output sizes should be greater than 0, but got input {show(around)} "
            f"output {show(moved)}"
        )
    return run.emit("interpolate", [x], [(*shape[:2], *moved)], attrs, error)[0]


def _rank(size: Value, scale_factor: Value, mode: Value) -> int | None:
    """How many dimensions the arguments tell that a tensor has."""
    if type(mode) is str and mode in _RANKS:
        return _RANKS[mode]
    for value in (size, scale_factor):
        if type(value) in (tuple, list) and len(value) > 1:
            return len(value) + 2
    return None


def _refused(
    shape: Shape, size: Value, scale_factor: Value, mode: Value, align_corners: Value
) -> str | None:
    rank, spatial = len(shape), len(shape) - 2
    if mode in ("nearest", "area", "nearest-exact") and type(align_corners) is bool:
        return (
            "align_corners option can only be set with the interpolating modes: linear | bilinear "
            "| bicubic | trilinear"
        )
    if size is not None and scale_factor is not None:
        both_known = all(type(v) in (int, float, tuple, list) for v in (size, scale_factor))
        return "only one of size or scale_factor should be defined" if both_known else None
    if size is None and scale_factor is None:
        return "either size or scale_factor should be defined"
    for name, value in (("output", size), ("scale_factor", scale_factor)):
        if type(value) in (tuple, list) and len(value) != spatial:
            return (
                f"Input and {name} must have the same number of spatial dimensions, but got input "
                f"with spatial dimensions of {show(shape[2:])} and {name} of {value}"
            )
    if type(mode) is str and (_RANKS.get(mode, rank) != rank or rank not in (3, 4, 5)):
        return f"Got {rank}D input, but {mode} mode needs {_RANKS.get(mode, '3, 4 or 5')}D input"
    return None


def _scaled(run: Execution, one: Num, factor: Value) -> Num:
    """A size times a factor, rounded down."""
    whole = number(factor)
    if whole is not None:
        return plain(one * whole)
    if type(factor) is float and abs(factor) < 2**31:
        if type(one) is int:
            return int(one * factor)
        above, under = factor.as_integer_ratio()
        if under <= _SMALL:
            return divided(plain(one * above), under)
    return run.fresh("size")


@operation("F.interpolate")
def _interpolate(
    run: Execution,
    input: Value,
    size: Value = None,
    scale_factor: Value = None,
    mode: Value = "nearest",
    align_corners: Value = None,
    recompute_scale_factor: Value = None,
    antialias: Value = False,
) -> Value:
    return interpolated(run, input, size, scale_factor, mode, align_corners)


@operation("F.upsample")
def _upsample(
    run: Execution,
    input: Value,
    size: Value = None,
    scale_factor: Value = None,
    mode: Value = "nearest",
    align_corners: Value = None,
) -> Value:
    return interpolated(run, input, size, scale_factor, mode, align_corners)


@operation("F.upsample_bilinear")
def _upsample_bilinear(
    run: Execution, input: Value, size: Value = None, scale_factor: Value = None
) -> Value:
    return interpolated(run, input, size, scale_factor, "bilinear")


@operation("F.upsample_nearest")
def _upsample_nearest(
    run: Execution, input: Value, size: Value = None, scale_factor: Value = None
) -> Value:
    return interpolated(run, input, size, scale_factor, "nearest")


# --- shuffles


@operation("F.pixel_shuffle", "pixel_shuffle")
def pixel_shuffle(run: Execution, input: Value, upscale_factor: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    factor, attrs = size(run, upscale_factor, "factor"), {"upscale_factor": upscale_factor}
    shape = shape_of(run, input, 4) or ()
    if len(shape) < 3:
        told = f"pixel_shuffle expects input to have at least 3 dimensions, but got {len(shape)}"
        return run.emit("pixel_shuffle", [input], [None], attrs, told)[0]
    if below(factor, 1):
        told = f"pixel_shuffle expects a positive upscale_factor, but got {factor}"
        return run.emit("pixel_shuffle", [input], [shape], attrs, told)[0]
    square, error = plain(factor * factor), None
    if not run.demand(remainder(shape[-3], square), 0):
        error = (
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={shape[-3]} is not divisible by {square}"
        )
    channels: Num = divided(shape[-3], square)
    if error is not None and below(channels, 1):
        channels = 1
    result = (*shape[:-3], channels, plain(shape[-2] * factor), plain(shape[-1] * factor))
    return run.emit("pixel_shuffle", [input], [result], attrs, error)[0]


@operation("F.pixel_unshuffle", "pixel_unshuffle")
def pixel_unshuffle(run: Execution, input: Value, downscale_factor: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    factor, attrs = size(run, downscale_factor, "factor"), {"downscale_factor": downscale_factor}
    shape = shape_of(run, input, 4) or ()
    if len(shape) < 3:
        error = f"pixel_unshuffle expects input to have at least 3 dimensions, but got {len(shape)}"
        return run.emit("pixel_unshuffle", [input], [None], attrs, error)[0]
    if below(factor, 1):
        error = f"pixel_unshuffle expects a positive downscale_factor, but got {factor}"
        return run.emit("pixel_unshuffle", [input], [shape], attrs, error)[0]
    told: str | None = None
    for name, one in (("height", shape[-2]), ("width", shape[-1])):
        if type(one) is int and type(factor) is int and one % factor:
            told = told or (
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but "
                f"{one} is not divisible by {factor}"
            )
    result = (
        *shape[:-3],
        plain(shape[-3] * factor * factor),
        divided(shape[-2], factor),
        divided(shape[-1], factor),
    )
    return run.emit("pixel_unshuffle", [input], [result], attrs, told)[0]


@operation("F.channel_shuffle", "channel_shuffle", "F.native_channel_shuffle")
def channel_shuffle(run: Execution, input: Value, groups: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    count, attrs = size(run, groups, "groups"), {"groups": groups}
    shape, error = shape_of(run, input), None
    if shape is not None:
        if len(shape) < 3:
            error = f"channel_shuffle expects input with > 2 dims, but got {len(shape)}"
        elif below(count, 1):
            error = (
                f"Number of groups to divide channels in must be positive. Value of groups: {count}"
            )
        elif not run.demand(remainder(shape[1], count), 0):
            error = (
                f"Number of channels must be divisible by groups. Got {shape[1]} channels and "
                f"{count} groups."
            )
    return run.emit("channel_shuffle", [input], [], attrs, error, like=input)[0]


# --- grids


@operation("F.grid_sample", "grid_sampler")
def _grid_sample(
    run: Execution,
    input: Value,
    grid: Value,
    mode: Value = "bilinear",
    padding_mode: Value = "zeros",
    align_corners: Value = None,
) -> Value:
    if type(input) is not Tensor or type(grid) is not Tensor:
        return unseen(run, input, grid)
    shape, places = shape_of(run, input), shape_of(run, grid)
    if shape is None or places is None or len(places) != len(shape) or len(shape) < 3:
        return run.emit("grid_sample", [input, grid], [None])[0]
    return run.emit("grid_sample", [input, grid], [(*shape[:2], *places[1:-1])])[0]


@operation("F.affine_grid")
def _affine_grid(run: Execution, theta: Value, size: Value, align_corners: Value = None) -> Value:
    if type(theta) is not Tensor:
        return unseen(run, theta)
    if type(size) not in (tuple, list) or len(size) not in (4, 5):
        return run.emit("affine_grid", [theta], [None])[0]
    spatial = tuple([_number(run, one) for one in size[2:]])
    result = (_number(run, size[0]), *spatial, len(spatial))
    return run.emit("affine_grid", [theta], [result])[0]


def _number(run: Execution, value: Value) -> Num:
    found = number(value)
    return run.fresh("size") if found is None else found
