"""Activations, and the dropouts that are written like them."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import Num, Tensor, Value
from convlint.static.torch_shapes.elementwise import unary
from convlint.static.torch_shapes.registry import operation
from convlint.static.torch_shapes.sizing import (
    axis,
    divided,
    out_of_range,
    remainder,
    shape_of,
    unseen,
)

_ACTIVATIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("relu", "relu6", "silu", "mish", "hardswish", "hardsigmoid"), ("inplace",)),
    **dict.fromkeys(("selu", "leaky_relu", "celu", "elu"), ("inplace",)),
    **dict.fromkeys(("sigmoid", "tanh", "logsigmoid", "softsign", "tanhshrink", "gelu"), ()),
    **dict.fromkeys(("softplus", "hardshrink", "softshrink"), ("beta", "threshold")),
    "hardtanh": ("min_val", "max_val", "inplace"),
    "leaky_relu": ("negative_slope", "inplace"),
    "elu": ("alpha", "inplace"),
    "celu": ("alpha", "inplace"),
    "rrelu": ("lower", "upper", "training", "inplace"),
    "threshold": ("threshold", "value", "inplace"),
    **dict.fromkeys(
        ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"),
        ("p", "training", "inplace"),
    ),
    "feature_alpha_dropout": ("p", "training", "inplace"),
    "gumbel_softmax": ("tau", "hard", "eps", "dim"),
    **dict.fromkeys(("softmax", "log_softmax", "softmin"), ("dim",)),
}
for _name, _parameters in _ACTIVATIONS.items():
    operation(f"F.{_name}")(unary(_name, *_parameters))
    operation(f"F.{_name}_")(unary(_name, *_parameters, inplace=True))
for _name in ("dropout", "feature_dropout", "alpha_dropout", "selu", "celu", "rrelu", "threshold"):
    operation(_name)(unary(_name, "p", "train"))


# --- activations with more to them


@operation("F.prelu", "prelu", ".prelu")
def prelu(run: Execution, input: Value, weight: Value) -> Value:
    if type(input) is not Tensor or type(weight) is not Tensor:
        return unseen(run, input, weight)
    form = shape_of(run, weight)
    count: Num = run.fresh("channels")
    if form is not None and len(form) <= 1:
        count = form[0] if form else 1
    return prelu_of(run, input, count)


def prelu_of(run: Execution, x: Tensor, count: Num) -> Tensor:
    """A leaky activation with ``count`` slopes: one, or one for each channel."""
    shape, error = shape_of(run, x), None
    attrs = {"num_parameters": count}
    if shape is None or (type(count) is int and count == 1):
        return run.emit("prelu", [x], [], attrs, like=x)[0]
    channels: Num = shape[1] if len(shape) > 1 else 1
    if not shape:
        error = "Not allow zero-dim input tensor."
    elif run.equal(channels, count) is False and run.equal(count, 1) is False:
        error = (
            "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{count}, and channel size = {channels}."
        )
    elif not (type(count) is not int and count != channels):
        run.demand(channels, count)
    return run.emit("prelu", [x], [], attrs, error, like=x)[0]


@operation("F.glu", ".glu")
def glu(run: Execution, input: Value, dim: Value = -1) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    shape = shape_of(run, input)
    if shape is None:
        return run.emit("glu", [input], [None], {"dim": dim})[0]
    at, error = axis(dim, len(shape)), out_of_range(dim, len(shape))
    if not shape:
        error = "glu does not support 0-dimensional tensors"
    if at is None or not shape:
        return run.emit("glu", [input], [None], {"dim": dim}, error)[0]
    if not run.demand(remainder(shape[at], 2), 0):
        error = f"Halving dimension must be even, but dimension {at} is size {shape[at]}"
    result = (*shape[:at], divided(shape[at], 2), *shape[at + 1 :])
    return run.emit("glu", [input], [result], {"dim": dim}, error)[0]
