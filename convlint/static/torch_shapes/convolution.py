"""Convolutions, transposed ones included, as functions."""

from __future__ import annotations

from convlint.analysis import ops
from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Shape, Tensor, Value
from convlint.static.torch_shapes.arguments import Attrs, fresh_sizes, is_given, is_present, size, sizes, unknown_result
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizes import any_below, divided, plain, remainder, shape_of, shape_of_rank, show
from convlint.static.torch_shapes.windows import at_least_one, grid, window_sizes
from convlint.support.dataclass import dataclass


@dataclass(slots=True, repr=False)
class Convolution:
    """The arguments of a convolution. ``bias`` is True, False, or a value that is unknown."""

    in_channels: Num
    out_channels: Num
    kernel_size: Shape
    stride: Shape
    padding: Shape | str
    dilation: Shape
    groups: Num
    bias: Value
    transposed: bool
    output_padding: Shape

    @classmethod
    def of_layer(cls, attrs: Attrs) -> Convolution:
        """Read the arguments from the attributes of a layer."""
        conv = cls(*[attrs[name] for name in _FIELDS])
        conv.bias = is_present(conv.bias)
        return conv

    @property
    def spatial(self) -> int:
        return len(self.kernel_size)

    @property
    def op(self) -> str:
        return f"conv{'_transpose' if self.transposed else ''}{self.spatial}d"

    @property
    def numeric_padding(self) -> Shape:
        """The padding of each dimension; 0 for ``valid``, and for ``same``, which has its own rule."""
        return (0,) * self.spatial if isinstance(self.padding, str) else self.padding

    def attrs(self) -> Attrs:
        """Return the arguments as ``Node.attrs`` has them."""
        return {name: getattr(self, name) for name in _FIELDS}

    def output_size(self, image: Shape) -> Shape:
        """Return the spatial size of the output."""
        if self.padding == "same":
            return image
        window = self.kernel_size, self.stride, self.numeric_padding, self.dilation
        if not self.transposed:
            return grid(image, window)
        windows = zip(image, *window, self.output_padding, strict=True)
        return tuple([plain(ops.transposed_output_size(*numbers)) for numbers in windows])


_FIELDS: tuple[str, ...] = Convolution.__match_args__


def convolve(run: Execution, x: Tensor, conv: Convolution, error: str | None = None) -> Tensor:
    """Record a convolution. ``error`` is PyTorch's error for the arguments alone."""
    spatial = conv.spatial
    shape = shape_of_rank(run, x, spatial + 2)
    if len(shape) not in (spatial + 1, spatial + 2):
        error = error or (
            f"Expected {spatial + 1}D (unbatched) or {spatial + 2}D (batched) input to "
            f"{conv.op}, but got input of size: {show(shape)}"
        )
        batch = shape[:1] if len(shape) > spatial else ()
        result = (*batch, conv.out_channels, *fresh_sizes(run, spatial))
        return run.emit(conv.op, [x], [result], conv.attrs(), error)[0]
    channels, image = shape[-spatial - 1], shape[-spatial:]
    if not run.demand(channels, conv.in_channels) and error is None:
        error = _channels_error(shape, channels, conv)
    error = error or _argument_error(conv)
    output = conv.output_size(image)
    error = error or _too_small(image, output, conv)
    output = output if error is None else at_least_one(output)
    result = (*shape[: -spatial - 1], conv.out_channels, *output)
    return run.emit(conv.op, [x], [result], conv.attrs(), error)[0]


def _channels_error(shape: Shape, channels: Num, conv: Convolution) -> str:
    first, second = conv.out_channels, divided(conv.in_channels, conv.groups)
    if conv.transposed:
        first, second = conv.in_channels, divided(conv.out_channels, conv.groups)
    weight = show((first, second, *conv.kernel_size))
    return (
        f"Given {'transposed=1' if conv.transposed else f'groups={conv.groups}'}, weight of size {weight}, expected "
        f"input{show(shape)} to have {conv.in_channels} channels, but got {channels} channels instead"
    )


def _argument_error(conv: Convolution) -> str | None:
    first = conv.in_channels if conv.transposed else conv.out_channels
    if type(first) is int and type(conv.groups) is int and first < conv.groups:
        return (
            f"Given groups={conv.groups}, expected weight to be at least {conv.groups} at "
            f"dimension 0, but got weight of size [{first}, ...] instead"
        )
    if any_below(conv.kernel_size, 1):
        return "kernel size should be greater than zero"
    if any_below(conv.stride, 1):
        return "non-positive stride is not supported"
    if not conv.transposed and any_below(conv.dilation, 1):
        return "dilation should be greater than zero"
    if isinstance(conv.padding, str):
        if conv.padding == "same" and has_stride(conv.stride):
            return "padding='same' is not supported for strided convolutions"
    elif any_below(conv.padding, 0):
        return "negative padding is not supported"
    return _output_padding_error(conv) if conv.transposed else None


