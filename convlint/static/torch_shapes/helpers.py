"""The rest of torch that models call: losses, initialisation, and questions about the surroundings."""

from __future__ import annotations

from collections.abc import Mapping

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import UNKNOWN, Handler, Tensor, Value
from convlint.static.torch_shapes.registry import LAYERS, LayerKind, operation
from convlint.static.torch_shapes.sizing import tensors
from convlint.static.torch_shapes.words import Attrs

# --- losses

_LOSSES = {
    "CrossEntropyLoss": "cross_entropy",
    "NLLLoss": "nll_loss",
    "MSELoss": "mse_loss",
    "L1Loss": "l1_loss",
    "SmoothL1Loss": "smooth_l1_loss",
    "HuberLoss": "huber_loss",
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "KLDivLoss": "kl_div",
    "CosineEmbeddingLoss": "cosine_embedding_loss",
    "TripletMarginLoss": "triplet_margin_loss",
    "MarginRankingLoss": "margin_ranking_loss",
    "HingeEmbeddingLoss": "hinge_embedding_loss",
    "SoftMarginLoss": "soft_margin_loss",
    "MultiMarginLoss": "multi_margin_loss",
    "PoissonNLLLoss": "poisson_nll_loss",
    "GaussianNLLLoss": "gaussian_nll_loss",
    "CTCLoss": "ctc_loss",
}


def _construct_loss(run: Execution, *args: Value, **kwargs: Value) -> Attrs:
    return {"reduction": UNKNOWN if args else _reduction(kwargs)}


def _reduction(kwargs: Mapping[str, Value]) -> Value:
    """What a loss does with its values in the end, which older programs say with two flags."""
    usual = "mean" if {"reduce", "size_average"}.isdisjoint(kwargs) else UNKNOWN
    return kwargs.get("reduction", usual)


def _lost(run: Execution, op: str, values: tuple[Value, ...], reduction: Value) -> Value:
    """One number, unless each element's loss is asked for."""
    inputs = tensors(values)
    if not inputs:
        return UNKNOWN
    return run.emit(op, inputs, [() if reduction in ("mean", "sum") else None])[0]


def _loss_layer(op: str) -> Handler:
    def forward(run: Execution, layer: Instance, *args: Value, **kwargs: Value) -> Value:
        return _lost(run, op, (*args, *kwargs.values()), layer.attrs["reduction"])

    return forward


def _loss(op: str) -> Handler:
    def handler(run: Execution, *args: Value, **kwargs: Value) -> Value:
        return _lost(run, op, (*args, *kwargs.values()), _reduction(kwargs))

    return handler


for _name, _op in _LOSSES.items():
    LAYERS[_name] = LayerKind(_construct_loss, _loss_layer(_op))
    operation(f"F.{_op}")(_loss(_op))


# --- what gives back what it is given


def first(run: Execution, *args: Value, **kwargs: Value) -> Value:
    """The first argument."""
    return args[0] if args else next(iter(kwargs.values()), UNKNOWN)


operation(
    *("nn.utils.weight_norm", "nn.utils.spectral_norm", "nn.utils.remove_weight_norm"),
    *("nn.utils.parametrizations.weight_norm", "nn.utils.parametrizations.spectral_norm"),
    *("nn.utils.parametrizations.orthogonal", "nn.utils.fusion.fuse_conv_bn_eval"),
    *("nn.SyncBatchNorm.convert_sync_batchnorm", "jit.export", "jit.ignore", "jit.unused"),
    *("fx.wrap", "nn.parallel.DistributedDataParallel"),
)(first)


@operation("nn.Parameter", "nn.parameter.Parameter", "nn.Buffer", "autograd.Variable")
def _parameter(
    run: Execution, data: Value = None, requires_grad: Value = True, persistent: Value = True
) -> Value:
    return data if type(data) is Tensor else run.tensor(None)


_INITIALISERS = (
    *("uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "eye_", "dirac_"),
    *("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_"),
    *("sparse_", "kaiming_normal", "xavier_uniform", "xavier_normal", "kaiming_uniform"),
    *("normal", "uniform", "constant"),
)
operation(*[f"nn.init.{_name}" for _name in _INITIALISERS])(first)
operation(*[f"nn.init.{_name}" for _name in ("calculate_gain", "_calculate_fan_in_and_fan_out")])(
    lambda _run, *_args, **_kwargs: UNKNOWN
)


# --- questions about the surroundings


@operation("is_tensor")
def _is_tensor(run: Execution, obj: Value) -> Value:
    return UNKNOWN if obj is UNKNOWN else type(obj) is Tensor


def _never(run: Execution, *args: Value, **kwargs: Value) -> Value:
    return False


operation(
    *("jit.is_scripting", "jit.is_tracing", "onnx.is_in_onnx_export", "compiler.is_compiling"),
    *("compiler.is_exporting", "is_autocast_enabled", "overrides.has_torch_function"),
    *("overrides.has_torch_function_unary", "overrides.has_torch_function_variadic"),
)(_never)


def _harmless(run: Execution, *args: Value, **kwargs: Value) -> Value:
    return UNKNOWN


operation(
    *("no_grad", "enable_grad", "inference_mode", "set_grad_enabled", "is_grad_enabled"),
    *("autocast", "amp.autocast", "cuda.amp.autocast", "cpu.amp.autocast", "device"),
    *("_assert", "set_printoptions", "get_default_dtype", "set_default_dtype", "cuda.is_available"),
    *("cuda.empty_cache", "cuda.synchronize", "cuda.device_count", "set_num_threads", "save"),
    *("finfo", "iinfo", "Size", "Generator", "distributed.is_initialized"),
    *("distributed.is_available", "distributed.get_world_size", "distributed.get_rank"),
)(_harmless)
