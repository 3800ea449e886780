"""Families of operators, and the output sizes of convolutions and pools.

A rule asks for calls by ``Node.op``: torch's name of the function, without in-place underscore and dunders
(``conv2d``, ``batch_norm``, ``add``; ``view`` is ``reshape``). ``op_attributes`` lists what ``Node.attrs`` holds; it is
a module of its own because static analysis, which starts in milliseconds, does not need it.
"""

from __future__ import annotations

from typing import TypeVar

from convlint.symbolic import Dim

Size = TypeVar("Size", int, int | Dim)


def spatial_names(*patterns: str) -> frozenset[str]:
    """Each pattern for one, two and three spatial dimensions: ``conv{}d`` gives ``conv1d``, ``conv2d``, ``conv3d``."""
    return frozenset(pattern.format(n) for pattern in patterns for n in (1, 2, 3))


# --- families

NOT_CALLS = frozenset({"input", "parameter", "constant", "output", "kept"})  # nodes that stand for tensors

CONVS = spatial_names("conv{}d")
TRANSPOSED_CONVS = spatial_names("conv_transpose{}d")
ALL_CONVS = CONVS | TRANSPOSED_CONVS
PROJECTIONS = ALL_CONVS | {"linear"}  # a weight matrix says how many channels or features come out

PER_CHANNEL_NORMS = frozenset({"batch_norm", "instance_norm"})  # statistics of one channel each
CHANNEL_NORMS = PER_CHANNEL_NORMS | {"group_norm"}  # built for a number of channels
NORMS = CHANNEL_NORMS | {"layer_norm"}
NORM_LAYERS = {
    "batch_norm": ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"),
    "instance_norm": ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
    "group_norm": ("GroupNorm",),
}
# Calls of layers with parameters; the parameters are not among ``Node.inputs``.
WITH_WEIGHTS = PROJECTIONS | NORMS | {"prelu"}

WINDOW_POOLS = spatial_names("max_pool{}d", "avg_pool{}d")  # the calls have ``kernel_size``
ADAPTIVE_POOLS = spatial_names("adaptive_max_pool{}d", "adaptive_avg_pool{}d")
POOLS = WINDOW_POOLS | ADAPTIVE_POOLS
# Not in POOLS: torch computes them from other calls, and the recorder does not know their windows.
POWER_POOLS = spatial_names("lp_pool{}d")

_RECTIFIERS = {"relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu"}
_SIGMOIDS = {"sigmoid", "hardsigmoid", "logsigmoid", "tanh", "hardtanh", "softplus", "softsign"}
NONLINEARITIES = frozenset(_RECTIFIERS | _SIGMOIDS | {"silu", "mish", "hardswish"})
# Not in NONLINEARITIES: rules stop at them, which is safe; only channel orders are followed through.
SHRINKING = frozenset({"threshold", "hardshrink", "softshrink", "tanhshrink"})
DROPOUTS = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout"})
ACTIVATIONS = NONLINEARITIES | DROPOUTS | {"clamp"}  # each value alone, as many come out

ARITHMETIC = frozenset({"add", "sub", "mul", "div", "maximum", "minimum"})
MERGES = ARITHMETIC | {"where"}  # how branches of equal width are joined
# Calls that need shapes that broadcast; powers and interpolations seldom join branches.
ELEMENTWISE = MERGES | {"pow", "lerp", "addcmul"}

FLATTENING = frozenset({"flatten", "reshape"})
REDUCTIONS = frozenset({"mean", "sum", "amax", "amin"})
TRANSPOSES = frozenset({"permute", "transpose", "swapaxes", "swapdims"})  # by numbers of dimensions
PIXEL_SHUFFLES = frozenset({"pixel_shuffle", "pixel_unshuffle"})
COPIES = frozenset({"contiguous", "clone"})  # the same values in the same shape

# Of these, the first reads only the shape and dtype of its input, the second only those of its other inputs.
OF_SHAPE = frozenset(
    {f"{name}_like" for name in ("empty", "full", "ones", "rand", "randint", "randn", "zeros")}
    | {f"new_{name}" for name in ("empty", "full", "ones", "tensor", "zeros")}
)
OF_OTHER_SHAPE = frozenset({"expand_as", "reshape_as", "to", "type_as", "view_as"})

OTHER_REDUCTIONS = frozenset(
    {"all", "any", "argmax", "argmin", "max", "min", "median", "prod", "std", "var", "logsumexp"}
)

# One input, and as many channels come out as go in.
CHANNEL_PRESERVING = ACTIVATIONS | POOLS | POWER_POOLS | CHANNEL_NORMS | COPIES | {"interpolate", "to"}
# The same, and channel i of the output depends on channel i of the input alone.
CHANNELWISE = ACTIVATIONS | POOLS | PER_CHANNEL_NORMS | {"contiguous", "interpolate", "pad"}

RECURRENT = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})
RECURRENT_CELLS = frozenset({f"{name}_cell" for name in RECURRENT})
ATTENTION = "multi_head_attention_forward"
OF_FEATURES = RECURRENT | RECURRENT_CELLS | {"linear", "layer_norm", ATTENTION}  # read the last dimension
SIZED_BY_INPUT = (
    PROJECTIONS | RECURRENT | RECURRENT_CELLS | {ATTENTION}
)  # built for a number of input channels or features


# --- sizes


def spatial_dims(op: str) -> int:
    """The number of spatial dimensions of a convolution or pool: 2 for ``conv2d`` and ``adaptive_max_pool2d``."""
    return int(op[-2])


def kernel_extent(kernel: Size, dilation: Size) -> Size:
    """The pixels from the first tap of a kernel to its last: ``dilation * (kernel - 1) + 1``."""
    return dilation * (kernel - 1) + 1


def output_size(size: Size, kernel: Size, stride: Size, padding: Size, dilation: Size) -> Size:
    """The output size of a convolution or pool in one dimension; ``stride`` is not 0.

    ``floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1``, from
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html; with ``ceil_mode`` a pool rounds up.
    """
    return (size + 2 * padding - kernel_extent(kernel, dilation)) // stride + 1


def transposed_output_size(
    size: Size, kernel: Size, stride: Size, padding: Size, dilation: Size, output_padding: Size
) -> Size:
    """The output size of a transposed convolution in one dimension.

    ``(size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1``, from
    https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html.
    """
    return (size - 1) * stride - 2 * padding + kernel_extent(kernel, dilation) + output_padding
