"""The convolutions of ``torch.nn``."""

from __future__ import annotations

from convlint.static.domain.execution import ConstructorError, Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Tensor, Value
from convlint.static.torch_shapes.arguments import Attrs, check_parameter_sizes, count, is_sequence, parameter, sizes
from convlint.static.torch_shapes.convolution import Convolution, convolution_attrs, convolve, has_stride
from convlint.static.torch_shapes.padding import pad_tensor
from convlint.static.torch_shapes.registry import layer
from convlint.static.torch_shapes.sizes import below, divided, plain, remainder, shape_of_rank, show
from convlint.support.dataclass import replace

_MODES = ("zeros", "reflect", "replicate", "circular")

# --- constructors


def _construct(run: Execution, spatial: int, arguments: Attrs) -> Attrs:
    """Return the attributes of a layer. A lazy one has no argument ``in_channels``."""
    channels = {n: arguments[n] for n in ("in_channels", "out_channels") if n in arguments}
    attrs: Attrs = {"in_channels": None}
    attrs |= {name: count(run, value, "channels") for name, value in channels.items()}
    attrs |= convolution_attrs(run, spatial, arguments)
    attrs["groups"] = count(run, arguments["groups"], "groups")
    attrs["padding_mode"] = arguments["padding_mode"]
    attrs["bias"] = parameter(run, arguments["bias"], (attrs["out_channels"],))
    attrs["weight"] = None if attrs["in_channels"] is None else run.tensor(_weight_shape(attrs))
    for name, value in channels.items():
        if type(value) in (list, tuple, str):
            text = f"unsupported operand type(s) for %: '{type(value).__name__}' and 'int'"
            raise ConstructorError(text, attrs | {name: value})
    _check(run, attrs)
    check_parameter_sizes([*channels.values(), arguments["groups"], *attrs["kernel_size"]], attrs)
    return attrs


def _check(run: Execution, attrs: Attrs) -> None:
    """Raise ConstructorError if the constructor would raise."""
    groups = attrs["groups"]
    if below(groups, 1):
        raise ConstructorError("groups must be a positive integer", attrs)
    if groups != 1 and attrs["in_channels"] is not None:  # a lazy layer checks them in its forward
        for name in ("in_channels", "out_channels"):
            if not run.demand(remainder(attrs[name], groups), 0):
                raise ConstructorError(f"{name} must be divisible by groups", attrs)
    padding, mode = attrs["padding"], attrs["padding_mode"]
    if type(padding) is str:
        if padding not in ("same", "valid"):
            raise ConstructorError(f"Invalid padding string {padding!r}, should be one of {{'valid', 'same'}}", attrs)
        if padding == "same" and has_stride(attrs["stride"]):
            raise ConstructorError("padding='same' is not supported for strided convolutions", attrs)
    if type(mode) is str and mode not in _MODES:
        modes = "{'zeros', 'reflect', 'replicate', 'circular'}"
        raise ConstructorError(f"padding_mode must be one of {modes}, but got padding_mode='{mode}'", attrs)
    if attrs["transposed"] and type(mode) is str and mode != "zeros":
        raise ConstructorError('Only "zeros" padding mode is supported for ConvTranspose', attrs)


def _weight_shape(attrs: Attrs) -> tuple[Num, ...]:
    first, second = attrs["out_channels"], attrs["in_channels"]
    if attrs["transposed"]:
        first, second = second, first
    groups = attrs["groups"]
    return (first, second if groups == 1 else divided(second, groups), *attrs["kernel_size"])


# --- forward


def _forward(run: Execution, layer: Instance, input: Tensor) -> Value:
    conv, error = _current(run, layer, input)
    if layer.attrs["padding_mode"] != "zeros" and layer.error is None:
        input = pad_tensor(run, input, _pad_argument(conv), layer.attrs["padding_mode"])
        conv = replace(conv, padding=(0,) * conv.spatial)
    return convolve(run, input, conv, error)


