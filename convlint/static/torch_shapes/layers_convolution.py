"""The convolutions of ``torch.nn``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from convlint.static.domain.execution import Execution, Refused
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Handler, Num, Tensor, Value
from convlint.static.torch_shapes import convolution
from convlint.static.torch_shapes.convolution import Convolution
from convlint.static.torch_shapes.padding import pad
from convlint.static.torch_shapes.registry import LAYERS, LayerKind
from convlint.static.torch_shapes.sizing import (
    below,
    divided,
    plain,
    remainder,
    shape_of,
    show,
    sizes,
    unseen,
)
from convlint.static.torch_shapes.words import Attrs, count, parameter, present, refuse_sizes

_MODES = ("zeros", "reflect", "replicate", "circular")


def _built(
    run: Execution,
    spatial: int,
    channels: tuple[Value, Value, Value],
    windows: tuple[Value, Value, Value, Value],
    bias: Value,
    padding_mode: Value,
    output_padding: Value = None,
) -> Attrs:
    """The attributes of a layer from its arguments: channels in, out and groups; kernel, stride,
    padding and dilation. ``in_channels`` is None for a lazy layer.
    """
    transposed = output_padding is not None
    into, out, groups = channels
    kernel_size, stride, padding, dilation = windows
    attrs: Attrs = {
        "in_channels": None if into is None else count(run, into, "channels"),
        "out_channels": count(run, out, "channels"),
        "kernel_size": sizes(run, kernel_size, spatial, "kernel"),
        "stride": sizes(run, stride, spatial, "stride"),
        "padding": padding if type(padding) is str else sizes(run, padding, spatial, "padding"),
        "dilation": sizes(run, dilation, spatial, "dilation"),
        "groups": count(run, groups, "groups"),
        "padding_mode": padding_mode,
        "transposed": transposed,
        "output_padding": sizes(run, output_padding, spatial, "padding")
        if transposed
        else (0,) * spatial,
    }
    attrs["bias"] = parameter(run, bias, (attrs["out_channels"],))
    attrs["weight"] = None if into is None else run.tensor(_weight(attrs))
    _refuse(run, attrs, [value for value in channels if value is not None])
    return attrs


def _refuse(run: Execution, attrs: Attrs, asked: list[Value]) -> None:
    """Raise Refused as the constructor would raise."""
    groups = attrs["groups"]
    if below(groups, 1):
        raise Refused("groups must be a positive integer", attrs)
    if groups != 1:
        lazy = attrs["in_channels"] is None  # it looks at its numbers when it is called
        for name in () if lazy else ("in_channels", "out_channels"):
            if not run.demand(remainder(attrs[name], groups), 0):
                raise Refused(f"{name} must be divisible by groups", attrs)
    padding, mode = attrs["padding"], attrs["padding_mode"]
    if type(padding) is str:
        if padding not in ("same", "valid"):
            raise Refused(
                f"Invalid padding string {padding!r}, should be one of {{'valid', 'same'}}", attrs
            )
        if padding == "same" and any(type(one) is int and one != 1 for one in attrs["stride"]):
            raise Refused("padding='same' is not supported for strided convolutions", attrs)
    if type(mode) is str and mode not in _MODES:
        raise Refused(
            f"padding_mode must be one of {set(_MODES)}, but got padding_mode='{mode}'", attrs
        )
    if attrs["transposed"] and type(mode) is str and mode != "zeros":
        raise Refused('Only "zeros" padding mode is supported for ConvTranspose', attrs)
    refuse_sizes([*asked, *attrs["kernel_size"]], attrs)


def _weight(attrs: Attrs) -> tuple[Num, ...]:
    """The shape of the weight that goes with the numbers of a layer."""
    into, out, groups = attrs["in_channels"], attrs["out_channels"], attrs["groups"]
    first, second = (into, out) if attrs["transposed"] else (out, into)
    return (first, second if groups == 1 else divided(second, groups), *attrs["kernel_size"])


def _construct(spatial: int) -> Callable[..., Attrs]:
    def construct(
        run: Execution,
        in_channels: Value,
        out_channels: Value,
        kernel_size: Value,
        stride: Value = 1,
        padding: Value = 0,
        dilation: Value = 1,
        groups: Value = 1,
        bias: Value = True,
        padding_mode: Value = "zeros",
        device: Value = None,
        dtype: Value = None,
    ) -> Attrs:
        channels = in_channels, out_channels, groups
        windows = kernel_size, stride, padding, dilation
        return _built(run, spatial, channels, windows, bias, padding_mode)

    return construct


def _construct_transposed(spatial: int) -> Callable[..., Attrs]:
    def construct(
        run: Execution,
        in_channels: Value,
        out_channels: Value,
        kernel_size: Value,
        stride: Value = 1,
        padding: Value = 0,
        output_padding: Value = 0,
        groups: Value = 1,
        bias: Value = True,
        dilation: Value = 1,
        padding_mode: Value = "zeros",
        device: Value = None,
        dtype: Value = None,
    ) -> Attrs:
        channels = in_channels, out_channels, groups
        windows = kernel_size, stride, padding, dilation
        return _built(run, spatial, channels, windows, bias, padding_mode, output_padding)

    return construct


def _construct_lazy(spatial: int) -> Callable[..., Attrs]:
    def construct(
        run: Execution,
        out_channels: Value,
        kernel_size: Value,
        stride: Value = 1,
        padding: Value = 0,
        dilation: Value = 1,
        groups: Value = 1,
        bias: Value = True,
        padding_mode: Value = "zeros",
        device: Value = None,
        dtype: Value = None,
    ) -> Attrs:
        channels = None, out_channels, groups
        windows = kernel_size, stride, padding, dilation
        return _built(run, spatial, channels, windows, bias, padding_mode)

    return construct


def _construct_lazy_transposed(spatial: int) -> Callable[..., Attrs]:
    def construct(
        run: Execution,
        out_channels: Value,
        kernel_size: Value,
        stride: Value = 1,
        padding: Value = 0,
        output_padding: Value = 0,
        groups: Value = 1,
        bias: Value = True,
        dilation: Value = 1,
        padding_mode: Value = "zeros",
        device: Value = None,
        dtype: Value = None,
    ) -> Attrs:
        channels = None, out_channels, groups
        windows = kernel_size, stride, padding, dilation
        return _built(run, spatial, channels, windows, bias, padding_mode, output_padding)

    return construct


# --- forward


def _numbers(run: Execution, layer: Instance, x: Tensor) -> Convolution:
    """The numbers of a layer now. Where its weight was replaced, those of the weight."""
    attrs = layer.attrs
    spatial = len(attrs["kernel_size"])
    if attrs["in_channels"] is None:  # a lazy layer becomes an ordinary one
        into = shape_of(run, x, spatial + 2) or ()
        arrives = into[-spatial - 1] if len(into) > spatial else run.fresh("channels")
        attrs["in_channels"] = arrives
        attrs["weight"] = run.tensor(_weight(attrs))
    conv = Convolution(
        attrs["in_channels"],
        attrs["out_channels"],
        attrs["kernel_size"],
        attrs["stride"],
        attrs["padding"],
        attrs["dilation"],
        attrs["groups"],
        present(attrs["bias"]),
        attrs["transposed"],
        attrs["output_padding"] if attrs["transposed"] else (),
    )
    weight = attrs["weight"]
    shape = weight.shape if type(weight) is Tensor else None
    if shape is None or len(shape) != spatial + 2 or shape == _weight(attrs):
        return conv
    one, other = shape[0], plain(shape[1] * conv.groups)
    if not conv.transposed:
        one, other = other, one
    return replace(conv, in_channels=one, out_channels=other, kernel_size=shape[2:])


def _forward(run: Execution, layer: Instance, input: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    lazy = layer.attrs["in_channels"] is None
    conv = _numbers(run, layer, input)
    error = _indivisible(run, conv) if lazy else None
    if layer.attrs["padding_mode"] != "zeros" and layer.error is None:
        input = pad(run, input, _around(run, conv), layer.attrs["padding_mode"])
        conv = replace(conv, padding=(0,) * conv.spatial)
    return convolution.call(run, input, conv, error)


def _indivisible(run: Execution, conv: Convolution) -> str | None:
    """What a lazy layer says when it first meets an input."""
    if not run.demand(remainder(conv.in_channels, conv.groups), 0):
        return "in_channels must be divisible by groups"
    if not conv.transposed and not run.demand(remainder(conv.out_channels, conv.groups), 0):
        return f"Given groups={conv.groups}, expected weight to be divisible by {conv.groups}"
    return None


def _around(run: Execution, conv: Convolution) -> tuple[Num, ...]:
    """What a layer with another mode than zeros pads, as ``F.pad`` takes it."""
    around: list[Num] = []
    for at in reversed(range(conv.spatial)):
        if conv.padding == "same":
            whole = plain(conv.dilation[at] * (conv.kernel_size[at] - 1))
            around += [divided(whole, 2), plain(whole - divided(whole, 2))]
        elif isinstance(conv.padding, str):
            around += [0, 0]
        else:
            around += [conv.padding[at]] * 2
    return tuple(around)


def _forward_transposed(
    run: Execution, layer: Instance, input: Value, output_size: Value = None
) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    lazy = layer.attrs["in_channels"] is None
    conv = _numbers(run, layer, input)
    error = _indivisible(run, conv) if lazy else None
    if output_size is not None:
        error = _to_size(run, input, conv, output_size) or error
    return convolution.call(run, input, conv, error)


def _to_size(run: Execution, x: Tensor, conv: Convolution, output_size: Value) -> str | None:
    """Set the output padding that gives ``output_size``; what PyTorch says if none does."""
    spatial = conv.spatial
    shape = shape_of(run, x, spatial + 2) or ()
    asked = output_size
    if type(asked) in (tuple, list):
        asked = asked[-spatial:] if len(asked) > spatial else asked
    wanted = sizes(run, asked, spatial, "size")
    if len(shape) not in (spatial + 1, spatial + 2):
        return None
    conv.output_padding = (0,) * spatial
    least = convolution.unpooled(shape[-spatial:], conv)
    conv.output_padding = tuple([plain(w - one) for w, one in zip(wanted, least, strict=True)])
    for more, step in zip(conv.output_padding, conv.stride, strict=True):
        if type(more) is int and (more < 0 or (type(step) is int and more >= step)):
            most = tuple([plain(one + s - 1) for one, s in zip(least, conv.stride, strict=True)])
            conv.output_padding = (0,) * spatial
            return (
                f"requested an output size of {show(wanted)}, but valid sizes range from "
                f"{show(least)} to {show(most)}"
            )
    return None


def _register(spatial: int) -> None:
    forward: Handler
    for name, construct, lazy, forward in (
        ("Conv", _construct, _construct_lazy, _forward),
        (
            "ConvTranspose",
            _construct_transposed,
            _construct_lazy_transposed,
            _forward_transposed,
        ),
    ):
        LAYERS[f"{name}{spatial}d"] = LayerKind(construct(spatial), forward)
        LAYERS[f"Lazy{name}{spatial}d"] = LayerKind(lazy(spatial), forward)


for _n in (1, 2, 3):
    _register(_n)
