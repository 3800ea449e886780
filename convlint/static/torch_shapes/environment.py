"""The rest of torch that models call: parameters, initialization, and questions about the system."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Tensor, Value
from convlint.static.torch_shapes.arguments import Attrs
from convlint.static.torch_shapes.registry import operation

_ANY = "*args, **kwargs"

# --- functions that return their first argument

_UNCHANGED = (
    "fx.wrap jit.export jit.ignore jit.unused nn.SyncBatchNorm.convert_sync_batchnorm "
    "nn.parallel.DistributedDataParallel nn.utils.fusion.fuse_conv_bn_eval nn.utils.parametrizations.orthogonal "
    "nn.utils.parametrizations.spectral_norm nn.utils.parametrizations.weight_norm nn.utils.remove_weight_norm "
    "nn.utils.spectral_norm nn.utils.spectral_norm.spectral_norm nn.utils.weight_norm nn.utils.weight_norm.weight_norm"
)
_INITIALIZERS = (
    "constant constant_ dirac_ eye_ kaiming_normal kaiming_normal_ kaiming_uniform kaiming_uniform_ "
    "normal normal_ ones_ orthogonal_ sparse_ trunc_normal_ uniform uniform_ xavier_normal "
    "xavier_normal_ xavier_uniform xavier_uniform_ zeros_"
)


@operation(*_UNCHANGED.split(), signature=_ANY)
@operation(*[f"nn.init.{name}" for name in _INITIALIZERS.split()], signature=_ANY)
def _first(run: Execution, args: tuple[Value, ...], kwargs: Attrs) -> Value:
    return args[0] if args else next(iter(kwargs.values()), UNKNOWN)


@operation("nn.Parameter", "nn.parameter.Parameter", signature="data=None, requires_grad=True")
@operation("nn.Buffer", signature="data=None, *, persistent=True")
@operation("autograd.Variable", signature="data=None, requires_grad=False, volatile=None")
def _parameter(run: Execution, data: Value) -> Value:
    return data if type(data) is Tensor else run.tensor(None)


# --- questions about the system

_FALSE = (
    "compiler.is_compiling compiler.is_exporting is_autocast_enabled jit.is_scripting jit.is_tracing "
    "onnx.is_in_onnx_export overrides.has_torch_function overrides.has_torch_function_unary "
    "overrides.has_torch_function_variadic"
)
_UNKNOWN = (
    "Generator Size _assert amp.autocast autocast cpu.amp.autocast cuda.amp.autocast cuda.device_count "
    "cuda.empty_cache cuda.is_available cuda.synchronize device distributed.get_rank distributed.get_world_size "
    "distributed.is_available distributed.is_initialized enable_grad finfo get_default_dtype iinfo inference_mode "
    "is_grad_enabled nn.init._calculate_fan_in_and_fan_out nn.init.calculate_gain no_grad save set_default_dtype "
    "set_grad_enabled set_num_threads set_printoptions"
)


@operation(*_FALSE.split(), signature=_ANY)
def _false(run: Execution) -> Value:
    return False


@operation(*_UNKNOWN.split(), signature=_ANY)
def _unknown(run: Execution) -> Value:
    return UNKNOWN