def _forward_transposed(run: Execution, layer: Instance, input: Tensor, output_size: Value = None) -> Value:
    conv, error = _current(run, layer, input)
    if output_size is not None:
        error = _fit_output(run, input, conv, output_size) or error
    return convolve(run, input, conv, error)


def _current(run: Execution, layer: Instance, x: Tensor) -> tuple[Convolution, str | None]:
    """Return the arguments of a layer now, those of a weight that replaced its own, and a lazy layer's error."""
    attrs = layer.attrs
    spatial = len(attrs["kernel_size"])
    is_lazy = attrs["in_channels"] is None
    if is_lazy:  # the first input makes it an ordinary layer
        shape = shape_of_rank(run, x, spatial + 2)
        attrs["in_channels"] = shape[-spatial - 1] if len(shape) > spatial else run.fresh("channels")
        attrs["weight"] = run.tensor(_weight_shape(attrs))
    conv = Convolution.of_layer(attrs)
    weight = attrs["weight"].shape if type(attrs["weight"]) is Tensor else None
    if weight is not None and len(weight) == spatial + 2 and weight != _weight_shape(attrs):
        first, second = weight[0], plain(weight[1] * conv.groups)
        if not conv.transposed:
            first, second = second, first
        conv = replace(conv, in_channels=first, out_channels=second, kernel_size=weight[2:])
    return conv, _lazy_error(run, conv) if is_lazy else None


def _lazy_error(run: Execution, conv: Convolution) -> str | None:
    """Return the error of a lazy layer at its first input."""
    if not run.demand(remainder(conv.in_channels, conv.groups), 0):
        return "in_channels must be divisible by groups"
    if not conv.transposed and not run.demand(remainder(conv.out_channels, conv.groups), 0):
        return f"Given groups={conv.groups}, expected weight to be divisible by {conv.groups}"
    return None


def _pad_argument(conv: Convolution) -> tuple[Num, ...]:
    """Return the padding of a layer as ``F.pad`` takes it: the last dimension first."""
    result: list[Num] = []
    for at in reversed(range(conv.spatial)):
        if conv.padding == "same":
            whole = plain(conv.dilation[at] * (conv.kernel_size[at] - 1))
            result += [divided(whole, 2), plain(whole - divided(whole, 2))]
        else:
            result += [conv.numeric_padding[at]] * 2
    return tuple(result)


def _fit_output(run: Execution, x: Tensor, conv: Convolution, output_size: Value) -> str | None:
    """Set the output padding that gives ``output_size``; return PyTorch's error if none does."""
    spatial = conv.spatial
    shape = shape_of_rank(run, x, spatial + 2)
    if is_sequence(output_size) and len(output_size) > spatial:
        output_size = output_size[-spatial:]
    wanted = sizes(run, output_size, spatial, "size")
    if len(shape) not in (spatial + 1, spatial + 2):
        return None
    conv.output_padding = (0,) * spatial
    least = conv.output_size(shape[-spatial:])
    conv.output_padding = tuple([plain(a - b) for a, b in zip(wanted, least, strict=True)])
    for extra, stride in zip(conv.output_padding, conv.stride, strict=True):
        if type(extra) is int and (extra < 0 or (type(stride) is int and extra >= stride)):
            most = [plain(size + step - 1) for size, step in zip(least, conv.stride, strict=True)]
            conv.output_padding = (0,) * spatial
            return (
                f"requested an output size of {show(wanted)}, but valid sizes range from {show(least)} to {show(most)}"
            )
    return None


_CONV = (
    "out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, "
    "padding_mode='zeros', device=None, dtype=None"
)
_TRANSPOSED = (
    "out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, "
    "dilation=1, padding_mode='zeros', device=None, dtype=None"
)
for _n in (1, 2, 3):
    for _lazy, _first in (("", "in_channels, "), ("Lazy", "")):
        layer(f"{_lazy}Conv{_n}d", _first + _CONV, _forward, _construct, spatial=_n)
        layer(f"{_lazy}ConvTranspose{_n}d", _first + _TRANSPOSED, _forward_transposed, _construct, spatial=_n)
