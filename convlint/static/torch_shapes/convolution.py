"""Convolutions, transposed ones included, as functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convlint import symbolic
from convlint.analysis import ops
from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Handler, Num, Shape, Tensor, Value
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizing import (
    below,
    divided,
    plain,
    remainder,
    shape_of,
    show,
    size,
    sizes,
    unseen,
)

Padding = tuple[Num, ...] | str


@dataclass(slots=True)
class Convolution:
    """The numbers of a convolution. ``bias`` is True, False, or a value that is not decided."""

    in_channels: Num
    out_channels: Num
    kernel_size: tuple[Num, ...]
    stride: tuple[Num, ...]
    padding: Padding
    dilation: tuple[Num, ...]
    groups: Num
    bias: Value
    transposed: bool = False
    output_padding: tuple[Num, ...] = ()

    @property
    def spatial(self) -> int:
        return len(self.kernel_size)

    @property
    def op(self) -> str:
        return f"conv{'_transpose' if self.transposed else ''}{self.spatial}d"

    def attrs(self) -> dict[str, Any]:
        """The numbers as ``Node.attrs`` has them."""
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
            "bias": self.bias,
            "transposed": self.transposed,
            "output_padding": self.output_padding or (0,) * self.spatial,
        }


def call(run: Execution, x: Tensor, conv: Convolution, error: str | None = None) -> Tensor:
    """Convolve ``x``. ``error`` is what PyTorch says of the arguments alone."""
    spatial = conv.spatial
    shape = shape_of(run, x, spatial + 2)
    assert shape is not None
    if len(shape) not in (spatial + 1, spatial + 2):
        error = error or (
            f"Expected {spatial + 1}D (unbatched) or {spatial + 2}D (batched) input to "
            f"{conv.op}, but got input of size: {show(shape)}"
        )
        unknown = tuple([run.fresh("size") for _ in range(spatial)])
        batch = shape[:1] if len(shape) > spatial else ()
        result = (*batch, conv.out_channels, *unknown)
        return run.emit(conv.op, [x], [result], conv.attrs(), error)[0]
    channels, around = shape[-spatial - 1], shape[-spatial:]
    fits = run.demand(channels, conv.in_channels)
    if not fits and error is None:
        error = _wrong_channels(shape, channels, conv)
    error = error or _bad_argument(conv)
    moved = unpooled(around, conv) if conv.transposed else _moved(around, conv)
    if error is None:
        error = _too_small(around, moved, conv)
    if error is not None:
        moved = tuple([1 if below(one, 1) else one for one in moved])
    result = (*shape[: -spatial - 1], conv.out_channels, *moved)
    return run.emit(conv.op, [x], [result], conv.attrs(), error)[0]


def _wrong_channels(shape: Shape, channels: Num, conv: Convolution) -> str:
    first, second = conv.out_channels, divided(conv.in_channels, conv.groups)
    if conv.transposed:
        first, second = conv.in_channels, divided(conv.out_channels, conv.groups)
    weight = show((first, second, *conv.kernel_size))
    return (
        f"Given {'transposed=1' if conv.transposed else f'groups={conv.groups}'}, weight of size "
        f"{weight}, expected input{show(shape)} to have {conv.in_channels} channels, but got "
        f"{channels} channels instead"
    )


def _bad_argument(conv: Convolution) -> str | None:
    first = conv.in_channels if conv.transposed else conv.out_channels
    if type(first) is int and type(conv.groups) is int and first < conv.groups:
        return (
            f"Given groups={conv.groups}, expected weight to be at least {conv.groups} at "
            f"dimension 0, but got weight of size [{first}, ...] instead"
        )
    if any(below(one, 1) for one in conv.kernel_size):
        return "kernel size should be greater than zero"
    if any(below(one, 1) for one in conv.stride):
        return "non-positive stride is not supported"
    if not conv.transposed and any(below(one, 1) for one in conv.dilation):
        return "dilation should be greater than zero"
    if isinstance(conv.padding, str):
        if conv.padding == "same" and any(type(one) is int and one != 1 for one in conv.stride):
            return "padding='same' is not supported for strided convolutions"
    elif any(below(one, 0) for one in conv.padding):
        return "negative padding is not supported"
    if conv.transposed:
        if any(below(one, 0) for one in conv.output_padding):
            return "negative output_padding is not supported"
        for more, step, spread in zip(conv.output_padding, conv.stride, conv.dilation, strict=True):
            if _at_least(more, step) and _at_least(more, spread):
                return (
                    "output padding must be smaller than either stride or dilation, but got "
                    f"output_padding: {more} stride: {step} dilation: {spread}"
                )
    return None


def _at_least(one: Num, other: Num) -> bool:
    """Whether one number is known to be no less than another."""
    return type(one) is int and type(other) is int and one >= other


def _moved(around: Shape, conv: Convolution) -> tuple[Num, ...]:
    """The size of the map that a convolution gives."""
    if conv.padding == "same":
        return tuple(around)
    padding = (0,) * conv.spatial if isinstance(conv.padding, str) else conv.padding
    return tuple(
        [
            window(one, kernel, step, pad, spread)
            for one, kernel, step, pad, spread in zip(
                around, conv.kernel_size, conv.stride, padding, conv.dilation, strict=True
            )
        ]
    )


def window(one: Num, kernel: Num, step: Num, pad: Num, spread: Num) -> Num:
    """The output size of a convolution along a dimension; unknown where the stride is 0."""
    if type(step) is int and step == 0:
        return symbolic.UNKNOWN
    return plain(ops.output_size(one, kernel, step, pad, spread))


def unpooled(around: Shape, conv: Convolution) -> tuple[Num, ...]:
    """The size of the map that a transposed convolution gives."""
    padding = (0,) * conv.spatial if isinstance(conv.padding, str) else conv.padding
    return tuple(
        [
            plain(ops.transposed_output_size(one, kernel, step, pad, spread, more))
            for one, kernel, step, pad, spread, more in zip(
                around,
                conv.kernel_size,
                conv.stride,
                padding,
                conv.dilation,
                conv.output_padding,
                strict=True,
            )
        ]
    )


def _too_small(around: Shape, moved: tuple[Num, ...], conv: Convolution) -> str | None:
    if conv.transposed:
        if any(below(one, 0) for one in moved):
            return (
                f"Given input size per channel: {show(around)}. Calculated output size per "
                f"channel: {show(moved)}. Output size is too small"
            )
        return None
    if isinstance(conv.padding, str) and conv.padding == "same":
        return None
    padding = (0,) * conv.spatial if isinstance(conv.padding, str) else conv.padding
    padded = tuple([plain(one + 2 * pad) for one, pad in zip(around, padding, strict=True)])
    spans = tuple(
        [
            plain(ops.kernel_extent(k, d))
            for k, d in zip(conv.kernel_size, conv.dilation, strict=True)
        ]
    )
    if any(_at_least(s, plain(p + 1)) for p, s in zip(padded, spans, strict=True)):
        return (
            f"Calculated padded input size per channel: {show(padded)}. Kernel size: "
            f"{show(spans)}. Kernel size can't be greater than actual input size"
        )
    return None


# --- functions


def _of_weight(
    run: Execution,
    x: Value,
    weight: Value,
    bias: Value,
    numbers: tuple[Value, Value, Value, Value],
    spatial: int,
    output_padding: Value = None,
) -> Value:
    stride, padding, dilation, groups = numbers
    transposed = output_padding is not None
    if type(x) is not Tensor or type(weight) is not Tensor:
        return unseen(run, x, weight, bias)
    form = shape_of(run, weight, spatial + 2)
    assert form is not None
    groups = size(run, groups, "groups")
    error = None
    if len(form) != spatial + 2:
        error = f"expected {spatial + 2}-dimensional weight, but got weight of size {show(form)}"
        form = tuple([run.fresh("size") for _ in range(spatial + 2)])
    first, second = form[0], plain(form[1] * groups)
    if below(groups, 1):
        error = error or "non-positive groups is not supported"
    elif type(remainder(first, groups)) is int and remainder(first, groups) != 0:
        error = error or (
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size {show(form)} instead"
        )
    given: Value = bias is not None if bias is None or type(bias) is Tensor else UNKNOWN
    out = second if transposed else first
    if type(bias) is Tensor:
        held = shape_of(run, bias)
        if held is not None and (len(held) != 1 or not run.demand(held[0], out)):
            error = error or f"expected bias of size [{out}], but got bias of size {show(held)}"
    conv = Convolution(
        first if transposed else second,
        out,
        form[2:],
        sizes(run, stride, spatial, "stride"),
        padding if type(padding) is str else sizes(run, padding, spatial, "padding"),
        sizes(run, dilation, spatial, "dilation"),
        groups,
        given,
        transposed,
        sizes(run, output_padding, spatial, "padding") if transposed else (),
    )
    if type(padding) is str and (padding not in ("same", "valid") or transposed):
        error = error or f"Invalid padding string {padding!r}, should be one of 'same', 'valid'"
    return call(run, x, conv, error)


def _convolution(spatial: int) -> Handler:
    def convolution(
        run: Execution,
        input: Value,
        weight: Value,
        bias: Value = None,
        stride: Value = 1,
        padding: Value = 0,
        dilation: Value = 1,
        groups: Value = 1,
    ) -> Value:
        numbers = stride, padding, dilation, groups
        return _of_weight(run, input, weight, bias, numbers, spatial)

    return convolution


def _transposed_convolution(spatial: int) -> Handler:
    def convolution(
        run: Execution,
        input: Value,
        weight: Value,
        bias: Value = None,
        stride: Value = 1,
        padding: Value = 0,
        output_padding: Value = 0,
        groups: Value = 1,
        dilation: Value = 1,
    ) -> Value:
        numbers = stride, padding, dilation, groups
        return _of_weight(run, input, weight, bias, numbers, spatial, output_padding)

    return convolution


for _n in (1, 2, 3):
    operation(f"F.conv{_n}d", f"conv{_n}d")(_convolution(_n))
    operation(f"F.conv_transpose{_n}d", f"conv_transpose{_n}d")(_transposed_convolution(_n))
