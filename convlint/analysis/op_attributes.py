"""The attributes of calls: what ``Node.attrs`` holds for each operator.

A function that is not listed has those of its keyword arguments that are numbers or strings; every in-place call has
``inplace=True``. A test compares the table with what the recorder and static analysis write.
"""

from __future__ import annotations

from convlint.analysis import ops
from convlint.support.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Attribute:
    """One entry of ``Node.attrs``. An ``optional`` one is left out where the call does not say it."""

    name: str
    type: str
    meaning: str
    optional: bool = False


_BIAS = Attribute("bias", "bool", "whether a bias is added")
_CEIL = Attribute("ceil_mode", "bool", "whether the last window may reach over the edge")
_INDICES = Attribute("return_indices", "bool", "whether positions are returned too", optional=True)
_DIM = Attribute("dim", "int", "the dimension that the call works along")
_OPTIONAL_DIM = Attribute("dim", "int or tuple", "the dimensions that it works along", optional=True)
_KEEPDIM = Attribute("keepdim", "bool", "whether reduced dimensions stay, of size 1", optional=True)
_SHAPE = Attribute("shape", "tuple[int, ...]", "the new sizes as written, -1 included", optional=True)
_AFFINE = Attribute("affine", "bool", "whether there are a weight and a bias")
_WIDTH = Attribute("num_features", "int", "channels of weight or statistics; left out without either", optional=True)

_WINDOW = (
    Attribute("kernel_size", "tuple[int, ...]", "sizes of the window"),
    Attribute("stride", "tuple[int, ...]", "steps of the window"),
    Attribute("padding", "tuple[int, ...]", "pixels added on each side"),
    Attribute("dilation", "tuple[int, ...]", "distance of neighboring taps"),
)
_CONV = (
    Attribute("in_channels", "int", "input channels that the weight accepts"),
    Attribute("out_channels", "int", "output channels"),
    *(_WINDOW[0], _WINDOW[1], _WINDOW[3]),
    Attribute("padding", "tuple[int, ...] or str", 'pixels on each side, "same" or "valid"'),
    Attribute("groups", "int", "groups that in_channels and out_channels are split into"),
    _BIAS,
    Attribute("transposed", "bool", "whether it is a transposed convolution"),
    Attribute("output_padding", "tuple[int, ...]", "pixels added at one side, if transposed"),
)
_STATISTICS = (
    _WIDTH,
    _AFFINE,
    Attribute("track_running_stats", "bool", "whether there are running statistics"),
    Attribute("training", "bool", "whether the statistics of this input are used"),
)


def _optional(*attributes: Attribute) -> tuple[Attribute, ...]:
    return tuple(Attribute(a.name, a.type, a.meaning, optional=True) for a in attributes)


def _swap(name: str) -> Attribute:
    return Attribute(name, "int", "one of the two dimensions that are swapped", optional=True)


def _sections(name: str) -> Attribute:
    return Attribute(name, "int or tuple[int, ...]", "size, number or ends of the parts", optional=True)


def _slope(name: str, meaning: str) -> tuple[Attribute, ...]:
    return (Attribute(name, "float", meaning, optional=True),)


_UNFOLDED = (Attribute("dimension", "int", "the dimension, of Tensor.unfold", optional=True),)
_SOURCE = (
    Attribute("source", "int or tuple[int, ...]", "dimensions to move", optional=True),
    Attribute("destination", "int or tuple[int, ...]", "their new positions", optional=True),
)

