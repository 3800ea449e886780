"""Normalisation as functions, and what their layers share."""

from __future__ import annotations

from typing import Any

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape, Tensor, Value
from convlint.static.torch_shapes.elementwise import misplaced
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizing import (
    below,
    divided,
    frozen,
    number,
    plain,
    product,
    remainder,
    shape_of,
    show,
    size,
    unseen,
)


def by_channel(
    run: Execution,
    op: str,
    x: Tensor,
    width: Num | None,
    attrs: dict[str, Any],
    error: str | None = None,
    *,
    dim: int = 1,
    statistics: bool = False,
) -> Tensor:
    """A norm with one number for each channel. ``width`` is how many it has, None if it has none;
    ``statistics``: it computes them from this batch.
    """
    shape = shape_of(run, x)
    if shape is None or len(shape) <= dim:
        if shape is not None and error is None and width is not None:
            error = f"Expected at least 2 dimensions for input tensor but received {len(shape)}"
        return run.emit(op, [x], [], attrs, error, like=x)[0]
    if error is None and statistics:
        error = _single_value(op, shape, dim)
    if width is None or run.demand(shape[dim], width):
        return run.emit(op, [x], [], attrs, error, like=x)[0]
    error = error or (
        f"running_mean should contain {shape[dim]} elements not {width}"
        if op == "batch_norm"
        else f"expected input's size at dim={dim} to match num_features ({width}), but got: "
        f"{shape[dim]}."
    )
    return run.emit(op, [x], [(*shape[:dim], width, *shape[dim + 1 :])], attrs, error)[0]


def _single_value(op: str, shape: Shape, dim: int) -> str | None:
    if op == "instance_norm":
        if product(shape[dim + 1 :]) == 1:
            return (
                f"Expected more than 1 spatial element when training, got input size {show(shape)}"
            )
    elif product((shape[0], *shape[2:])) == 1:
        return f"Expected more than 1 value per channel when training, got input size {show(shape)}"
    return None


def by_group(
    run: Execution,
    x: Tensor,
    groups: Num,
    width: Num | None,
    attrs: dict[str, Any],
    *,
    refused: bool = False,
) -> Tensor:
    """A group norm; ``width`` is the length of its weight, None if it has none. ``refused``: its
    constructor was told wrong numbers, so that its groups mean nothing.
    """
    shape = shape_of(run, x)
    if shape is None:
        shape = run.guess(x, 4)
    error = None
    if len(shape) < 2:
        error = f"Expected at least 2 dimensions for input tensor but received {len(shape)}"
    elif type(groups) is int and groups <= 0:
        error = "integer division or modulo by zero" if groups == 0 else "num_groups is negative"
    else:
        inside = plain(divided(plain(shape[0] * shape[1]), groups) * product(shape[2:]))
        if not refused and not run.demand(remainder(shape[1], groups), 0):
            error = (
                "Expected number of channels in input to be divisible by num_groups, but got input "
                f"of shape {show(shape)} and num_groups={groups}"
            )
        elif width is not None and not run.demand(shape[1], width):
            error = (
                f"Expected weight to be a vector of size equal to the number of channels in input, "
                f"but got weight of shape [{width}] and input of shape {show(shape)}"
            )
        elif inside == 1:
            error = (
                "Expected more than 1 value per channel when training, got input size "
                f"{show(shape)}"
            )
    return run.emit("group_norm", [x], [], attrs, error, like=x)[0]


def by_shape(
    run: Execution, op: str, x: Tensor, form: Shape | None, attrs: dict[str, Any]
) -> Tensor:
    """A norm over the last dimensions."""
    shape = shape_of(run, x)
    error = None
    if shape is not None and form is not None:
        fits = len(form) <= len(shape) and all(
            run.demand(one, asked) for one, asked in zip(shape[-len(form) :], form, strict=False)
        )
        if not form:
            error = f"Expected normalized_shape to be at least 1-dimensional, but got {show(form)}"
        elif not fits:
            error = (
                f"Given normalized_shape={show(form)}, expected input with shape "
                f"[*, {show(form)[1:]}, but got input of size{show(shape)}"
            )
    return run.emit(op, [x], [], attrs, error, like=x)[0]


# --- functions


