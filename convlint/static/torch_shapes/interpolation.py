"""Interpolation and sampling: ``F.interpolate``, ``nn.Upsample``, ``F.grid_sample``."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape, Tensor, Value, as_number
from convlint.static.torch_shapes.arguments import Attrs, is_sequence, sizes
from convlint.static.torch_shapes.arguments import size as size_of
from convlint.static.torch_shapes.registry import functional_layer, operation
from convlint.static.torch_shapes.sizes import any_below, divided, plain, shape_of, shape_of_rank, show

_RANKS = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}
_USUAL_RANK = 4  # of images
_LARGEST_DENOMINATOR = 64  # of a scale factor that was meant as a fraction

# --- interpolation

_SIZE = "size=None, scale_factor=None"
_UPSAMPLE = f"{_SIZE}, mode='nearest', align_corners=None"


@operation("F.interpolate", signature=f"input, {_UPSAMPLE}, recompute_scale_factor=None, antialias=False")
@operation("F.upsample", signature=f"input, {_UPSAMPLE}")
@operation("F.upsample_bilinear", signature=f"input, {_SIZE}", mode="bilinear", align_corners=None)
@operation("F.upsample_nearest", signature=f"input, {_SIZE}", mode="nearest", align_corners=None)
def _interpolate(
    run: Execution, input: Tensor, size: Value, scale_factor: Value, mode: Value, align_corners: Value
) -> Value:
    attrs: Attrs = {"mode": mode}
    attrs |= {"size": size} if size is not None else {"scale_factor": scale_factor}
    rank = _implied_rank(size, scale_factor, mode)
    shape = shape_of(run, input) if rank is None else shape_of_rank(run, input, rank)
    error = _of_arguments(size, scale_factor, mode, align_corners)
    if shape is None and error is not None:
        shape = run.guess_rank(input, _USUAL_RANK)  # it fails for an input of any shape
    if shape is None:
        return run.emit("interpolate", [input], [None], attrs)[0]
    error = error or _of_shape(shape, size, scale_factor, mode)
    spatial = len(shape) - 2
    if spatial < 1:
        return run.emit("interpolate", [input], [None], attrs, error)[0]
    image = shape[2:]
    if size is not None:
        output = sizes(run, size, spatial)
    else:
        factors = scale_factor if is_sequence(scale_factor) else (scale_factor,) * spatial
        if len(factors) != spatial:
            factors = (None,) * spatial
        output = tuple([_scaled(run, a, f) for a, f in zip(image, factors, strict=True)])
    if error is None and mode != "area" and any_below(output, 1):
        error = f"Input and output sizes should be greater than 0, but got input {show(image)} output {show(output)}"
    return run.emit("interpolate", [input], [(*shape[:2], *output)], attrs, error)[0]


def _implied_rank(size: Value, scale_factor: Value, mode: Value) -> int | None:
    """Return the rank that the arguments imply for the input, None if they do not."""
    if type(mode) is str and mode in _RANKS:
        return _RANKS[mode]
    for value in (size, scale_factor):
        if is_sequence(value) and len(value) > 1:
            return len(value) + 2
    return None


def _of_arguments(size: Value, scale_factor: Value, mode: Value, align_corners: Value) -> str | None:
    """Return the error of arguments that fail for every input."""
    if mode in ("nearest", "area", "nearest-exact") and type(align_corners) is bool:
        return (
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    if size is not None and scale_factor is not None:
        both_known = all(type(v) in (int, float, tuple, list) for v in (size, scale_factor))
        return "only one of size or scale_factor should be defined" if both_known else None
    if size is None and scale_factor is None:
        return "either size or scale_factor should be defined"
    return None


def _of_shape(shape: Shape, size: Value, scale_factor: Value, mode: Value) -> str | None:
    """Return the error of arguments that fail for an input of this shape."""
    rank, spatial = len(shape), len(shape) - 2
    if size is not None and scale_factor is not None:
        return None  # not both are known
    for name, value in (("output", size), ("scale_factor", scale_factor)):
        if is_sequence(value) and len(value) != spatial:
            return (
                f"Input and {name} must have the same number of spatial dimensions, but got input "
                f"with spatial dimensions of {show(shape[2:])} and {name} of {value}"
            )
    if type(mode) is str and (_RANKS.get(mode, rank) != rank or rank not in (3, 4, 5)):
        return f"Got {rank}D input, but {mode} mode needs {_RANKS.get(mode, '3, 4 or 5')}D input"
    return None


def _scaled(run: Execution, size: Num, factor: Value) -> Num:
    """Return a size times a factor, rounded down."""
    whole = as_number(factor)
    if whole is not None:
        return plain(size * whole)
    if type(factor) is float and abs(factor) < 2**31:
        if type(size) is int:
            return int(size * factor)
        numerator, denominator = factor.as_integer_ratio()
        if denominator <= _LARGEST_DENOMINATOR:
            return divided(plain(size * numerator), denominator)
    return run.fresh("size")


functional_layer("Upsample", f"{_UPSAMPLE}, recompute_scale_factor=None", "F.interpolate")
functional_layer("UpsamplingBilinear2d", _SIZE, "F.interpolate", mode="bilinear", align_corners=True)
functional_layer("UpsamplingNearest2d", _SIZE, "F.interpolate", mode="nearest", align_corners=None)

# --- grids


@operation("F.grid_sample", signature="input, grid, mode='bilinear', padding_mode='zeros', align_corners=None")
@operation("grid_sampler", signature="input, grid, interpolation_mode, padding_mode, align_corners")
def _grid_sample(run: Execution, input: Tensor, grid: Tensor) -> Value:
    shape, points = shape_of(run, input), shape_of(run, grid)
    result = None
    if shape is not None and points is not None and len(points) == len(shape) >= 3:
        result = (*shape[:2], *points[1:-1])
    return run.emit("grid_sample", [input, grid], [result])[0]


@operation("F.affine_grid", signature="theta, size, align_corners=None")
def _affine_grid(run: Execution, theta: Tensor, size: Value) -> Value:
    if not is_sequence(size) or len(size) not in (4, 5):
        return run.emit("affine_grid", [theta], [None])[0]
    spatial = [size_of(run, length) for length in size[2:]]
    return run.emit("affine_grid", [theta], [(size_of(run, size[0]), *spatial, len(spatial))])[0]
