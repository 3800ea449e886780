"""Activations and dropouts, as functions and as layers."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Tensor, Value
from convlint.static.torch_shapes.arguments import Attrs, count
from convlint.static.torch_shapes.elementwise import dims_error, register_unary, unary
from convlint.static.torch_shapes.registry import Parameter, functional_layer, layer, operation
from convlint.static.torch_shapes.sizes import divided, locate, remainder, replaced, shape_of

# --- functions

_INPLACE = "inplace=False"
_PARAMETERS = {
    **dict.fromkeys(("relu", "relu6", "silu", "mish", "selu"), _INPLACE),
    **dict.fromkeys(("hardswish", "hardsigmoid"), _INPLACE),
    "leaky_relu": f"negative_slope=0.01, {_INPLACE}",
    **dict.fromkeys(("elu", "celu"), f"alpha=1.0, {_INPLACE}"),
    "hardtanh": f"min_val=-1.0, max_val=1.0, {_INPLACE}",
    "rrelu": f"lower=0.125, upper=0.3333333333333333, training=False, {_INPLACE}",
    "threshold": f"threshold, value, {_INPLACE}",
    **dict.fromkeys(("sigmoid", "tanh", "logsigmoid", "softsign", "tanhshrink"), ""),
    "gelu": "*, approximate='none'",
    "softplus": "beta=1, threshold=20",
    "hardshrink": "lambd=0.5, *, out=None",
    "softshrink": "lambd=0.5",
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d"), f"p=0.5, training=True, {_INPLACE}"),
    **dict.fromkeys(("alpha_dropout", "feature_alpha_dropout"), f"p=0.5, training=False, {_INPLACE}"),
    **dict.fromkeys(("softmax", "log_softmax", "softmin"), "dim=None, _stacklevel=3, dtype=None"),
}
for _name, _parameters in _PARAMETERS.items():
    _signature = f"input, {_parameters}"
    register_unary(_name, f"F.{_name}", signature=_signature)
    if _name in ("threshold", "hardtanh", "elu", "selu", "celu", "leaky_relu", "rrelu", "relu"):
        _inplace = _signature.removesuffix(f", {_INPLACE}")
        _inplace += ", generator=None" if _name == "rrelu" else ""
        register_unary(_name, f"F.{_name}_", signature=_inplace, inplace=True)
for _name in ("dropout", "feature_dropout", "alpha_dropout"):
    register_unary(_name, _name, signature="input, p, train")
for _name in ("selu", "celu", "rrelu", "threshold"):
    register_unary(_name, _name)
_GUMBEL = {"op": "gumbel_softmax", "input": Parameter("logits"), "inplace": False, "dtype": None}
operation("F.gumbel_softmax", signature="logits, tau=1, hard=False, eps=1e-10, dim=-1", **_GUMBEL)(unary)


@operation("F.prelu", "prelu", ".prelu")
def _prelu(run: Execution, input: Tensor, weight: Tensor) -> Value:
    shape = shape_of(run, weight)
    slopes: Num = run.fresh("channels")
    if shape is not None and len(shape) <= 1:
        slopes = shape[0] if shape else 1
    return _apply_prelu(run, input, slopes)


def _apply_prelu(run: Execution, x: Tensor, slopes: Num) -> Tensor:
    """Record a leaky activation with one slope, or one for each channel."""
    shape, error = shape_of(run, x), None
    attrs = {"num_parameters": slopes}
    if shape is None or (type(slopes) is int and slopes == 1):
        return run.emit("prelu", [x], [], attrs, like=x)[0]
    channels: Num = shape[1] if len(shape) > 1 else 1
    if not shape:
        error = "Not allow zero-dim input tensor."
    elif run.equal(channels, slopes) is False and run.equal(slopes, 1) is False:
        error = (
            "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{slopes}, and channel size = {channels}."
        )
    elif type(slopes) is int or channels == slopes:
        run.demand(channels, slopes)
    return run.emit("prelu", [x], [], attrs, error, like=x)[0]


@operation("F.glu")
def _glu(run: Execution, input: Tensor, dim: Value = -1) -> Value:
    shape, position, error = locate(run, input, dim)
    if shape is not None and not shape:
        error = "glu does not support 0-dimensional tensors"
    if position is None or not shape:
        return run.emit("glu", [input], [None], {"dim": dim}, error)[0]
    length = shape[position]
    if not run.demand(remainder(length, 2), 0):
        error = f"Halving dimension must be even, but dimension {position} is size {length}"
    return run.emit("glu", [input], [replaced(shape, position, divided(length, 2))], {"dim": dim}, error)[0]


# --- layers


def _forward(run: Execution, layer: Instance, input: Tensor, op: str, recorded: tuple[str, ...]) -> Value:
    """Call a layer that keeps the shape; ``recorded`` names the attributes to record."""
    attrs = {name: layer.attrs[name] for name in recorded if layer.attrs[name] is not None}
    if layer.attrs.get("inplace") is True:
        attrs["inplace"] = True
    return run.emit(op, [input], [], attrs, dims_error(run, input, attrs.get("dim")), like=input)[0]


_DROPOUT = f"p=0.5, {_INPLACE}"
for _name, _op, _signature, _recorded in (
    *[(name, name.lower(), _INPLACE, ()) for name in ("ReLU", "SiLU", "Mish", "SELU", "Hardswish", "Hardsigmoid")],
    ("ReLU6", "hardtanh", _INPLACE, ()),
    ("LeakyReLU", "leaky_relu", _PARAMETERS["leaky_relu"], ("negative_slope",)),
    ("ELU", "elu", _PARAMETERS["elu"], ("alpha",)),
    ("CELU", "celu", _PARAMETERS["celu"], ("alpha",)),
    ("RReLU", "rrelu", f"lower=0.125, upper=0.3333333333333333, {_INPLACE}", ()),
    ("Hardtanh", "hardtanh", f"{_PARAMETERS['hardtanh']}, min_value=None, max_value=None", ("min_val", "max_val")),
    ("Threshold", "threshold", _PARAMETERS["threshold"], ()),
    *[(name, name.lower(), "", ()) for name in ("Sigmoid", "Tanh", "LogSigmoid", "Softsign", "Tanhshrink")],
    ("GELU", "gelu", "approximate='none'", ("approximate",)),
    ("Softplus", "softplus", "beta=1.0, threshold=20.0", ()),
    *[(name, name.lower(), "lambd=0.5", ()) for name in ("Softshrink", "Hardshrink")],
    ("Softmax", "softmax", "dim=None", ("dim",)),
    ("LogSoftmax", "log_softmax", "dim=None", ("dim",)),
    ("Softmin", "softmin", "dim=None", ("dim",)),
    ("Softmax2d", "softmax", "", ()),
    *[(name, name.lower(), _DROPOUT, ("p",)) for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d")],
    ("AlphaDropout", "alpha_dropout", _DROPOUT, ("p",)),
    ("FeatureAlphaDropout", "feature_alpha_dropout", _DROPOUT, ("p",)),
):
    layer(_name, _signature, _forward, op=_op, recorded=_recorded)


def _forward_identity(run: Execution, layer: Instance, input: Value) -> Value:
    return input


def _construct_prelu(run: Execution, num_parameters: Value) -> Attrs:
    slopes = count(run, num_parameters, "channels")
    return {"num_parameters": slopes, "weight": run.tensor((slopes,))}


def _forward_prelu(run: Execution, layer: Instance, input: Tensor) -> Value:
    return _apply_prelu(run, input, layer.attrs["num_parameters"])


layer("Identity", "*args, **kwargs", _forward_identity, lambda _: {})
layer("PReLU", "num_parameters=1, init=0.25, device=None, dtype=None", _forward_prelu, _construct_prelu)
functional_layer("GLU", "dim=-1", "F.glu")