ATTRIBUTES: dict[str, tuple[Attribute, ...]] = {
    **dict.fromkeys(ops.ALL_CONVS, _CONV),
    "linear": (
        Attribute("in_features", "int", "size of the last dimension that the weight accepts"),
        Attribute("out_features", "int", "size of the last dimension that comes out"),
        _BIAS,
        Attribute("multiple_of", "int", "divides the size of an input that is not known otherwise", optional=True),
    ),
    **dict.fromkeys(ops.PER_CHANNEL_NORMS, _STATISTICS),
    "group_norm": (
        Attribute("num_groups", "int", "groups of channels that are normalized together", optional=True),
        *(_WIDTH, _AFFINE),
    ),
    "layer_norm": (Attribute("normalized_shape", "tuple[int, ...]", "sizes of the last dimensions"), _AFFINE),
    ops.ATTENTION: (Attribute("embed_dim", "int", "size of the last dimension that the weights accept"),),
    "rms_norm": _optional(Attribute("normalized_shape", "tuple[int, ...]", "sizes of the last dimensions"), _AFFINE),
    **dict.fromkeys(ops.WINDOW_POOLS, (*_WINDOW, _CEIL, _INDICES)),
    **dict.fromkeys(
        ops.POWER_POOLS | ops.spatial_names("max_pool{}d_with_indices"), _optional(*_WINDOW, _CEIL, _INDICES)
    ),
    **dict.fromkeys(
        ops.ADAPTIVE_POOLS, (Attribute("output_size", "int or tuple", "sizes of the output; None keeps one"), _INDICES)
    ),
    "prelu": (Attribute("num_parameters", "int", "slopes: 1, or one for each channel"),),
    **dict.fromkeys(("elu", "celu"), _slope("alpha", "the negative limit")),
    "leaky_relu": _slope("negative_slope", "the factor for negative values"),
    "hardtanh": (*_slope("min_val", "the least output"), *_slope("max_val", "the largest output")),
    "gelu": (Attribute("approximate", "str", '"none" or "tanh"', optional=True),),
    **dict.fromkeys(ops.DROPOUTS, _slope("p", "the probability that a value is dropped")),
    "clamp": (*_slope("min", "the least output"), *_slope("max", "the largest output")),
    **dict.fromkeys(("cat", "stack"), (_DIM,)),
    **dict.fromkeys(
        ("softmax", "log_softmax", "squeeze", "glu", "cumsum", "unbind", "repeat_interleave"), (_OPTIONAL_DIM,)
    ),
    **dict.fromkeys(("sort", "argsort", "select", "narrow", "index_select"), (_OPTIONAL_DIM,)),
    "topk": (Attribute("k", "int", "how many values", optional=True), _OPTIONAL_DIM),
    "unsqueeze": (_DIM,),
    **dict.fromkeys(ops.REDUCTIONS | ops.OTHER_REDUCTIONS, (_OPTIONAL_DIM, _KEEPDIM)),
    "norm": (_OPTIONAL_DIM, _KEEPDIM, *_slope("p", "the order of the norm")),
    "normalize": (_OPTIONAL_DIM, *_slope("p", "the order of the norm"), *_slope("eps", "the least divisor")),
    "local_response_norm": (
        Attribute("size", "int", "neighboring channels that are summed over", optional=True),
        *_slope("alpha", "the factor of the sum"),
        *_slope("beta", "the exponent of the sum"),
        *_slope("k", "what is added to the sum"),
    ),
    **dict.fromkeys(("unfold", "fold"), (*_optional(*_WINDOW), *_UNFOLDED)),
    "flip": (Attribute("dims", "int or tuple[int, ...]", "dimensions to reverse", optional=True),),
    "flatten": (
        Attribute("start_dim", "int", "the first dimension that is merged"),
        Attribute("end_dim", "int", "the last dimension that is merged"),
    ),
    **dict.fromkeys(("reshape", "expand", "repeat", "tile"), (_SHAPE,)),
    "unflatten": (_OPTIONAL_DIM, Attribute("sizes", "tuple[int, ...]", "what the dimension becomes", optional=True)),
    "permute": (Attribute("dims", "tuple[int, ...]", "the old dimensions in their new order", optional=True),),
    "transpose": (_swap("dim0"), _swap("dim1")),
    **dict.fromkeys(("swapaxes", "swapdims"), (_swap("dim0"), _swap("dim1"), _swap("axis0"), _swap("axis1"))),
    **dict.fromkeys(("movedim", "moveaxis"), _SOURCE),
    "chunk": (Attribute("chunks", "int", "how many parts"), _DIM),
    "split": (_sections("split_size_or_sections"), _DIM),
    "tensor_split": (_sections("indices_or_sections"), *_optional(_DIM)),
    "pixel_shuffle": (Attribute("upscale_factor", "int", "pixels that each side of one becomes"),),
    "pixel_unshuffle": (Attribute("downscale_factor", "int", "pixels that become one, by side"),),
    "channel_shuffle": (Attribute("groups", "int", "groups whose channels are mixed"),),
    "pad": (
        Attribute("pad", "tuple[int, ...]", "pixels before and after, last dimension first", optional=True),
        Attribute("mode", "str", '"constant", "reflect", "replicate" or "circular"'),
        *_slope("value", "what a constant padding adds"),
    ),
    "interpolate": (
        Attribute("size", "int or tuple[int, ...]", "sizes of the output", optional=True),
        Attribute("scale_factor", "float or tuple[float, ...]", "output over input", optional=True),
        Attribute("mode", "str", '"nearest", "bilinear" ...', optional=True),
        Attribute("align_corners", "bool", "whether the corner pixels stay", optional=True),
        Attribute("antialias", "bool", "whether it blurs before it shrinks", optional=True),
    ),
    "einsum": (Attribute("equation", "str", "the subscripts", optional=True),),
}
