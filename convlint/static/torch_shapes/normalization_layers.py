"""The normalization layers of ``torch.nn``."""

from __future__ import annotations

from convlint.static.domain.execution import ConstructorError, Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Tensor, Value
from convlint.static.torch_shapes.arguments import Attrs, check_parameter_sizes, count, flag, parameter
from convlint.static.torch_shapes.normalization import (
    normalize_channels,
    normalize_groups,
    normalize_last,
    shape_argument,
)
from convlint.static.torch_shapes.registry import functional_layer, layer
from convlint.static.torch_shapes.sizes import remainder, shape_of, shape_of_rank

# --- batch norm and instance norm


def _construct(run: Execution, num_features: Value, affine: Value, track_running_stats: Value, bias: Value) -> Attrs:
    """Return the attributes of a layer. ``num_features`` is None for a lazy one."""
    width = None if num_features is None else count(run, num_features, "channels")
    attrs: Attrs = {"num_features": width, "affine": flag(affine), "track_running_stats": flag(track_running_stats)}
    shape = () if width is None else (width,)
    attrs["weight"] = parameter(run, affine, shape)
    attrs["bias"] = parameter(run, affine if bias is True else bias, shape)
    for name in ("running_mean", "running_var"):
        attrs[name] = parameter(run, track_running_stats, shape)
    if width is not None and (attrs["affine"] is True or attrs["track_running_stats"] is True):
        check_parameter_sizes([num_features], attrs)
    return attrs


def _forward(
    run: Execution, layer: Instance, input: Tensor, op: str, ranks: tuple[int, ...], unbatched: int | None
) -> Value:
    """Call a layer for inputs of ``ranks``; those of rank ``unbatched`` have no batch dimension."""
    attrs = layer.attrs
    if len(ranks) == 1 or unbatched is not None:
        shape: tuple[Num, ...] | None = shape_of_rank(run, input, ranks[-1])
    else:
        shape = shape_of(run, input)
    error, dim = None, 1
    if shape is not None and ranks and len(shape) not in ranks:
        expected = " or ".join(f"{rank}D" for rank in ranks)
        error = f"expected {expected} input (got {len(shape)}D input)"
    if shape is not None and len(shape) == unbatched:
        dim = 0
    if attrs["num_features"] is None and shape is not None and len(shape) > dim:
        _set_num_features(run, attrs, shape[dim])
    affine, tracked = attrs["affine"], attrs["track_running_stats"]
    recorded: Attrs = {"affine": affine, "track_running_stats": tracked, "training": tracked is False}
    if affine is True or tracked is True:
        recorded["num_features"] = attrs["num_features"]
    return normalize_channels(run, op, input, recorded, error, dim)


def _set_num_features(run: Execution, attrs: Attrs, width: Num) -> None:
    """Give a lazy layer the width of its first input."""
    attrs["num_features"] = width
    for name in ("weight", "bias", "running_mean", "running_var"):
        if type(attrs[name]) is Tensor:
            attrs[name] = run.tensor((width,))


_BATCH = "eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, bias=True"
_INSTANCE = _BATCH.replace("affine=True, track_running_stats=True", "affine=False, track_running_stats=False")
for _n, _ranks in ((1, (2, 3)), (2, (4,)), (3, (5,))):
    _batch: Attrs = {"op": "batch_norm", "ranks": _ranks, "unbatched": None}
    _instance: Attrs = {"op": "instance_norm", "ranks": (_n + 1, _n + 2), "unbatched": _n + 1}
    layer(f"BatchNorm{_n}d", f"num_features, {_BATCH}", _forward, _construct, **_batch)
    layer(f"LazyBatchNorm{_n}d", _BATCH, _forward, _construct, **_batch, num_features=None)
    layer(f"InstanceNorm{_n}d", f"num_features, {_INSTANCE}", _forward, _construct, **_instance)
    layer(f"LazyInstanceNorm{_n}d", _BATCH, _forward, _construct, **_instance, num_features=None)
_SYNC = f"num_features, {_BATCH.replace('device', 'process_group=None, device')}"
layer("SyncBatchNorm", _SYNC, _forward, _construct, op="batch_norm", ranks=(), unbatched=None)

# --- other norms


def _construct_group(run: Execution, num_groups: Value, num_channels: Value, affine: Value, bias: Value) -> Attrs:
    groups, width = count(run, num_groups, "groups"), count(run, num_channels, "channels")
    attrs: Attrs = {"num_groups": groups, "num_channels": width, "affine": flag(affine)}
    attrs["weight"] = parameter(run, affine, (width,))
    attrs["bias"] = parameter(run, affine if bias is True else bias, (width,))
    if groups == 0 and type(groups) is int:
        raise ConstructorError("integer modulo by zero", attrs)
    if not run.demand(remainder(width, groups), 0):
        raise ConstructorError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})", attrs)
    if attrs["affine"] is True:
        check_parameter_sizes([num_channels], attrs)
    return attrs


def _forward_group(run: Execution, layer: Instance, input: Tensor) -> Value:
    attrs = layer.attrs
    recorded: Attrs = {"affine": attrs["affine"], "num_groups": attrs["num_groups"]}
    if attrs["affine"] is True:
        recorded["num_features"] = attrs["num_channels"]
    return normalize_groups(run, input, recorded, is_refused=layer.error is not None)


def _construct_rms(run: Execution, normalized_shape: Value, elementwise_affine: Value) -> Attrs:
    shape = shape_argument(run, normalized_shape)
    attrs: Attrs = {"normalized_shape": shape, "elementwise_affine": flag(elementwise_affine)}
    attrs["weight"] = parameter(run, elementwise_affine, shape) if shape is not None else run.tensor(None)
    if shape is not None and attrs["elementwise_affine"] is True:
        check_parameter_sizes(shape, attrs)
    return attrs


def _construct_layer(run: Execution, normalized_shape: Value, elementwise_affine: Value, bias: Value) -> Attrs:
    attrs = _construct_rms(run, normalized_shape, elementwise_affine)
    attrs["bias"] = attrs["weight"] if bias is True else parameter(run, bias, attrs["normalized_shape"] or ())
    return attrs


def _forward_last(run: Execution, layer: Instance, input: Tensor, op: str) -> Value:
    shape, affine = layer.attrs["normalized_shape"], layer.attrs["elementwise_affine"]
    return normalize_last(run, op, input, shape, affine)


_GROUP = "num_groups, num_channels, eps=1e-05, affine=True, device=None, dtype=None, *, bias=True"
_LAYER = "normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, device=None, dtype=None"
_RMS = "normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None"
layer("GroupNorm", _GROUP, _forward_group, _construct_group)
layer("LayerNorm", _LAYER, _forward_last, _construct_layer, op="layer_norm")
layer("RMSNorm", _RMS, _forward_last, _construct_rms, op="rms_norm")
functional_layer("LocalResponseNorm", "size, alpha=0.0001, beta=0.75, k=1.0", "F.local_response_norm")
