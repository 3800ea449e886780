"""Normalization as functions, and the checks that functions and layers share."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.facts import FRESH
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Shape, Tensor, Value, as_number, symbols_of
from convlint.static.torch_shapes.arguments import Attrs, frozen, is_sequence
from convlint.static.torch_shapes.arguments import size as size_of
from convlint.static.torch_shapes.elementwise import dims_error
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizes import below, divided, plain, product, remainder, replaced, shape_of, show


def normalize_channels(
    run: Execution, op: str, x: Tensor, attrs: Attrs, error: str | None = None, dim: int = 1
) -> Tensor:
    """Record a batch or instance norm over dimension ``dim``; ``num_features`` if it has weights or statistics."""
    num_features = attrs.get("num_features")
    shape = shape_of(run, x)
    if shape is None or len(shape) <= dim:
        if shape is not None and error is None and num_features is not None:
            error = f"Expected at least 2 dimensions for input tensor but received {len(shape)}"
        return run.emit(op, [x], [], attrs, error, like=x)[0]
    if error is None and attrs["training"]:
        error = _single_value_error(op, shape, dim)
    if num_features is None or run.demand(shape[dim], num_features):
        return run.emit(op, [x], [], attrs, error, like=x)[0]
    error = error or (
        f"running_mean should contain {shape[dim]} elements not {num_features}"
        if op == "batch_norm"
        else f"expected input's size at dim={dim} to match num_features ({num_features}), but got: {shape[dim]}."
    )
    return run.emit(op, [x], [replaced(shape, dim, num_features)], attrs, error)[0]


def _single_value_error(op: str, shape: Shape, dim: int) -> str | None:
    if op == "instance_norm":
        if product(shape[dim + 1 :]) == 1:
            return f"Expected more than 1 spatial element when training, got input size {show(shape)}"
    elif product((shape[0], *shape[2:])) == 1:
        return f"Expected more than 1 value per channel when training, got input size {show(shape)}"
    return None


def normalize_groups(run: Execution, x: Tensor, attrs: Attrs, *, is_refused: bool = False) -> Tensor:
    """Record a group norm. If its constructor raised, it ``is_refused``: its groups mean nothing."""
    shape = shape_of(run, x)
    if shape is None:
        shape = run.guess_rank(x, 4)
    error = _group_error(run, shape, attrs, is_refused=is_refused)
    if any(symbol.scope == FRESH for symbol in symbols_of(attrs["num_groups"])):
        attrs = {name: value for name, value in attrs.items() if name != "num_groups"}
    return run.emit("group_norm", [x], [], attrs, error, like=x)[0]


def _group_error(run: Execution, shape: Shape, attrs: Attrs, *, is_refused: bool) -> str | None:
    groups, width = attrs["num_groups"], attrs.get("num_features")
    if len(shape) < 2:
        return f"Expected at least 2 dimensions for input tensor but received {len(shape)}"
    if below(groups, 1):
        return "integer division or modulo by zero" if groups == 0 else "num_groups is negative"
    values = plain(divided(plain(shape[0] * shape[1]), groups) * product(shape[2:]))
    if not is_refused and not run.demand(remainder(shape[1], groups), 0):
        return (
            "Expected number of channels in input to be divisible by num_groups, but got input "
            f"of shape {show(shape)} and num_groups={groups}"
        )
    if width is not None and not run.demand(shape[1], width):
        return (
            "Expected weight to be a vector of size equal to the number of channels in input, "
            f"but got weight of shape [{width}] and input of shape {show(shape)}"
        )
    if values == 1:
        return f"Expected more than 1 value per channel when training, got input size {show(shape)}"
    return None


def normalize_last(run: Execution, op: str, x: Tensor, normalized: Shape | None, affine: Value) -> Tensor:
    """Record a norm over the last dimensions: ``layer_norm`` or ``rms_norm``."""
    attrs: Attrs = {"affine": affine}
    if normalized is None:
        return run.emit(op, [x], [], attrs, like=x)[0]
    attrs["normalized_shape"] = normalized
    shape, error, text = shape_of(run, x), None, show(normalized)
    if shape is not None and not normalized:
        error = f"Expected normalized_shape to be at least 1-dimensional, but got {text}"
    elif shape is not None and (
        len(normalized) > len(shape) or not all(map(run.demand, shape[-len(normalized) :], normalized))
    ):
        error = (
            f"Given normalized_shape={text}, expected input with shape [*, {text[1:]}, but got "
            f"input of size{show(shape)}"
        )
    return run.emit(op, [x], [], attrs, error, like=x)[0]


def shape_argument(run: Execution, value: Value) -> Shape | None:
    """Return a ``normalized_shape``; None if its length is unknown."""
    size = as_number(value)
    if size is not None:
        return (size,)
    return tuple([size_of(run, item) for item in value]) if is_sequence(value) else None


# --- functions


def _note_width(run: Execution, attrs: Attrs, *values: Value) -> None:
    """Set ``num_features`` to the length of the first vector among values."""
    shapes = [shape_of(run, value) for value in values if type(value) is Tensor]
    lengths = [shape[0] for shape in shapes if shape is not None and len(shape) == 1]
    if lengths:
        attrs["num_features"] = lengths[0]


def _own_norm(run: Execution, *values: Value) -> Instance | None:
    """Return the module that runs if it is a norm of torch, derived from it, that applies its own statistics."""
    owner = run.owner
    if run.layer is not None or owner is None or "Norm" not in (owner.kind or ""):
        return run.layer
    own = [owner.attrs.get(name) for name in ("running_mean", "weight")]
    return (
        owner if any(type(value) is Tensor and value is mine for value, mine in zip(values, own, strict=True)) else None
    )


_BATCH = "input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05"


@operation("F.batch_norm", signature=_BATCH, op="batch_norm")
def _batch_norm(run: Execution, op: str, input: Tensor, running_mean: Value, weight: Value, training: Value) -> Value:
    attrs: Attrs = {
        "affine": type(weight) is Tensor,
        "track_running_stats": type(running_mean) is Tensor,
        "training": training is True,
    }
    _note_width(run, attrs, running_mean, weight)
    outer, run.layer = run.layer, _own_norm(run, running_mean, weight)
    if run.layer is not None and (run.layer.kind or "").endswith("2d") and shape_of(run, input) is None:
        run.require_rank(input, 4)
    try:
        return normalize_channels(run, op, input, attrs)
    finally:
        run.layer = outer


@operation(
    "F.instance_norm",
    signature="input, running_mean=None, running_var=None, weight=None, bias=None, "
    "use_input_stats=True, momentum=0.1, eps=1e-05",
)
def _instance_norm(run: Execution, input: Tensor, running_mean: Value, weight: Value, use_input_stats: Value) -> Value:
    return _batch_norm(run, "instance_norm", input, running_mean, weight, use_input_stats)


@operation("F.group_norm", signature="input, num_groups, weight=None, bias=None, eps=1e-05")
def _group_norm(run: Execution, input: Tensor, num_groups: Value, weight: Value, bias: Value) -> Value:
    attrs: Attrs = {"affine": type(weight) is Tensor, "num_groups": size_of(run, num_groups, "groups")}
    _note_width(run, attrs, weight, bias)
    return normalize_groups(run, input, attrs)


@operation("F.layer_norm", signature="input, normalized_shape, weight=None, bias=None, eps=1e-05", op="layer_norm")
@operation("F.rms_norm", signature="input, normalized_shape, weight=None, eps=None", op="rms_norm")
def _layer_norm(run: Execution, op: str, input: Tensor, normalized_shape: Value, weight: Value) -> Value:
    return normalize_last(run, op, input, shape_argument(run, normalized_shape), type(weight) is Tensor)


@operation("F.local_response_norm", signature="input, size, alpha=0.0001, beta=0.75, k=1.0")
def _local_response_norm(run: Execution, input: Tensor, size: Value) -> Value:
    shape = shape_of(run, input)
    error = None
    if shape is not None and len(shape) < 3:
        error = f"Expected 3D or higher dimensionality input (got {len(shape)} dimensions)"
    elif below(size, 1):
        error = "kernel size should be greater than zero"
    return run.emit("local_response_norm", [input], [], {"size": size}, error, like=input)[0]


@operation("F.normalize", signature="input, p=2.0, dim=1, eps=1e-12, out=None")
def _normalize(run: Execution, input: Tensor, dim: Value) -> Value:
    attrs = {"dim": frozen(dim)}
    return run.emit("normalize", [input], [], attrs, dims_error(run, input, attrs["dim"]), like=input)[0]
