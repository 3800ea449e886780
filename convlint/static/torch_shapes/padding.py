"""Padding: ``F.pad`` and the layers that pad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Shape, Tensor, Value, has_more
from convlint.static.torch_shapes.registry import LAYERS, LayerKind, operation
from convlint.static.torch_shapes.sizing import (
    below,
    number,
    plain,
    shape_of,
    show,
    size,
    sizes,
    unseen,
)


def pad(run: Execution, x: Tensor, around: tuple[Num, ...], mode: Value) -> Tensor:
    """Pad ``x``: pairs of numbers, those of the last dimension first."""
    count = len(around) // 2
    shape = shape_of(run, x, None if mode == "constant" else count + 2)
    attrs = {"pad": around, "mode": mode}
    if shape is None:
        return run.emit("pad", [x], [None], attrs)[0]
    error = _refused(shape, around, mode)
    if count > len(shape) or len(around) % 2:
        return run.emit("pad", [x], [shape], attrs, error)[0]
    result = list(shape)
    for back in range(count):
        left, right = around[2 * back], around[2 * back + 1]
        result[-1 - back] = plain(result[-1 - back] + left + right)
    if error is not None:
        result = [1 if below(one, 1) else one for one in result]
    return run.emit("pad", [x], [tuple(result)], attrs, error)[0]


def _refused(shape: Shape, around: tuple[Num, ...], mode: Value) -> str | None:
    count = len(around) // 2
    if len(around) % 2:
        return "Padding length must be divisible by 2"
    if count > len(shape):
        return (
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(around)} and input of dimension {len(shape)}"
        )
    if mode not in ("constant", "reflect", "replicate", "circular"):
        return f"Unrecognised padding mode {mode}" if type(mode) is str else None
    if mode != "constant" and (count > 3 or len(shape) not in (count + 1, count + 2)):
        return "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
    after: list[Num] = []
    for back in range(count):
        left, right, one = around[2 * back], around[2 * back + 1], shape[-1 - back]
        at = f"({left}, {right}) at dimension {len(shape) - 1 - back} of input {show(shape)}"
        after.append(plain(one + left + right))
        if below(after[-1], 0):
            return f"Padding size {at} results in an output that is too small"
        for one_side in (left, right):
            if mode == "reflect" and below(plain(one - one_side), 1):
                return (
                    "Padding size should be less than the corresponding input dimension, but got: "
                    f"padding {at}"
                )
            if mode == "circular" and below(plain(one - one_side), 0):
                return f"Padding value causes wrapping around more than once: padding {at}"
    if mode in ("reflect", "replicate") and all(below(one, 1) for one in after):
        return f"input {show(shape)} is too small: the padded output is {show(after[::-1])}"
    return None


@operation("F.pad")
def _pad(
    run: Execution, input: Value, pad: Value, mode: Value = "constant", value: Value = None
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    if type(pad) not in (tuple, list) or has_more(pad):
        shape = shape_of(run, input)
        result = None if shape is None else tuple([run.fresh("size") for _ in shape])
        return run.emit("pad", [input], [result], {"mode": mode})[0]
    return _padded(run, input, tuple([size(run, one, "padding") for one in pad]), mode)


_padded = pad


def _construct(spatial: int) -> Callable[..., dict[str, Value]]:
    def construct(run: Execution, padding: Value) -> dict[str, Value]:
        return {"padding": _pairs(run, padding, spatial)}

    return construct


def _construct_constant(spatial: int) -> Callable[..., dict[str, Value]]:
    def construct(run: Execution, padding: Value, value: Value) -> dict[str, Value]:
        return {"padding": _pairs(run, padding, spatial), "value": value}

    return construct


def _pairs(run: Execution, padding: Value, spatial: int) -> Any:
    if number(padding) is None and type(padding) not in (tuple, list):
        return sizes(run, padding, 2 * spatial, "padding")
    if type(padding) in (tuple, list) and len(padding) != 2 * spatial:
        return tuple([size(run, one, "padding") for one in padding])
    return sizes(run, padding, 2 * spatial, "padding")


def _forward(mode: str) -> Callable[..., Value]:
    def forward(run: Execution, layer: Instance, input: Value) -> Value:
        if type(input) is not Tensor:
            return unseen(run, input)
        around = layer.attrs["padding"]
        if shape_of(run, input) is None:  # an image is padded
            run.of_rank(input, len(around) // 2 + 2)
        return pad(run, input, around, mode)

    return forward


for _n in (1, 2, 3):
    LAYERS[f"ZeroPad{_n}d"] = LayerKind(_construct(_n), _forward("constant"))
    LAYERS[f"ConstantPad{_n}d"] = LayerKind(_construct_constant(_n), _forward("constant"))
    for _name, _mode in (
        ("ReflectionPad", "reflect"),
        ("ReplicationPad", "replicate"),
        ("CircularPad", "circular"),
    ):
        LAYERS[f"{_name}{_n}d"] = LayerKind(_construct(_n), _forward(_mode))
