"""Layers that keep the shape: activations, dropouts and the like."""

from __future__ import annotations

from collections.abc import Callable

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import UNKNOWN, Tensor, Value
from convlint.static.torch_shapes.activations import glu, prelu_of
from convlint.static.torch_shapes.elementwise import misplaced
from convlint.static.torch_shapes.registry import LAYERS, LayerKind
from convlint.static.torch_shapes.sizing import unseen
from convlint.static.torch_shapes.words import Attrs, count


def _construct(*parameters: tuple[str, Value]) -> Callable[..., Attrs]:
    """The constructor of a layer that keeps its arguments under their names."""
    defaults = dict(parameters)
    names = tuple(defaults)

    def construct(run: Execution, *args: Value, **kwargs: Value) -> Attrs:
        return defaults | dict(zip(names, args, strict=False)) | kwargs

    return construct


def _keeping(op: str, *names: str) -> Callable[..., Value]:
    """The forward of a layer that keeps the shape; ``names`` of its numbers go into the record."""

    def forward(run: Execution, layer: Instance, input: Value) -> Value:
        if type(input) is not Tensor:
            return unseen(run, input)
        attrs = {name: layer.attrs[name] for name in names if layer.attrs[name] is not None}
        if layer.attrs.get("inplace") is True:
            attrs["inplace"] = True
        error = misplaced(run, input, attrs.get("dim"))
        return run.emit(op, [input], [], attrs, error, like=input)[0]

    return forward


_INPLACE = (("inplace", False),)
_KINDS: dict[str, tuple[str, tuple[tuple[str, Value], ...]]] = {
    "ReLU": ("relu", _INPLACE),
    "ReLU6": ("hardtanh", _INPLACE),
    "SiLU": ("silu", _INPLACE),
    "Mish": ("mish", _INPLACE),
    "SELU": ("selu", _INPLACE),
    "Hardswish": ("hardswish", _INPLACE),
    "Hardsigmoid": ("hardsigmoid", _INPLACE),
    "LeakyReLU": ("leaky_relu", (("negative_slope", 0.01), *_INPLACE)),
    "ELU": ("elu", (("alpha", 1.0), *_INPLACE)),
    "CELU": ("celu", (("alpha", 1.0), *_INPLACE)),
    "RReLU": ("rrelu", (("lower", 1 / 8), ("upper", 1 / 3), *_INPLACE)),
    "Hardtanh": ("hardtanh", (("min_val", -1.0), ("max_val", 1.0), *_INPLACE)),
    "Threshold": ("threshold", (("threshold", UNKNOWN), ("value", UNKNOWN), *_INPLACE)),
    "Sigmoid": ("sigmoid", ()),
    "Tanh": ("tanh", ()),
    "GELU": ("gelu", (("approximate", "none"),)),
    "LogSigmoid": ("logsigmoid", ()),
    "Softplus": ("softplus", (("beta", 1.0), ("threshold", 20.0))),
    "Softsign": ("softsign", ()),
    "Softshrink": ("softshrink", (("lambd", 0.5),)),
    "Hardshrink": ("hardshrink", (("lambd", 0.5),)),
    "Tanhshrink": ("tanhshrink", ()),
    "Softmax": ("softmax", (("dim", None),)),
    "LogSoftmax": ("log_softmax", (("dim", None),)),
    "Softmin": ("softmin", (("dim", None),)),
    "Softmax2d": ("softmax", ()),
    "Dropout": ("dropout", (("p", 0.5), *_INPLACE)),
    "Dropout1d": ("dropout1d", (("p", 0.5), *_INPLACE)),
    "Dropout2d": ("dropout2d", (("p", 0.5), *_INPLACE)),
    "Dropout3d": ("dropout3d", (("p", 0.5), *_INPLACE)),
    "AlphaDropout": ("alpha_dropout", (("p", 0.5), *_INPLACE)),
    "FeatureAlphaDropout": ("feature_alpha_dropout", (("p", 0.5), *_INPLACE)),
}
_RECORDED = frozenset({"dim", "negative_slope", "alpha", "min_val", "max_val", "p", "approximate"})
for _name, (_op, _parameters) in _KINDS.items():
    _kept = [name for name, _ in _parameters if name in _RECORDED]
    LAYERS[_name] = LayerKind(_construct(*_parameters), _keeping(_op, *_kept))


def _construct_identity(run: Execution, *args: Value, **kwargs: Value) -> Attrs:
    return {}


def _identity(run: Execution, layer: Instance, input: Value) -> Value:
    return input


LAYERS["Identity"] = LayerKind(_construct_identity, _identity)


def _construct_prelu(
    run: Execution,
    num_parameters: Value = 1,
    init: Value = 0.25,
    device: Value = None,
    dtype: Value = None,
) -> Attrs:
    slopes = count(run, num_parameters, "channels")
    return {"num_parameters": slopes, "weight": run.tensor((slopes,))}


def _prelu(run: Execution, layer: Instance, input: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    return prelu_of(run, input, layer.attrs["num_parameters"])


def _construct_glu(run: Execution, dim: Value = -1) -> Attrs:
    return {"dim": dim}


def _glu(run: Execution, layer: Instance, input: Value) -> Value:
    return glu(run, input, layer.attrs["dim"])


LAYERS["PReLU"] = LayerKind(_construct_prelu, _prelu)
LAYERS["GLU"] = LayerKind(_construct_glu, _glu)