def has_stride(stride: Shape) -> bool:
    """Return whether a stride is known to differ from 1."""
    return any(type(step) is int and step != 1 for step in stride)


def _output_padding_error(conv: Convolution) -> str | None:
    if any_below(conv.output_padding, 0):
        return "negative output_padding is not supported"
    for extra, stride, dilation in zip(conv.output_padding, conv.stride, conv.dilation, strict=True):
        if _at_least(extra, stride) and _at_least(extra, dilation):
            return (
                "output padding must be smaller than either stride or dilation, but got "
                f"output_padding: {extra} stride: {stride} dilation: {dilation}"
            )
    return None


def _at_least(left: Num, right: Num) -> bool:
    """Return whether one number is known to be no less than another."""
    return type(left) is int and type(right) is int and left >= right


def _too_small(image: Shape, output: Shape, conv: Convolution) -> str | None:
    if conv.transposed and any_below(output, 0):
        calculated = f"Calculated output size per channel: {show(output)}. Output size is too small"
        return f"Given input size per channel: {show(image)}. {calculated}"
    if conv.transposed or conv.padding == "same":
        return None
    padded = [plain(size + 2 * pad) for size, pad in zip(image, conv.numeric_padding, strict=True)]
    spans = [plain(ops.kernel_extent(k, d)) for k, d in zip(conv.kernel_size, conv.dilation, strict=True)]
    if any(_at_least(span, plain(size + 1)) for size, span in zip(padded, spans, strict=True)):
        return (
            f"Calculated padded input size per channel: {show(padded)}. Kernel size: "
            f"{show(spans)}. Kernel size can't be greater than actual input size"
        )
    return None


# --- functions


def _convolution(run: Execution, spatial: int, input: Value, weight: Value, bias: Value, arguments: Attrs) -> Value:
    if type(input) is not Tensor or type(weight) is not Tensor:
        return unknown_result(run, input, weight, bias)
    transposed = "output_padding" in arguments
    shape = shape_of_rank(run, weight, spatial + 2)
    groups = size(run, arguments["groups"], "groups")
    error = None
    if len(shape) != spatial + 2:
        error = f"expected {spatial + 2}-dimensional weight, but got weight of size {show(shape)}"
        shape = fresh_sizes(run, spatial + 2)
    first, second = shape[0], plain(shape[1] * groups)
    if any_below([groups], 1):
        error = error or "non-positive groups is not supported"
    elif type(rest := remainder(first, groups)) is int and rest != 0:
        error = error or (
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size {show(shape)} instead"
        )
    in_channels, out_channels = (first, second) if transposed else (second, first)
    if type(bias) is Tensor:
        held = shape_of(run, bias)
        if held is not None and (len(held) != 1 or not run.demand(held[0], out_channels)):
            error = error or f"expected bias of size [{out_channels}], but got bias of size {show(held)}"
    padding = arguments["padding"]
    if type(padding) is str and (padding not in ("same", "valid") or transposed):
        error = error or f"Invalid padding string {padding!r}, should be one of 'same', 'valid'"
    attrs = convolution_attrs(run, spatial, arguments | {"kernel_size": shape[2:]})
    attrs |= {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
    return convolve(run, input, Convolution(**attrs, bias=is_given(bias)), error)


def convolution_attrs(run: Execution, spatial: int, arguments: Attrs) -> Attrs:
    """Return the attributes of a convolution that have one number for each dimension."""
    padding = arguments["padding"]
    if type(padding) is str:
        attrs = window_sizes(run, spatial, arguments | {"padding": 0}) | {"padding": padding}
    else:
        attrs = window_sizes(run, spatial, arguments)
    attrs["transposed"] = "output_padding" in arguments
    attrs["output_padding"] = sizes(run, arguments.get("output_padding", 0), spatial, "padding")
    return attrs


_TRANSPOSED = "output_padding=0, groups=1, dilation=1"
for _n in (1, 2, 3):
    for _name, _options in ((f"conv{_n}d", "dilation=1, groups=1"), (f"conv_transpose{_n}d", _TRANSPOSED)):
        _signature = f"input, weight, bias=None, stride=1, padding=0, {_options}"
        operation(f"F.{_name}", _name, signature=_signature, spatial=_n)(_convolution)