def _width(run: Execution, *values: Value) -> Num | None:
    for value in values:
        if type(value) is Tensor:
            shape = shape_of(run, value)
            if shape is not None and len(shape) == 1:
                return shape[0]
    return None


@operation("F.batch_norm")
def _batch_norm(
    run: Execution,
    input: Value,
    running_mean: Value,
    running_var: Value,
    weight: Value = None,
    bias: Value = None,
    training: Value = False,
    momentum: Value = 0.1,
    eps: Value = 1e-05,
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    width = _width(run, running_mean, weight)
    attrs = {
        "affine": type(weight) is Tensor,
        "track_running_stats": type(running_mean) is Tensor,
        "training": training is True,
    }
    if width is not None:
        attrs["num_features"] = width  # type: ignore[assignment]
    return by_channel(run, "batch_norm", input, width, attrs, statistics=training is True)


@operation("F.instance_norm")
def _instance_norm(
    run: Execution,
    input: Value,
    running_mean: Value = None,
    running_var: Value = None,
    weight: Value = None,
    bias: Value = None,
    use_input_stats: Value = True,
    momentum: Value = 0.1,
    eps: Value = 1e-05,
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    width = _width(run, running_mean, weight)
    attrs: dict[str, Any] = {
        "affine": type(weight) is Tensor,
        "track_running_stats": type(running_mean) is Tensor,
        "training": use_input_stats is True,
    }
    if width is not None:
        attrs["num_features"] = width
    return by_channel(run, "instance_norm", input, width, attrs, statistics=use_input_stats is True)


@operation("F.group_norm")
def _group_norm(
    run: Execution,
    input: Value,
    num_groups: Value,
    weight: Value = None,
    bias: Value = None,
    eps: Value = 1e-05,
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    groups = size(run, num_groups, "groups")
    width = _width(run, weight, bias)
    attrs: dict[str, Any] = {"affine": type(weight) is Tensor, "num_groups": groups}
    if width is not None:
        attrs["num_features"] = width
    return by_group(run, input, groups, width, attrs)


def form(run: Execution, value: Value) -> Shape | None:
    """A ``normalized_shape``; None where not even its length is known."""
    one = number(value)
    if one is not None:
        return (one,)
    if type(value) in (tuple, list):
        return tuple([size(run, item) for item in value])
    return None


@operation("F.layer_norm")
def _layer_norm(
    run: Execution,
    input: Value,
    normalized_shape: Value,
    weight: Value = None,
    bias: Value = None,
    eps: Value = 1e-05,
) -> Value:
    return _over_shape(run, "layer_norm", input, normalized_shape, weight)


@operation("F.rms_norm")
def _rms_norm(
    run: Execution,
    input: Value,
    normalized_shape: Value,
    weight: Value = None,
    eps: Value = None,
) -> Value:
    return _over_shape(run, "rms_norm", input, normalized_shape, weight)


def _over_shape(run: Execution, op: str, x: Value, normalized_shape: Value, weight: Value) -> Value:
    if type(x) is not Tensor:
        return unseen(run, x)
    asked = form(run, normalized_shape)
    attrs: dict[str, Any] = {"affine": type(weight) is Tensor}
    if asked is not None:
        attrs["normalized_shape"] = asked
    return by_shape(run, op, x, asked, attrs)


@operation("F.local_response_norm")
def _local_response_norm(
    run: Execution,
    input: Value,
    size: Value,
    alpha: Value = 0.0001,
    beta: Value = 0.75,
    k: Value = 1.0,
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape = shape_of(run, input)
    error = None
    if shape is not None and len(shape) < 3:
        error = f"Expected 3D or higher dimensionality input (got {len(shape)} dimensions)"
    elif type(size) is int and below(size, 1):
        error = "kernel size should be greater than zero"
    return run.emit("local_response_norm", [input], [], {"size": size}, error, like=input)[0]


@operation("F.normalize")
def _normalize(
    run: Execution,
    input: Value,
    p: Value = 2.0,
    dim: Value = 1,
    eps: Value = 1e-12,
    out: Value = None,
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    error = misplaced(run, input, frozen(dim))
    return run.emit("normalize", [input], [], {"dim": frozen(dim)}, error, like=input)[0]
